"""Every kind of odd file that real sets hold, each made here."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from adaclip.data import decode
from adaclip.data.decode import open_image, open_mask, size_of
from adaclip.errors import AdaclipError

Pixels = npt.NDArray[Any]


@pytest.fixture
def colour() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def mislabelled_tiff(pixels: Pixels, compression: str | None = None) -> bytes:
    """RGB samples whose tag says grey (BlackIsZero), without ExtraSamples: CVC-ClinicDB's kind."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "TIFF", compression=compression)
    content = bytearray(stream.getvalue())
    (start,) = struct.unpack_from("<I", content, 4)
    (tags,) = struct.unpack_from("<H", content, start)
    for place in range(start + 2, start + 2 + 12 * tags, 12):
        if struct.unpack_from("<H", content, place)[0] == 262:
            struct.pack_into("<H", content, place + 8, 1)
    return bytes(content)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_mislabelled_tiff_is_read_in_true_colour(tmp_path: Path, colour: Pixels, compression: str | None) -> None:
    path = tmp_path / "1.tif"
    path.write_bytes(mislabelled_tiff(colour, compression))
    with pytest.raises(Image.UnidentifiedImageError):
        Image.open(path)
    assert np.array_equal(np.asarray(open_image(path).convert("RGB")), colour)
    assert size_of(path) == (30, 20)
    assert decode.is_mislabelled_colour(path.read_bytes())


def test_only_mislabelled_colour_is_called_so(tmp_path: Path, colour: Pixels) -> None:
    stream = io.BytesIO()
    Image.fromarray(colour).save(stream, "TIFF")
    assert not decode.is_mislabelled_colour(stream.getvalue())
    stream = io.BytesIO()
    Image.fromarray(colour[..., 0]).save(stream, "TIFF")
    assert not decode.is_mislabelled_colour(stream.getvalue())
    assert not decode.is_mislabelled_colour(b"II*\0 and nothing more")


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("part", [0.999, 0.5, 0.02])
def test_truncated_tiff(tmp_path: Path, colour: Pixels, compression: str | None, part: float) -> None:
    path = tmp_path / "1.tif"
    content = mislabelled_tiff(colour, compression)
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(AdaclipError, match=r"1\.tif"):
        open_image(path)


def test_16_bit_colour_in_planes(tmp_path: Path, colour: Pixels) -> None:
    path = tmp_path / "planes.tif"
    tifffile.imwrite(
        path, np.moveaxis(colour.astype(np.uint16) * 257, -1, 0), photometric="rgb", planarconfig="separate"
    )
    assert np.array_equal(np.asarray(open_image(path).convert("RGB")), colour)


def test_white_is_zero(tmp_path: Path, colour: Pixels) -> None:
    path = tmp_path / "inverted.tif"
    tifffile.imwrite(path, colour[..., 0], photometric="miniswhite")
    assert np.array_equal(np.asarray(open_image(path)), 255 - colour[..., 0])


