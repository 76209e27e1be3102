"""Image files as pixels: the one place where files are decoded, whatever their names say they are.

Pillow decodes; `tifffile` reads the TIFFs that Pillow refuses, in the colours that their samples hold. Pixels come as
they are stored: an EXIF orientation is not applied, because published masks fit the stored pixels.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Named so that Pillow need not load all its plugins to find these three.
from PIL import Image, ImageChops, Jpeg2KImagePlugin, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

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
    Jpeg2KImagePlugin.Jpeg2KImageFile.format,
    "GIF",
    "PPM",
)
#: Names of files that hold images.
SUFFIXES = frozenset(".png .jpg .jpeg .jpe .jfif .bmp .dib .tif .tiff .webp .jp2 .j2k .gif .ppm .pgm .pbm .pnm".split())
#: Names of files that hold pictures too, which nothing here reads: they are named, never passed over.
UNREAD = frozenset(
    ".heic .heif .avif .jxl .dcm .dicom .nii .mha .nrrd .psd .tga .exr .pfm .pcx .qoi .dng .cr2 .cr3 .nef .arw".split()
)
#: An image of more pixels is refused: what it takes to decode it nobody may have. Pillow's own limit.
MOST_PIXELS = 178_956_970

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
#: One 16-bit value stands for this many 8-bit ones: 65535 = 255 * 257.
_WIDE = 257


def open_image(path: str | Path, sha256: str = "") -> Image.Image:
    """Decode an image.

    16-bit grey is scaled from 0..65535 to 0..255 whatever values occur, so that brightness stays comparable between
    images. Transparency is dropped: the colours beneath it count.

    Args:
        path: a PNG, JPEG, JPEG 2000, BMP, TIFF, WebP, GIF or PPM file under any name. Smaller pictures beside the
            first, such as a thumbnail, do not count.
        sha256: as for `read`.

    Returns:
        An image, fully loaded, whose `convert("RGB")` loses nothing: mode L, RGB or another 8-bit colour mode.

    Raises:
        AdaclipError: missing, empty, damaged, no image, too large, of several frames, or with 32-bit or fractional
            values, whose range nobody knows.

    Example:
        >>> Image.new("RGBA", (512, 256)).save("scan.jpg", format="PNG")  # a wrong extension does not matter
        >>> open_image("scan.jpg").convert("RGB").size
        (512, 256)
    """
    path = Path(path)
    return as_image(decode(read(path, sha256), path), path)


def open_mask(path: str | Path, sha256: str = "") -> Image.Image:
    """Decode a mask.

    The brightest colour counts, as a viewer shows it (so of a palette the colours, not the numbers); transparency is
    dropped. 16-bit values are scaled to 0..255, rounded up; 32-bit ones are 0 or 255. So what is not zero stays so.

    Args:
        path: as for `open_image`.
        sha256: as for `read`.

    Returns:
        Mode L, fully loaded.

    Raises:
        AdaclipError: missing, empty, damaged or no image.
    """
    path = Path(path)
    return as_mask(decode(read(path, sha256), path), path)


def size_of(path: str | Path) -> tuple[int, int]:
    """Width and height in pixels, from the file's header where Pillow can read it.

    Raises:
        AdaclipError: as for `open_image`.
    """
    path = Path(path)
    try:
        with _own_limit(), _quiet(), Image.open(path, formats=FORMATS) as image:
            _check_size(*image.size, path)
            return image.size
    except AdaclipError:
        raise
    except Exception:
        return decode(read(path), path).size


def read(path: Path, sha256: str = "") -> bytes:
    """The bytes of a file that should hold an image.

    Args:
        path: the file.
        sha256: what the manifest says of its content, or "" when nothing is known; not asked when the environment
            has ADACLIP_VERIFY=0.

    Raises:
        AdaclipError: missing, unreadable, empty, or not what the manifest says.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise AdaclipError(f"no such image: {path}") from None
    except OSError as error:
        raise AdaclipError(f"cannot read {path}: {error.strerror or error}") from error
    if not content:
        raise AdaclipError(f"{path} is empty (0 bytes): get a whole copy of it")
    if sha256 and os.environ.get("ADACLIP_VERIFY") != "0" and hashlib.sha256(content).hexdigest() != sha256:
        raise AdaclipError(
            f"{path} is damaged: it is no longer what was prepared (its SHA-256 is not the manifest's): "
            "prepare the set again"
        )
    return content


