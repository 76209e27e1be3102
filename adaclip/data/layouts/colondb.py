"""CVC-ColonDB's layout: `N.tiff` or `N.tif`, its mask `pN.tiff`, and a contour `cpN.tiff`, all in one folder."""

from __future__ import annotations

import re
from pathlib import Path

from adaclip.data.layouts.common import Item, Reading, images_in, only_category
from adaclip.data.reading_options import Options
from adaclip.data.registry import Dataset
from adaclip.errors import AdaclipError

TITLE = "CVC-ColonDB files (N, its mask pN and its contour cpN in one folder)"
OPTIONS = ()


def recognise(folder: Path) -> bool:
    """At least one numbered image with its mask."""
    stems = {path.stem for path in images_in(folder)}
    return any(stem.isdecimal() and f"p{stem}" in stems for stem in stems)


def read(top: Path, dataset: Dataset, options: Options) -> Reading:
    """All images, as the test split; contours are not used."""
    category = only_category(dataset)
    images: dict[str, Path] = {}
    masks: dict[str, Path] = {}
    contours: list[Path] = []
    for path in images_in(top):
        match = re.fullmatch(r"(c?p)?(\d+)", path.stem)
        if match is None:
            raise AdaclipError(f"data set '{dataset.id}': {path} is neither an image N, a mask pN nor a contour cpN")
        if match[1] == "cp":
            contours.append(path)
            continue
        kind = masks if match[1] else images
        if match[2] in kind:
            raise AdaclipError(
                f"data set '{dataset.id}': {kind[match[2]].name} and {path.name} in {top} have the same number"
            )
        kind[match[2]] = path
    for number, path in images.items():
        if number not in masks:
            raise AdaclipError(f"data set '{dataset.id}': no mask p{number} for image {path}")
    for number, path in masks.items():
        if number not in images:
            raise AdaclipError(f"data set '{dataset.id}': mask without an image: {path}")
    items = [Item(category, "test", path, masks[number], 1, "anomalous") for number, path in images.items()]
    return Reading(items, [f"{len(contours)} contours are not used"] if contours else [], left_out=contours)
