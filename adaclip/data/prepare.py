"""From an original to a prepared set: every file decoded once, masks paired and checked, a manifest beside."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from adaclip.data.decode import as_mask, decode, read
from adaclip.data.layouts import read_items
from adaclip.data.layouts.common import Item
from adaclip.data.manifest import ManifestRow, write_manifest
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError
from adaclip.files import write_json, work_folder
from adaclip.provenance import folder_digest

#: Fewer files than this are decoded without starting processes.
POOL_FROM = 200


@dataclass(frozen=True)
class Prepared:
    """What was prepared.

    Attributes:
        dataset: the set.
        layout: the raw layout that was recognised.
        rows: the manifest.
        labels: of `image` and `mask`.
        warnings: differences that a person should look at.
    """

    dataset: Dataset
    layout: str
    rows: list[ManifestRow]
    labels: tuple[str, ...]
    warnings: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, dict[str, int]]:
        """Normal and anomalous images by split."""
        found: dict[str, dict[str, int]] = {}
        for row in self.rows:
            split = found.setdefault(row.split, {"normal": 0, "anomalous": 0})
            split["anomalous" if row.label else "normal"] += 1
        return found

    def text(self) -> str:
        """One line for a person."""
        counts = ", ".join(f"{split} {c['normal']} + {c['anomalous']}" for split, c in sorted(self.counts().items()))
        masks = sum(bool(row.mask) for row in self.rows)
        return (
            f"{self.dataset.id}: layout {self.layout}, {len(self.rows)} images ({counts} normal + anomalous), "
            f"{masks} masks, {len({row.category for row in self.rows})} categories"
        )


def prepare(dataset: Dataset, raw: Path, out: Path, jobs: int | None = None) -> Prepared:
    """Check an original and write the prepared set to `out`, whole or not at all.

    Images and masks go in as they are (hard links where the file system allows, copies elsewhere). EXIF orientation is
    not applied: the published masks fit the stored pixels.

    Args:
        dataset: the registry entry.
        raw: folder of the original, or an archive (tar, zip) of it.
        out: folder to write; an earlier one is replaced when the new one is whole.
        jobs: processes that decode; default one for each core.

    Raises:
        AdaclipError: the layout is not recognised, or a file is missing, damaged or does not fit; the file is named.
    """
    if not raw.exists():
        raise AdaclipError(f"data set '{dataset.id}': no such file or folder: {raw}")
    with work_folder(out) as work:
        try:
            if raw.is_file():
                raw_folder = work / "unpacked"
                _unpack(raw, raw_folder)
            else:
                raw_folder = raw
            result = _prepare_into(dataset, raw_folder, work / "set", raw, jobs)
            _swap(work / "set", out)
            return result
        except OSError as error:
            raise AdaclipError(f"cannot prepare {out}: {error.strerror or error} ({error.filename})") from error


def _prepare_into(dataset: Dataset, raw: Path, out: Path, source: Path, jobs: int | None) -> Prepared:
    layout, items = read_items(raw, dataset)
    has_masks = any(item.mask for item in items)
    labels = dataset.labels or (("image", "mask") if has_masks else ("image",))
    if "mask" in labels and not has_masks:
        raise AdaclipError(f"data set '{dataset.id}': no mask in {source}, but the set should have masks")
    checked = _check_all(items, jobs)
    rows = [_place(dataset.id, item, facts, out) for item, facts in zip(items, checked, strict=True)]
    write_manifest(out / "manifest.csv", rows)
    duplicates = _duplicates(rows)
    prepared = Prepared(dataset, layout, rows, labels, _warnings(dataset, rows, duplicates))
    categories = sorted({row.category for row in rows})
    write_json(
        out / "prepared.json",
        {
            "set": dataset.id,
            "title": dataset.title,
            "domain": dataset.domain,
            "layout": layout,
            "raw_digest": folder_digest(source),
            "labels": list(labels),
            "prompts": {category: dataset.categories.get(category, category) for category in categories},
            "counts": prepared.counts(),
            "warnings": prepared.warnings,
            "duplicate_groups": duplicates,
        },
    )
    return prepared


def _check_all(items: Sequence[Item], jobs: int | None) -> list[_Facts]:
    jobs = jobs or os.cpu_count() or 1
    if jobs == 1 or len(items) < POOL_FROM:
        return [_check(item) for item in items]
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(_check, items, chunksize=16))


@dataclass(frozen=True)
class _Facts:
    width: int
    height: int
    sha256: str


def _check(item: Item) -> _Facts:
    """Decode an image and its mask."""
    size, digest, _ = _decode(item.image)
    if item.mask is not None:
        mask_size, _, empty = _decode(item.mask, mask=True)
        if mask_size != size:
            raise AdaclipError(
                f"mask {item.mask} is {mask_size[0]} x {mask_size[1]}, "
                f"but its image {item.image} is {size[0]} x {size[1]}"
            )
        if empty:
            raise AdaclipError(f"mask {item.mask} is empty, but its image {item.image} is labelled anomalous")
    return _Facts(*size, digest)


def _decode(path: Path, mask: bool = False) -> tuple[tuple[int, int], str, bool]:
    """Size, SHA-256 of the bytes, and whether every pixel is zero (asked of masks only)."""
    content = read(path)
    image = decode(content, path)
    empty = mask and as_mask(image).getbbox() is None
    return image.size, hashlib.sha256(content).hexdigest(), empty


def _place(dataset: str, item: Item, facts: _Facts, out: Path) -> ManifestRow:
    image = PurePosixPath("images", item.category, item.split, item.defect, item.image.name)
    _link(item.image, out / image)
    mask = None
    if item.mask is not None:
        mask = PurePosixPath("masks", item.category, item.split, item.defect, item.mask.name)
        _link(item.mask, out / mask)
    return ManifestRow(
        dataset,
        item.category,
        item.split,
        str(image),
        str(mask or ""),
        item.label,
        item.defect,
        facts.width,
        facts.height,
        facts.sha256,
    )


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        # Another file system, or a system that forbids it.
        shutil.copyfile(source, target)


def _swap(new: Path, out: Path) -> None:
    """Put `new` in the place of `out`; a folder cannot be renamed onto another one that holds something."""
    old = new.with_name("old")
    if out.exists():
        out.rename(old)
    new.rename(out)


def _duplicates(rows: Sequence[ManifestRow]) -> list[list[str]]:
    """Groups of images whose files are equal."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        groups[row.sha256].append(row.image)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)


def _warnings(dataset: Dataset, rows: Sequence[ManifestRow], duplicates: Sequence[Any]) -> list[str]:
    found = []
    counts = Counter("anomalous" if row.label else "normal" for row in rows if row.split == "test")
    for kind, expected in dataset.test.items():
        if counts[kind] != expected:
            found.append(f"{dataset.id}: {counts[kind]} {kind} test images, the published set has {expected}")
    missing = [category for category in dataset.categories if category not in {row.category for row in rows}]
    if missing:
        found.append(f"{dataset.id}: no images of the categories {', '.join(missing)}")
    if duplicates:
        found.append(f"{dataset.id}: {len(duplicates)} groups of identical image files (listed in prepared.json)")
    return found


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack tar or zip; Python's own filter keeps every path inside `folder` and links and devices out."""
    import tarfile
    import zipfile

    try:
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as compressed:
                compressed.extractall(folder)
        else:
            raise AdaclipError(f"{archive} is neither a tar nor a zip archive")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise AdaclipError(f"cannot unpack {archive}: {error}: get it again") from error
