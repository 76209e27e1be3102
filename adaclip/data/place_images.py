"""One image on its way into a prepared set: read once, decoded, checked against its mask, linked or converted."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image, ImageFile

from adaclip.data.decode import as_image, as_mask, decode, is_mislabelled_colour, is_wide, like_a_mask, read
from adaclip.data.layouts.common import Item
from adaclip.data.manifest import ManifestRow
from adaclip.data.reading_options import Options
from adaclip.errors import AdaclipError


@dataclass(frozen=True)
class Placed:
    """An image of a prepared set, and what is worth knowing of its files.

    Attributes:
        row: of the manifest.
        highest: value of a 16-bit grey image, else None.
        reference_grey: whether it was read as the reference reads it, and not in colour.
        growth: of a mask with more values than two, by what factor `nonzero` marks more than `half`; else None.
        like_a_mask: whether the image is black and one other grey, and nothing else.
        marked: share of the pixels that the mask of an anomalous image marks, in (0, 1]; else None.
    """

    row: ManifestRow
    highest: int | None = None
    reference_grey: bool = False
    growth: float | None = None
    like_a_mask: bool = False
    marked: float | None = None


def folders_of(item: Item) -> tuple[PurePosixPath, PurePosixPath]:
    """Folders of an item's image and mask, relative to the prepared set."""
    return _folders(item.category, item.split, item.defect)


@functools.cache
def _folders(*names: str) -> tuple[PurePosixPath, PurePosixPath]:
    parts = [_part(name) for name in names]
    return PurePosixPath("images", *parts), PurePosixPath("masks", *parts)


def _part(text: str) -> str:
    """A name from a table as the name of one folder."""
    name = re.sub(r"[/\\\0]", "_", text).strip()
    return name if name.strip(".") else "_"


def place(dataset: str, out: Path, options: Options, items: Sequence[Item]) -> list[Placed]:
    """Put the items of one image file into a prepared set whose folders are there.

    What any program reads rightly without knowing an option is linked as it is (copied where the file system has no
    links); the rest is written as PNG.

    Args:
        dataset: id of the set.
        out: folder of the prepared set.
        options: how to read.
        items: parts of one image, or one item that is the whole of it.

    Raises:
        AdaclipError: a file is damaged, or the mask does not fit; the file is named.
    """
    source = items[0].image
    content = read(source)
    image = decode(content, source)
    size = image.size
    alike = like_a_mask(image)
    highest = int(image.getextrema()[1]) if is_wide(image) else None  # type: ignore[arg-type]
    grey = options.tiff_reading == "reference_grey" and is_mislabelled_colour(content)
    picture = image.getchannel(0) if grey else image
    if picture.mode[0] in "IF":
        picture = as_image(picture, source)
    # What Pillow refused, or would read wrongly, any other program that opens the set would stumble over too.
    changed = picture is not image or not isinstance(image, ImageFile.ImageFile)
    marked = None if items[0].mask is None else read(items[0].mask)
    mask = None if marked is None else _fitting_mask(marked, items[0], size)
    found = []
    for item in items:
        image_folder, mask_folder = folders_of(item)
        name = item.name or source.name
        if not changed and item.box is None:
            _link(source, out / image_folder / name)
            sha256 = hashlib.sha256(content).hexdigest()
        else:
            name = _png_name(name)
            sha256 = _write_png(picture.crop(item.box) if item.box else picture, out / image_folder / name)
        growth = share = None
        mask_path = mask_sha256 = ""
        if mask is not None and marked is not None:
            part = mask.crop(item.box) if item.box else mask
            growth = _check_mask(item, part, options)
            if item.label:
                share = sum(part.histogram()[options.threshold + 1 :]) / (part.size[0] * part.size[1])
                mask_name, mask_sha256 = _place_mask(item, marked, part, out / mask_folder, options)
                mask_path = str(mask_folder / mask_name)
        width, height = (item.box[2] - item.box[0], item.box[3] - item.box[1]) if item.box else size
        row = ManifestRow(
            dataset,
            item.category,
            item.split,
            str(image_folder / name),
            mask_path,
            item.label,
            item.defect,
            width,
            height,
            sha256,
            mask_sha256,
        )
        found.append(Placed(row, highest, grey, growth, alike, share))
    return found


def _fitting_mask(content: bytes, item: Item, size: tuple[int, int]) -> Image.Image:
    assert item.mask is not None
    mask = as_mask(decode(content, item.mask), item.mask)
    if mask.size != size:
        raise AdaclipError(
            f"mask {item.mask} is {mask.size[0]} x {mask.size[1]}, but its image {item.image} is {size[0]} x {size[1]}"
        )
    return mask


def _check_mask(item: Item, mask: Image.Image, options: Options) -> float | None:
    """Whether a mask says what its label says; how much the rules differ on it (see `Placed.growth`)."""
    counts = mask.histogram()
    area = sum(counts[options.threshold + 1 :])
    said = f"{item.where}: " if item.where else ""
    if item.label and not area:
        hint = "" if not sum(counts[1:]) else f" above {options.threshold} (option mask_rule: {options.mask_rule})"
        raise AdaclipError(f"{said}mask {item.mask} is empty{hint}, but its image {item.image} is labelled anomalous")
    if not item.label and area:
        raise AdaclipError(f"{said}mask {item.mask} marks {area} pixels, but its image {item.image} is labelled normal")
    if sum(count > 0 for count in counts[1:]) < 2:
        return None
    half = sum(counts[128:])
    return sum(counts[1:]) / half if half else None


def _place_mask(item: Item, content: bytes, mask: Image.Image, folder: Path, options: Options) -> tuple[str, str]:
    """Put a mask into its folder; its name there, and its SHA-256."""
    assert item.mask is not None
    # A name that was made to be the image's own is the mask's own too.
    made = PurePosixPath(item.name).stem if item.name else ""
    if options.threshold == 0 and item.box is None:
        name = made + item.mask.suffix if made else item.mask.name
        _link(item.mask, folder / name)
        return name, hashlib.sha256(content).hexdigest()
    name = f"{made}.png" if made else _png_name(item.mask.name)
    marked = mask.point([255 if value > options.threshold else 0 for value in range(256)])
    return name, _write_png(marked, folder / name)


def _png_name(name: str) -> str:
    """A name that ends in .png, and no other file's: `1.tif` and `1.jpg` may stand side by side."""
    return name if name.lower().endswith(".png") else f"{name}.png"


def _write_png(image: Image.Image, target: Path) -> str:
    """Write an image and give the SHA-256 of the file."""
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    content = stream.getvalue()
    # A file that is there may be a link to somebody's original.
    with target.open("xb") as file:
        file.write(content)
    return hashlib.sha256(content).hexdigest()


def _link(source: Path, target: Path) -> None:
    try:
        # A link to a symbolic link would lead nowhere when that is moved.
        os.link(source.resolve() if source.is_symlink() else source, target)
    except FileExistsError:
        raise AdaclipError(f"{source} would replace another image called {target.name}: rename one of them") from None
    except OSError:
        # Another file system, or a system that forbids it.
        shutil.copyfile(source, target)
