"""The manifest of a prepared set: one row for each image, and what was done to it."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaclip.errors import AdaclipError
from adaclip.system.files import read_json, sha256_of, write_text, write_whole

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ManifestRow:
    """One image.

    Attributes:
        set: the data set's id.
        category: such as `bottle`.
        split: `train` or `test`.
        image: path relative to the manifest's folder, with "/".
        mask: the same of its mask, or "" for none.
        label: 0 normal, 1 anomalous.
        defect: the raw folder's word for it, such as `good` or `bent`.
        width: of the image in pixels.
        height: of the image in pixels.
        sha256: of the image file.
        mask_sha256: of the mask file, or "" for none.
    """

    set: str
    category: str
    split: str
    image: str
    mask: str
    label: int
    defect: str
    width: int
    height: int
    sha256: str
    mask_sha256: str = ""


#: Beside a manifest: the SHA-256 of these, in this order, as `sha256sum` writes and checks them. Images and masks are
#: in the manifest.
SUMS = "SHA256SUMS"
SUMMED = ("manifest.csv", "meta.json", "prepared.json")
COLUMNS = tuple(field.name for field in fields(ManifestRow))


def write_manifest(path: str | Path, rows: Iterable[ManifestRow]) -> None:
    """Write a manifest, sorted by category, split and image, so that every machine writes the same bytes."""
    ordered = sorted(rows, key=lambda row: (row.category, row.split, row.image))
    with write_whole(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(vars(row) for row in ordered)


def write_sums(folder: str | Path) -> None:
    """Write `SHA256SUMS` of a prepared set."""
    paths = [Path(folder) / name for name in SUMMED]
    write_text(Path(folder) / SUMS, "".join(f"{sha256_of(path)}  {path.name}\n" for path in paths))


def read_sums(folder: str | Path) -> dict[str, str]:
    """SHA-256 of the files beside a manifest, by name; empty where the set has no `SHA256SUMS`.

    Raises:
        AdaclipError: it is not as `write_sums` writes it.
    """
    path = Path(folder) / SUMS
    if not path.is_file():
        return {}
    try:
        text = path.read_bytes().decode("ascii", "replace")
    except OSError as error:
        raise AdaclipError(f"cannot read {path}: {error.strerror or error}") from error
    found = re.fullmatch("".join(rf"([0-9a-f]{{64}})  {re.escape(name)}\n" for name in SUMMED), text)
    if found is None:
        raise AdaclipError(f"{path} is damaged: it is not what was prepared: prepare the set again")
    return dict(zip(SUMMED, found.groups(), strict=True))


def _read_summed(path: Path) -> bytes:
    """The bytes of a file beside a manifest, or of itself, checked where the set has checksums."""
    content = path.read_bytes()
    expected = read_sums(path.parent).get(path.name)
    if expected is not None and hashlib.sha256(content).hexdigest() != expected:
        raise AdaclipError(
            f"{path} is damaged: it is no longer what was prepared (its SHA-256 is not that of {SUMS}): "
            "prepare the set again"
        )
    return content


def read_manifest(path: str | Path) -> pd.DataFrame:
    """Read and check a manifest.

    Returns:
        A frame with `COLUMNS`; label, width and height are integers, everything else strings ("01" stays "01").

    Raises:
        AdaclipError: missing file or column, or a value that cannot be, with its line.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise AdaclipError(f"no such manifest: {path}: run adaclip data prepare")
    try:
        content = io.BytesIO(_read_summed(path))
        frame = pd.read_csv(content, dtype=str, keep_default_na=False, encoding="utf-8")
    except (ValueError, OSError) as error:
        raise AdaclipError(f"cannot read manifest {path}: {' '.join(str(error).split())}") from error
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise AdaclipError(f"manifest {path} lacks the column '{missing[0]}' (it has {', '.join(frame.columns)})")
    if frame.empty:
        raise AdaclipError(f"manifest {path} lists no image")
    checks = {
        "split": frame["split"].isin(["train", "test"]),
        "label": frame["label"].isin(["0", "1"]),
        "width": frame["width"].str.fullmatch(r"[1-9]\d*"),
        "height": frame["height"].str.fullmatch(r"[1-9]\d*"),
        "image": frame["image"].ne("") & ~frame["image"].duplicated(),
        "mask": frame["mask"].eq("") | frame["label"].eq("1"),
        "sha256": frame["sha256"].str.fullmatch("[0-9a-f]{64}|"),
        "mask_sha256": frame["mask_sha256"].str.fullmatch("[0-9a-f]{64}|"),
    }
    for column, good in checks.items():
        if not good.all():
            line = int((~good).to_numpy().argmax())
            value = frame[column].iloc[line]
            raise AdaclipError(f"manifest {path} line {line + 2}: column {column} cannot be {value!r} there")
    for column in ("label", "width", "height"):
        frame[column] = frame[column].astype(int)
    return frame


def has_images(manifest: str | Path) -> bool:
    """Whether images of a manifest are beside it, be it some: one that was brought back from elsewhere has none."""
    folder = Path(manifest).parent
    if not (folder / "images").is_dir():
        return False
    with Path(manifest).open(newline="", encoding="utf-8") as stream:
        return any((folder / str(row.get("image"))).is_file() for row in csv.DictReader(stream))


def read_prepared(manifest: str | Path) -> dict[str, Any]:
    """`prepared.json` beside a manifest: at least `labels` and `prompts`.

    Raises:
        AdaclipError: missing or damaged.
    """
    path = Path(manifest).with_name("prepared.json")
    if path.is_file():
        _read_summed(path)
    value = read_json(path)
    if not isinstance(value, dict) or not {"labels", "prompts"} <= value.keys():
        raise AdaclipError(f"{path} lacks 'labels' or 'prompts': prepare the set again")
    return value


def known_facts(data: str | Path, dataset: str) -> dict[str, Any]:
    """What is known of a set before a run: its `prepared.json`, or nothing where that is missing or damaged.

    Args:
        data: the data folder of the configuration.
        dataset: id of the set.
    """
    try:
        value = read_json(Path(data) / "prepared" / dataset / "prepared.json")
    except AdaclipError:
        # The run prepares it anew.
        return {}
    return value if isinstance(value, dict) else {}
