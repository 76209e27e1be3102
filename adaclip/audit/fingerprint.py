"""Fingerprints of images: of their decoded pixels, so that another file format or name changes nothing."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from adaclip.data.decode import open_image
from adaclip.data.manifest import read_manifest
from adaclip.errors import AdaclipError
from adaclip.system.files import read_checked, write_whole
from adaclip.system.pool import each

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("set", "category", "image", "label", "content", "hash", "small")
#: The perceptual hash has HASH_SIDE x HASH_SIDE bits.
HASH_SIDE = 16
#: Side in pixels of the small grey image that confirms what the hash suggests.
SMALL_SIDE = 32


@dataclass(frozen=True)
class Fingerprints:
    """Images of one or several sets.

    Attributes:
        frame: columns set, category, image, label (0 or 1) and content (the digest of size and RGB pixels).
        hashes: perceptual hashes, (images, 32), uint8, eight bits in each.
        smalls: small grey images, (images, SMALL_SIDE * SMALL_SIDE), uint8.
    """

    frame: pd.DataFrame
    hashes: np.ndarray[Any, np.dtype[np.uint8]]
    smalls: np.ndarray[Any, np.dtype[np.uint8]]


def fingerprint(image: Image.Image) -> tuple[str, bytes, bytes]:
    """Fingerprint one image.

    Args:
        image: decoded, of any size; what `convert("RGB")` gives counts.

    Returns:
        The hexadecimal SHA-256 of width, height and RGB pixels; the perceptual hash (`imagehash.phash` with 16 x 16
        frequencies), 32 bytes; the image in grey at 32 x 32, 1024 bytes.
    """
    import imagehash

    colour = image.convert("RGB")
    digest = hashlib.sha256(f"{colour.width} {colour.height} ".encode() + colour.tobytes()).hexdigest()
    grey = colour.convert("L")
    bits = imagehash.phash(grey, hash_size=HASH_SIDE).hash
    small = grey.resize((SMALL_SIDE, SMALL_SIDE), Image.Resampling.BILINEAR)
    return digest, np.packbits(bits.ravel()).tobytes(), small.tobytes()


def write_fingerprints(manifest: Path, out: Path, jobs: int | None = None) -> None:
    """Fingerprint the test split of a prepared set, which is all that is trained on or evaluated.

    Args:
        manifest: of the prepared set.
        out: CSV file with `COLUMNS`; `hash` is hexadecimal, `small` base64.
        jobs: processes that decode; default one for each core.

    Raises:
        AdaclipError: no test images, or a file is missing or damaged; it is named.
    """
    frame = read_manifest(manifest)
    frame = frame[frame["split"] == "test"]
    if frame.empty:
        raise AdaclipError(f"{manifest} has no image in the split 'test'")
    paths = [manifest.parent / image for image in frame["image"]]
    files = list(zip(paths, frame["sha256"], strict=True))
    found = each(_fingerprint_file, files, jobs, f"fingerprints of {frame['set'].iloc[0]}")
    with write_whole(out) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row, (content, bits, small) in zip(frame.to_dict("records"), found, strict=True):
            head = [row[column] for column in COLUMNS[:4]]
            writer.writerow([*head, content, bits.hex(), base64.b64encode(small).decode()])


def _fingerprint_file(file: tuple[Path, str]) -> tuple[str, bytes, bytes]:
    return fingerprint(open_image(*file))


def read_fingerprints(paths: Sequence[Path]) -> Fingerprints:
    """Read fingerprints of several sets.

    Raises:
        AdaclipError: missing or damaged file, or two of the same set.
    """
    import pandas as pd

    frames, seen = [], dict[str, Path]()
    for path in paths:
        if not path.is_file():
            raise AdaclipError(f"no such file: {path}: run adaclip audit fingerprint")
        try:
            content = io.BytesIO(read_checked(path))
            frame = pd.read_csv(content, dtype=str, keep_default_na=False, encoding="utf-8")
        except ValueError as error:
            raise AdaclipError(f"cannot read {path}: {' '.join(str(error).split())}") from error
        if tuple(frame.columns) != COLUMNS or frame.empty:
            raise AdaclipError(f"{path} holds no fingerprints: run adaclip audit fingerprint again")
        for name in frame["set"].unique():
            if name in seen:
                raise AdaclipError(f"{path} and {seen[name]} are both of the set '{name}': give one of them")
            seen[name] = path
        frames.append(frame)
    frame = pd.concat(frames, ignore_index=True)
    try:
        hashes = _rows([bytes.fromhex(text) for text in frame["hash"]], HASH_SIDE * HASH_SIDE // 8)
        smalls = _rows([base64.b64decode(text) for text in frame["small"]], SMALL_SIDE * SMALL_SIDE)
        frame["label"] = frame["label"].astype(int)
    except ValueError as error:
        raise AdaclipError(f"damaged fingerprints in one of {', '.join(map(str, paths))}: {error}") from error
    return Fingerprints(frame[list(COLUMNS[:5])], hashes, smalls)


def _rows(values: Sequence[bytes], length: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(b"".join(values), np.uint8).reshape(len(values), length)
