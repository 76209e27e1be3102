"""Image files as pixels: the one place where files are decoded, whatever their names say they are.

Pillow decodes; `tifffile` reads the TIFFs that Pillow refuses, in the colours that their samples hold. Pixels come as
they are stored: an EXIF orientation is not applied, because published masks fit the stored pixels.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Named so that Pillow need not load all its plugins to find these two.
from PIL import Image, ImageChops, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from adaclip.errors import AdaclipError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: What content may be. Pillow knows many more; among them are some that start other programs.
FORMATS = (
    "PNG",
    "JPEG",
    "BMP",
    TiffImagePlugin.TiffImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
    "GIF",
    "PPM",
)
#: Names of files that hold images.
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: One 16-bit value stands for this many 8-bit ones: 65535 = 255 * 257.
_WIDE = 257


def open_image(path: str | Path) -> Image.Image:
    """Decode an image.

    16-bit grey is scaled from 0..65535 to 0..255 whatever values occur, so that brightness stays comparable between
    images. Transparency is dropped: the colours beneath it count.

    Args:
        path: a PNG, JPEG, BMP, TIFF, WebP, GIF or PPM file under any name; of several frames the first counts.

    Returns:
        An image, fully loaded, whose `convert("RGB")` loses nothing: mode L, RGB or another 8-bit colour mode.

    Raises:
        AdaclipError: missing, empty, damaged, no image, or with 32-bit or fractional values, whose range nobody knows.

    Example:
        >>> Image.new("RGBA", (512, 256)).save("scan.jpg", format="PNG")  # a wrong extension does not matter
        >>> open_image("scan.jpg").convert("RGB").size
        (512, 256)
    """
    path = Path(path)
    return as_image(decode(read(path), path), path)


def open_mask(path: str | Path) -> Image.Image:
    """Decode a mask.

    The brightest colour counts, as a viewer shows it (so of a palette the colours, not the numbers); transparency is
    dropped. 16-bit values are scaled to 0..255, rounded up; 32-bit ones are 0 or 255. So what is not zero stays so.

    Args:
        path: as for `open_image`.

    Returns:
        Mode L, fully loaded.

    Raises:
        AdaclipError: missing, empty, damaged or no image.
    """
    path = Path(path)
    return as_mask(decode(read(path), path))


def size_of(path: str | Path) -> tuple[int, int]:
    """Width and height in pixels, from the file's header where Pillow can read it.

    Raises:
        AdaclipError: as for `open_image`.
    """
    path = Path(path)
    try:
        with Image.open(path, formats=FORMATS) as image:
            return image.size
    except (OSError, Image.DecompressionBombError):
        return decode(read(path), path).size


def read(path: Path) -> bytes:
    """The bytes of a file that should hold an image.

    Raises:
        AdaclipError: missing, unreadable or empty.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise AdaclipError(f"no such image: {path}") from None
    except OSError as error:
        raise AdaclipError(f"cannot read {path}: {error.strerror or error}") from error
    if not content:
        raise AdaclipError(f"{path} is empty (0 bytes): get a whole copy of it")
    return content


def decode(content: bytes, path: Path) -> Image.Image:
    """Decode the bytes of a file to an image of any mode, fully loaded.

    Args:
        content: the bytes.
        path: where they come from, for errors.

    Raises:
        AdaclipError: damaged or no image.
    """
    tiff = content.startswith(_TIFF)
    try:
        with _quiet() if tiff else contextlib.nullcontext():
            image = Image.open(io.BytesIO(content), formats=FORMATS)
            image.load()
    # Damage makes decoders raise nearly anything.
    except Exception as error:
        if tiff:
            return _decode_tiff(content, path)
        reason = _what_else(content) if isinstance(error, UnidentifiedImageError) else _reason(error)
        raise AdaclipError(f"cannot decode {path}: {reason}: get a whole copy of it") from error
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _in_wide_planes(image):
        # Pillow 13 returns wrong pixels for these, without a word.
        return _decode_tiff(content, path)
    return image


def _in_wide_planes(image: TiffImagePlugin.TiffImageFile) -> bool:
    """Whether a TIFF holds colour in separate planes of more than 8 bits."""
    planes = image.tag_v2.get(TiffImagePlugin.PLANAR_CONFIGURATION)
    return planes == 2 and max(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))) > 8