def test_fractions_have_no_known_range(tmp_path: Path, colour: Pixels) -> None:
    for kind in (np.float32, np.float64):
        tifffile.imwrite(tmp_path / "float.tif", colour[..., 0].astype(kind))
        with pytest.raises(AdaclipError, match="cannot use"):
            open_image(tmp_path / "float.tif")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_is_scaled_by_its_full_range(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"scan.{suffix}"
    values = np.array([[0, 128, 129, 257, 32767, 65278, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(path)
    assert np.asarray(open_image(path).convert("RGB"))[0, :, 0].tolist() == [0, 0, 1, 1, 127, 254, 255]


def test_16_bit_big_endian(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, np.array([[0, 257, 65535]], dtype=np.uint16), byteorder=">")
    assert np.asarray(open_image(path)).tolist() == [[0, 1, 255]]


def test_16_bit_mask_keeps_what_is_not_zero_and_the_half(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    values = np.array([[0, 1, 127 * 257, 127 * 257 + 1, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(path)
    assert np.asarray(open_mask(path)).tolist() == [[0, 1, 127, 128, 255]]


def test_32_bit_values(tmp_path: Path) -> None:
    path = tmp_path / "labels.tif"
    Image.fromarray(np.array([[0, 1, 70000]], dtype=np.int32)).save(path)
    assert np.asarray(open_mask(path)).tolist() == [[0, 255, 255]]
    with pytest.raises(AdaclipError, match="unknown range"):
        open_image(path)


def test_transparency_is_dropped_and_colours_stay(tmp_path: Path, colour: Pixels) -> None:
    alpha = np.zeros((20, 30, 1), np.uint8)
    Image.fromarray(np.concatenate([colour, alpha], axis=-1)).save(tmp_path / "rgba.png")
    Image.fromarray(np.concatenate([colour[..., :1], alpha], axis=-1)).save(tmp_path / "la.png")
    assert np.array_equal(np.asarray(open_image(tmp_path / "rgba.png").convert("RGB")), colour)
    assert np.array_equal(np.asarray(open_image(tmp_path / "la.png").convert("RGB")), colour[..., [0, 0, 0]])


def test_palette_with_transparency_needs_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "palette.png"
    image = Image.new("P", (3, 1))
    image.putpalette([0, 0, 0, 200, 10, 20, 7, 80, 9])
    image.putdata([0, 1, 2])
    image.save(path, transparency=bytes([0, 128, 255]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = np.asarray(open_image(path).convert("RGB"))
        mask = np.asarray(open_mask(path))
    assert found.tolist() == [[[0, 0, 0], [200, 10, 20], [7, 80, 9]]]
    # Of a mask the brightest colour counts, not the number in the palette.
    assert mask.tolist() == [[0, 200, 80]]


def test_mask_of_any_mode(tmp_path: Path) -> None:
    Image.fromarray(np.array([[False, True]])).save(tmp_path / "bits.png")
    assert np.asarray(open_mask(tmp_path / "bits.png")).tolist() == [[0, 255]]
    # Blue that a conversion to luminance would round to zero.
    Image.fromarray(np.array([[[0, 0, 0], [0, 0, 1]]], dtype=np.uint8)).save(tmp_path / "blue.png")
    assert np.asarray(open_mask(tmp_path / "blue.png")).tolist() == [[0, 1]]
    Image.fromarray(np.array([[[0, 255], [9, 0]]], dtype=np.uint8)).save(tmp_path / "la.png")
    assert np.asarray(open_mask(tmp_path / "la.png")).tolist() == [[0, 9]]
    Image.fromarray(np.array([[0, 3]], dtype=np.uint8)).save(tmp_path / "labels.png")
    assert np.asarray(open_mask(tmp_path / "labels.png")).tolist() == [[0, 3]]


def test_content_decides_not_the_name(tmp_path: Path, colour: Pixels) -> None:
    path = tmp_path / "Y 1.jpg"
    Image.fromarray(colour).save(path, format="PNG")
    assert np.array_equal(np.asarray(open_image(path)), colour)
    assert size_of(path) == (30, 20)


def test_orientation_is_not_applied(tmp_path: Path, colour: Pixels) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(colour).save(path, exif=exif)
    assert open_image(path).size == (30, 20)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif"])
def test_truncated(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(AdaclipError, match=rf"cannot decode .*image\.{suffix}: .*truncated") as caught:
        open_image(path)
    assert "BytesIO" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\n<!DOCTYPE html><html>quota</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (bytes(5000), "zeros"),
        (b"just words", "no image of a known format"),
        # Pillow would hand this to Ghostscript.
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "no image of a known format"),
        (b"\x89PNG\r\n\x1a\n", "cannot decode"),
    ],
)
def test_what_is_no_image(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(content)
    for call in (open_image, open_mask, size_of):
        with pytest.raises(AdaclipError, match=reason):
            call(path)


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(AdaclipError, match="no such image"):
        open_image(tmp_path / "none.png")
    with pytest.raises(AdaclipError, match="cannot read"):
        open_image(tmp_path)


def test_needs_no_torch() -> None:
    code = "import sys, adaclip.data.decode, adaclip.data.prepare; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
