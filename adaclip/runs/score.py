"""Scoring a folder of images that nobody has labelled."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from adaclip.clip.settings import BackboneSettings
from adaclip.data.decode import SUFFIXES, UNREAD, size_of
from adaclip.data.rows import Row
from adaclip.errors import AdaclipError, UsageError
from adaclip.metrics.kept_maps import ROUNDING
from adaclip.metrics.settings import EvaluateSettings
from adaclip.runs.checkpoint import load_model
from adaclip.runs.evaluate import predictions
from adaclip.system.files import check_writable, remove, write_whole
from adaclip.system.sniff import is_picture
from adaclip.system.wording import counted

#: So many of the images that could not be scored are named.
_SHOWN = 5


@dataclass
class Found:
    """What a folder holds.

    Attributes:
        images: paths relative to it, sorted.
        hidden: how many image files were skipped because their names, or those of folders above, say that they are
            none of the user's: hidden ones, and what macOS leaves in `__MACOSX`.
        unread: pictures in formats, or with suffixes, that are not read, relative.
        faults: what could not be looked at, by its relative path.
    """

    images: list[str] = field(default_factory=list)
    hidden: int = 0
    unread: list[str] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)


def score_folder(
    checkpoint: Path,
    backbone: BackboneSettings | None,
    images: Path,
    category: str,
    settings: EvaluateSettings,
    out: Path,
    *,
    device: torch.device,
    workers: int = 0,
    say: Callable[[str], object] = lambda text: None,
    method: str | None = None,
    model: Mapping[str, Any] | None = None,
) -> None:
    """Write `scores.csv` (image, anomaly_score, map_max) and one heat map `maps/<image>.png` for each image.

    A heat map has the image's size and 8 bits: 0 is the least and 255 the greatest value that a map of the method can
    have; of a method without bounds, the least and the greatest of that very map, as `say` is told. Images that cannot
    be read cost nothing but themselves: the error that names them comes when all others are written.

    Args:
        checkpoint: of `adaclip train`, or a released one (`.pth`, `.pt` ...).
        backbone: for a released checkpoint, which does not name its own.
        images: a folder, searched with its subfolders.
        category: what the images show, in words.
        settings: batch size, precision and smoothing.
        out: the folder to write.
        device: where to compute.
        workers: processes that decode.
        say: is told what was skipped.
        method: of a released checkpoint; AdaCLIP where nothing is said.
        model: settings of a released checkpoint's method.

    Raises:
        AdaclipError: no images, or some that cannot be read.
        UsageError: a released checkpoint without backbone settings, ours with others than its own, words that are not
            in UTF-8, or an `out` that lies in `images`, or the other way round, so that heat maps would be scored.
    """
    check_writable(out / "scores.csv")
    if not images.is_dir():
        what = "is a file: give the folder that holds it" if images.is_file() else "is not there"
        raise AdaclipError(f"no such folder: {images} {what}")
    source, target = images.resolve(), out.resolve()
    if source == target or source in target.parents or target / "maps" in (source, *source.parents):
        raise UsageError(f"{out} lies in {images}, so that heat maps would be scored as images: give another folder")
    if not category.strip():
        raise UsageError("the category is empty: say in words what the images show, such as 'metal nut'")
    if not _is_utf8(category):
        raise UsageError(
            f"the category {os.fsencode(category)!r} is not in UTF-8: the model would be asked of other words"
        )
    found = find_images(images)
    for text in _notes(found):
        say(text)
    if not found.images:
        why = next(iter(found.faults.values()), f"no images ({', '.join(sorted(SUFFIXES))}) in {images}")
        raise AdaclipError(why)
    loaded, _ = load_model(checkpoint, device, backbone, method, model)
    if loaded.map_range is None:
        say("this method's maps have no bounds: each heat map runs from its own least to its own greatest value")
    rows = [Row("", category, category, images / name, name, None, 0, "", False) for name in found.images]
    scores: list[tuple[str, float, float]] = []
    unreadable: dict[int, str] = {}
    before = _scored_before(out)
    ended: AdaclipError | None = None
    try:
        for batch, by_protocol, values in predictions(
            loaded, rows, None, settings, workers=workers, title="scoring", failed=unreadable
        ):
            maps = by_protocol[settings.protocol]
            for position, index in enumerate(batch.index.tolist()):
                row = rows[index]
                try:
                    _write_map(_map_of(out, row.relative), maps[position].cpu().numpy(), row.image, loaded.map_range)
                except AdaclipError as error:
                    unreadable[index] = str(error)
                    continue
                scores.append((row.relative, float(values[position]), float(maps[position].max())))
    except AdaclipError as error:
        # A process that decodes was killed, say: what is computed by then is written.
        if not scores:
            raise
        ended = error
    found.faults |= {rows[index].relative: text for index, text in unreadable.items()}
    if ended is not None:
        done = {name for name, _, _ in scores} | found.faults.keys()
        found.faults |= {name: str(ended) for name in found.images if name not in done}
    if not scores:
        raise AdaclipError(_summary(found.faults, 0, "nothing is written"))
    # A map of an earlier call beside scores of this one would pass for one of this call's.
    for name in before - {name for name, _, _ in scores}:
        remove(_map_of(out, name))
    with write_whole(out / "scores.csv") as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("image", "anomaly_score", "map_max"))
        writer.writerows(scores)
    if found.faults:
        raise AdaclipError(_summary(found.faults, len(scores), f"the other {len(scores)} are in {out / 'scores.csv'}"))


def find_images(folder: Path) -> Found:
    """The images in a folder and its subfolders, those behind links among them."""
    found = Found()
    seen: set[str] = set()

    def note(error: OSError) -> None:
        name = os.path.relpath(str(error.filename), folder)
        found.faults[name] = f"cannot look into {error.filename}: {error.strerror or error}"

    for top, below, files in os.walk(folder, onerror=note, followlinks=True):
        place = os.path.realpath(top)
        if place in seen:
            # A link to a folder above, or a second one to the same folder.
            below.clear()
            continue
        seen.add(place)
        below.sort()
        for name in files:
            path = Path(top, name)
            if path.suffix.lower() in SUFFIXES | UNREAD or is_picture(path):
                _sort_in(found, path.relative_to(folder), path.is_file() or path.is_symlink())
    found.images.sort()
    return found


def _sort_in(found: Found, path: Path, is_file: bool) -> None:
    name = path.as_posix()
    if any(part.startswith((".", "__MACOSX")) for part in path.parts):
        found.hidden += 1
    elif path.suffix.lower() not in SUFFIXES:
        found.unread.append(name)
    elif not _is_utf8(name):
        found.faults[name] = f"the name of {os.fsencode(name)!r} is not in UTF-8: rename it"
    elif not is_file:
        # A pipe, say, which would be waited for without end.
        found.faults[name] = f"{name} is no ordinary file"
    else:
        found.images.append(name)


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _notes(found: Found) -> list[str]:
    notes = []
    if found.hidden:
        notes.append(f"{counted(found.hidden, 'hidden image file is', 'hidden image files are')} skipped")
    if found.unread:
        such = f"such as {min(found.unread)}: save them as PNG, or give them the suffix of what they are"
        pictures = counted(len(found.unread), "picture is", "pictures are")
        notes.append(f"{pictures} not read for the suffix, {such}")
    return notes


def _summary(faults: dict[str, str], scored: int, others: str) -> str:
    """One line on the images that could not be scored, and what became of the others."""
    texts = list(dict.fromkeys(faults[name] for name in sorted(faults)))
    more = f"; and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    shown = "; ".join(texts[:_SHOWN])
    verb = "is" if len(faults) == 1 else "are"
    return f"{len(faults)} of {counted(len(faults) + scored, 'image')} {verb} not scored: {shown}{more} ({others})"


def _map_of(out: Path, name: str) -> Path:
    return out / "maps" / f"{name}.png"


def _scored_before(out: Path) -> set[str]:
    """Names in the scores that an earlier call left."""
    try:
        with (out / "scores.csv").open(newline="", encoding="utf-8") as stream:
            return {name for row in csv.DictReader(stream) if (name := row.get("image")) and ".." not in name}
    except (OSError, UnicodeDecodeError, csv.Error):
        return set()


def _write_map(path: Path, values: np.ndarray, image: Path, bounds: tuple[float, float] | None) -> None:
    """Write a heat map of the image's size, 8 bits over `bounds`, or over the map's own range where there are none."""
    low, high = bounds or (float(values.min()), float(values.max()))
    share = (values - low) / (high - low) if high > low else np.zeros_like(values)
    if share.min() < -ROUNDING or share.max() > 1 + ROUNDING:
        raise AdaclipError(
            f"{image}: its map reaches from {values.min():.4g} to {values.max():.4g}, but the method states "
            f"{low:g} to {high:g} (map_range)"
        )
    heat = Image.fromarray((share.clip(0, 1) * 255).round().astype(np.uint8))
    with write_whole(path) as part:
        heat.resize(size_of(image), Image.Resampling.BILINEAR).save(part, format="PNG")