def as_image(image: Image.Image, path: Path) -> Image.Image:
    """What `open_image` makes of decoded pixels; 8-bit colour and grey are left as they are."""
    if image.mode in ("L", "RGB", "CMYK", "YCbCr", "LAB", "HSV"):
        return image
    if image.mode.startswith("I;16"):
        return Image.fromarray(_narrow(_values(image)))
    if image.mode in ("I", "F"):
        raise AdaclipError(
            f"cannot use {path}: it holds 32-bit or fractional values of unknown range: save it with 8 or 16 bits"
        )
    if image.mode in ("LA", "La", "1"):
        return image.convert("L")
    # Straight from a palette with transparency to RGB, Pillow warns.
    return image.convert("RGBA").convert("RGB")


def as_mask(image: Image.Image) -> Image.Image:
    """What `open_mask` makes of decoded pixels."""
    if image.mode == "L":
        return image
    if image.mode.startswith("I;16"):
        return Image.fromarray(_narrow(_values(image), up=True))
    if image.mode in ("I", "F"):
        return Image.fromarray((_values(image) != 0).astype("uint8") * 255)
    if image.mode in ("LA", "La", "1"):
        return image.convert("L")
    red, green, blue = image.convert("RGBA").convert("RGB").split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def is_wide(image: Image.Image) -> bool:
    """Whether the decoded pixels are 16-bit grey, which `as_image` scales."""
    return image.mode.startswith("I;16")


def is_mislabelled_colour(content: bytes) -> bool:
    """Whether a file is a TIFF that calls itself grey (BlackIsZero) but has three samples or more for each pixel.

    CVC-ClinicDB's are. OpenCV returns the first sample of such a file as grey.
    """
    if not content.startswith(_TIFF):
        return False
    import tifffile

    try:
        with _quiet(), tifffile.TiffFile(io.BytesIO(content)) as tiff:
            page: Any = tiff.pages[0]
            return bool(page.photometric == tifffile.PHOTOMETRIC.MINISBLACK and page.samplesperpixel >= 3)
    except Exception:
        return False


def _decode_tiff(content: bytes, path: Path) -> Image.Image:
    """A TIFF that Pillow refuses, such as one that calls itself grey but has three samples for each pixel."""
    import numpy as np
    import tifffile

    try:
        with _quiet(), tifffile.TiffFile(io.BytesIO(content)) as tiff:
            page: Any = tiff.pages[0]
            ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
            # tifffile fills what is missing with zeros.
            if not ends or max(ends) > len(content) or "BitsPerSample" not in page.tags:
                raise ValueError("image file is truncated")
            values = np.asarray(page.asarray())
            if page.axes.startswith("S"):
                values = np.moveaxis(values, 0, -1)
            if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
                values = np.moveaxis(page.colormap, 0, -1)[values]
            if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and values.dtype.kind in "bu":
                values = ~values
    except Exception as error:
        reason = f"a damaged TIFF ({_reason(error)})"
        raise AdaclipError(f"cannot decode {path}: {reason}: get a whole copy of it") from error
    if values.ndim not in (2, 3) or values.dtype.kind not in "bu" or values.dtype.itemsize > 2:
        raise AdaclipError(
            f"cannot use {path}: a TIFF of shape {values.shape} and type {values.dtype}: save it as 8-bit RGB or grey"
        )
    if values.ndim == 3:
        # Two samples are grey and something else; of four and more the first three are colours.
        values = values[..., :3] if values.shape[-1] >= 3 else values[..., 0]
    if values.dtype == bool:
        values = values.astype(np.uint8) * 255
    if values.dtype == np.uint16 and values.ndim == 3:
        values = _narrow(values)
    return Image.fromarray(np.ascontiguousarray(values))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep out of the way what Pillow warns and tifffile logs of a TIFF's tags: what matters becomes an error."""
    logger = logging.getLogger("tifffile")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _values(image: Image.Image) -> npt.NDArray[Any]:
    import numpy as np

    return np.asarray(image)


def _narrow(values: npt.NDArray[Any], up: bool = False) -> npt.NDArray[np.uint8]:
    """16-bit values as 8-bit ones, to the nearest or rounded up."""
    return ((values.astype("uint32") + (_WIDE - 1 if up else _WIDE // 2)) // _WIDE).astype("uint8")


def _reason(error: Exception) -> str:
    # Pillow names its in-memory stream; the path is what helps.
    text = " ".join(str(error).split(" <_io")[0].split())
    return text or type(error).__name__


def _what_else(content: bytes) -> str:
    """What bytes seem to be that no decoder knows."""
    start = content[:256].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, not an image"
    if start.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer, not the image itself"
    if not content[:256].strip(b"\0"):
        return "it begins with zeros and is no image"
    return "it is no image of a known format (PNG, JPEG, BMP, TIFF, WebP, GIF, PPM)"