def decode(content: bytes, path: Path) -> Image.Image:
    """Decode the bytes of a file to an image of any mode, fully loaded.

    Args:
        content: the bytes.
        path: where they come from, for errors.

    Raises:
        AdaclipError: damaged, no image, too large, or several pictures in one file.
    """
    tiff = content.startswith(_TIFF)
    try:
        with _own_limit(), _quiet():
            image = Image.open(io.BytesIO(content), formats=FORMATS)
            _check_size(*image.size, path)
            _check_frames(image, path)
            image.load()
    except AdaclipError:
        raise
    except MemoryError as error:
        raise AdaclipError(f"cannot decode {path}: there is not enough memory for its pixels") from error
    # Damage makes decoders raise nearly anything.
    except Exception as error:
        if tiff:
            return _decode_tiff(content, path)
        if isinstance(error, UnidentifiedImageError):
            raise AdaclipError(f"cannot decode {path}: {_what_else(content)}") from error
        raise AdaclipError(f"cannot decode {path}: {_reason(error)}: get a whole copy of it") from error
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _in_wide_planes(image):
        # Pillow 13 returns wrong pixels for these, without a word.
        return _decode_tiff(content, path)
    if image.format == "PPM" and image.mode == "I":
        # Pillow has brought grey of more than 8 bits to 0..65535.
        return Image.fromarray(_values(image).astype("uint16"))
    return image


@contextlib.contextmanager
def _own_limit() -> Iterator[None]:
    """Open images whatever Pillow's own limit, which warns from the half of it on and does not name the size."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _check_size(width: int, height: int, path: Path) -> None:
    """Refuse before decoding what would fill the memory."""
    if width * height > MOST_PIXELS:
        raise AdaclipError(
            f"{path} is too large: {width} x {height} are {width * height / 1e6:.1f} megapixels, and the limit is "
            f"{MOST_PIXELS / 1e6:.1f}: scale it down, or cut it into parts"
        )


def _check_frames(image: Image.Image, path: Path) -> None:
    """Refuse an animation or a stack of pages: which picture is meant nobody can know.

    What a camera stores beside its picture (MPO), and smaller copies of it in a TIFF, do not count.
    """
    frames = getattr(image, "n_frames", 1)
    if frames == 1 or image.format == "MPO":
        return
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        size = image.size
        alike = 0
        for number in range(frames):
            image.seek(number)
            alike += image.size == size
        image.seek(0)
        frames = alike
    if frames > 1:
        raise AdaclipError(f"{path} holds {frames} pictures (frames or pages): save the one that is meant by itself")


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


def as_mask(image: Image.Image, path: Path) -> Image.Image:
    """What `open_mask` makes of decoded pixels.

    Raises:
        AdaclipError: a pixel is not a finite number, so that nobody can say whether it is marked.
    """
    if image.mode == "L":
        return image
    if image.mode.startswith("I;16"):
        return Image.fromarray(_narrow(_values(image), up=True))
    if image.mode in ("I", "F"):
        import numpy as np

        if not np.isfinite(_values(image)).all():
            raise AdaclipError(f"mask {path} holds pixels that are NaN or infinite: write it with 0 and 255")
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
            _check_size(int(page.imagewidth), int(page.imagelength), path)
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
    except AdaclipError:
        raise
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
    """Keep out of the way what Pillow and tifffile warn and log of a file's tags: what matters becomes an error."""
    loggers = [logging.getLogger(name) for name in ("tifffile", "PIL")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
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


#: How other files begin: at which byte, with what, and what they are.
_OTHERS = (
    (4, b"ftypavif", "it is an AVIF picture, which is not read: save it as PNG"),
    (4, b"ftyphei", "it is a HEIC picture, which is not read: save it as PNG or JPEG"),
    (4, b"ftypmif1", "it is a HEIC picture, which is not read: save it as PNG or JPEG"),
    (128, b"DICM", "it is a DICOM file, which is not read: save its picture as PNG"),
    (0, b"8BPS", "it is a Photoshop file, which is not read: save it as PNG"),
    (0, b"%PDF", "it is a PDF, not an image"),
    (0, b"PK\x03\x04", "it is a zip archive, not an image"),
    (0, b"\x93NUMPY", "it is a NumPy array, which is not read: save it as PNG"),
)


def _what_else(content: bytes) -> str:
    """What bytes seem to be that no decoder knows, and what to do."""
    for at, beginning, what in _OTHERS:
        if content.startswith(beginning, at):
            return what
    start = content[:256].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page, not an image: get the image itself"
    if start.startswith((b"<svg", b"<?xml")):
        return "it is a drawing or a text in XML, which is not read: save it as PNG"
    if start.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer, not the image itself: run git lfs pull"
    if not content[:256].strip(b"\0"):
        return "it begins with zeros and is no image: get a whole copy of it"
    return "it is no image of a known format (PNG, JPEG, JPEG 2000, BMP, TIFF, WebP, GIF, PPM): get a whole copy of it"


def like_a_mask(image: Image.Image) -> bool:
    """Whether an image is black and one other grey, and nothing else, as masks are."""
    if image.mode not in ("1", "L", "P", "RGB", "RGBA", "LA"):
        return False
    # Pillow gives up as soon as there is a third colour.
    colours = image.convert("RGB").getcolors(2) if image.mode in ("P", "LA", "RGBA") else image.getcolors(2)
    if colours is None or len(colours) != 2:
        return False
    values = [colour if isinstance(colour, tuple) else (colour,) for _, colour in colours]
    return any(not any(value) for value in values) and all(len(set(value)) == 1 for value in values)
