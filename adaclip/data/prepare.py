"""From an original to a prepared set: every file decoded once, masks paired and checked, a manifest beside."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from adaclip.data import checks
from adaclip.data.fetched import digest_of, holds_drawings
from adaclip.data.layouts.common import Item
from adaclip.data.manifest import SUMS, ManifestRow, write_manifest, write_sums
from adaclip.data.metajson import write_meta
from adaclip.data.originals import as_given, open_original
from adaclip.data.place_images import Placed, folders_of, place
from adaclip.data.reading_options import COMMON, Options
from adaclip.data.registry import Dataset
from adaclip.data.unpack import Limits
from adaclip.data.wording import unstated_words
from adaclip.errors import AdaclipError, UsageError
from adaclip.system.files import work_folder, write_json
from adaclip.system.pool import each
from adaclip.system.wording import counted

#: What a prepared set consists of; a folder with anything else in it is not replaced.
CONTENT = frozenset({"images", "masks", "manifest.csv", "prepared.json", "meta.json", SUMS})

#: So many of the images that cannot be used are named.
_SHOWN = 5


@dataclass(frozen=True)
class Prepared:
    """What was prepared.

    Attributes:
        dataset: the set.
        layout: the raw layout that was recognised.
        recognised: the same in words, and where it began.
        rows: the manifest.
        labels: of `image` and `mask`.
        options: how the original was read.
        notes: what was decided on the way.
        warnings: differences that a person should look at.
    """

    dataset: Dataset
    layout: str
    recognised: str
    rows: list[ManifestRow]
    labels: tuple[str, ...]
    options: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def text(self) -> str:
        """A few lines for a person."""
        counts = ", ".join(
            f"{split} {c['normal']} + {c['anomalous']}" for split, c in sorted(checks.count(self.rows).items())
        )
        masks, categories = sum(bool(row.mask) for row in self.rows), {row.category for row in self.rows}
        summary = (
            f"{self.dataset.id}: layout {self.layout}, {counted(len(self.rows), 'image')} ({counts} normal + "
            f"anomalous), {counted(masks, 'mask')}, {counted(len(categories), 'category', 'categories')}"
        )
        return "\n".join([summary, f"recognised: {self.recognised}", *(f"note: {note}" for note in self.notes)])


def prepare(
    dataset: Dataset,
    raw: Path,
    out: Path,
    jobs: int | None = None,
    title: str | None = None,
    limits: Limits | None = None,
) -> Prepared:
    """Check an original and write the prepared set to `out`, whole or not at all.

    Images and masks go in as they are (hard links where the file system allows, copies elsewhere), unless an option or
    a format asks for a change, which is written as PNG. EXIF orientation is not applied: the published masks fit the
    stored pixels.

    Args:
        dataset: the registry entry.
        raw: folder of the original, an archive of it, or a folder of archives.
        out: folder to write; an earlier prepared set is replaced when the new one is whole.
        jobs: processes that decode; default one for each core.
        title: of a progress bar on standard error; None for no bar.
        limits: what one archive may unpack to.

    Raises:
        AdaclipError: the layout is not recognised, or a file is missing, damaged or does not fit; the file is named.
        UsageError: `out` is no place for a prepared set.
    """
    if not raw.exists():
        raise AdaclipError(f"data set '{dataset.id}': no such file or folder: {raw}")
    _check_place(raw, out)
    with work_folder(out) as work:
        try:
            result = _prepare_into(dataset, raw, work, jobs, title, limits)
            _swap(work / "set", out)
            return result
        except AdaclipError as error:
            raise type(error)(as_given(str(error), raw, work / "unpacked")) from error
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            raise AdaclipError(f"cannot prepare {out}: {error.strerror or error}{where}") from error


def _check_place(raw: Path, out: Path) -> None:
    """Refuse a target whose replacement would lose something, or that would be read as part of the original."""
    source, target = raw.resolve(), out.resolve()
    if source == target or target in source.parents or source in target.parents:
        raise UsageError(f"{out} and {raw} lie in one another: write the prepared set to a folder of its own")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file, not a folder")
    other = sorted({entry.name for entry in out.iterdir()} - CONTENT) if out.is_dir() else []
    if other and not all(name.startswith(".") for name in other):
        raise UsageError(f"{out} holds {other[-1]}, which is no part of a prepared set: give another folder")


def _prepare_into(
    dataset: Dataset, raw: Path, work: Path, jobs: int | None, title: str | None, limits: Limits | None
) -> Prepared:
    original = open_original(raw, dataset, work / "unpacked", limits)
    _check_arrangement(dataset, original.layout, raw)
    items, options = original.reading.items, original.options
    has_masks = any(item.mask and item.label for item in items)
    labels = dataset.labels or (("image", "mask") if has_masks else ("image",))
    if "mask" in dataset.labels:
        bare = next((item.image for item in items if item.label and not item.mask), None)
        if bare is not None:
            raise AdaclipError(f"data set '{dataset.id}': no mask for image {bare}, but the set should have masks")
    out = work / "set"
    placed = _place_all(dataset.id, items, out, options, jobs, title)
    if options.tiff_reading == "reference_grey" and not any(image.reference_grey for image in placed):
        raise UsageError(
            f"data set '{dataset.id}': option tiff_reading: reference_grey changes nothing: no image in "
            f"{original.top} is a TIFF that calls itself grey but holds colours: give the folder of the TIFFs"
        )
    rows = [image.row for image in placed]
    duplicates = checks.duplicate_groups(rows)
    obeyed = (*(name for name in COMMON if name != "mask_rule" or has_masks), *original.layout_options)
    prepared = Prepared(
        dataset,
        original.layout,
        original.recognised,
        rows,
        labels,
        {name: value for name, value in asdict(options).items() if name in obeyed},
        [*original.reading.notes, *checks.notes_of(placed), *unstated_words(dataset, (row.category for row in rows))],
        checks.warnings_of(dataset, placed, duplicates, original.reading.test),
    )
    write_manifest(out / "manifest.csv", rows)
    write_meta(out / "meta.json", rows)
    # An archive may lie beside the note that says so, or have it inside.
    drawn = holds_drawings(raw, work / "unpacked")
    write_json(out / "prepared.json", _facts(prepared, raw, duplicates, drawn))
    write_sums(out)
    return prepared


def _check_arrangement(dataset: Dataset, layout: str, raw: Path) -> None:
    """Refuse an original where the entry wants the repackaged archive, or the other way round.

    The authors' archives have a meta.json and MVTec's folders.
    """
    wanted = dataset.arrangement
    if (wanted == "repackaged" and layout not in ("meta", "mvtec")) or (wanted == "original" and layout == "meta"):
        other = "original" if wanted == "repackaged" else "repackaged"
        raise UsageError(
            f"data set '{dataset.id}': {raw} is its {other} (layout {layout}), but its entry says arrangement: {wanted}"
            ": take that out, or put the other one there"
        )


def _facts(prepared: Prepared, raw: Path, duplicates: Sequence[Sequence[str]], drawn: bool) -> dict[str, Any]:
    """`prepared.json`."""
    dataset = prepared.dataset
    by_category = checks.count_by_category(prepared.rows)
    return {
        "set": dataset.id,
        "title": dataset.title,
        "domain": dataset.domain,
        "layout": prepared.layout,
        "recognised": prepared.recognised,
        "source": str(raw),
        "raw_digest": digest_of(dataset, raw),
        "simulated": drawn,
        "options": prepared.options,
        "labels": list(prepared.labels),
        "prompts": {category: dataset.categories.get(category, category) for category in by_category},
        "counts": checks.count(prepared.rows),
        "counts_by_category": by_category,
        "notes": prepared.notes,
        "warnings": prepared.warnings,
        "duplicate_groups": duplicates,
    }


def _place_all(
    dataset: str, items: Sequence[Item], out: Path, options: Options, jobs: int | None, title: str | None
) -> list[Placed]:
    folders = {folders_of(item)[0] for item in items}
    folders |= {folders_of(item)[1] for item in items if item.mask and item.label}
    for folder in folders:
        (out / folder).mkdir(parents=True, exist_ok=True)
    # Parts of one image are read together, so that no file is read twice.
    groups = [list(group) for _, group in itertools.groupby(items, key=lambda item: item.image)]
    parts = each(functools.partial(_place_or_fault, dataset, out, options), groups, jobs, title)
    faults = [part for part in parts if isinstance(part, AdaclipError)]
    if len(faults) == 1:
        raise faults[0]
    if faults:
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        shown = "; ".join(map(str, faults[:_SHOWN]))
        raise type(faults[0])(f"{len(faults)} of {counted(len(groups), 'image')} cannot be used: {shown}{more}")
    return [image for part in parts if not isinstance(part, AdaclipError) for image in part]


def _place_or_fault(dataset: str, out: Path, options: Options, items: Sequence[Item]) -> list[Placed] | AdaclipError:
    """What `place` gives, or why it does not: who mends one file wants to know of the next as well."""
    try:
        return place(dataset, out, options, items)
    except AdaclipError as fault:
        return fault


def _swap(new: Path, out: Path) -> None:
    """Put `new` in the place of `out`; a folder cannot be renamed onto another one that holds something."""
    old = new.with_name("old")
    if not out.exists():
        new.rename(out)
        return
    out.rename(old)
    try:
        new.rename(out)
    except OSError:
        old.rename(out)
        raise
