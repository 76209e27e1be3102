"""Image files: what is read, and that what is refused is refused for the reason that it has."""

from __future__ import annotations

import ast
import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import adaclip
from adaclip.data.decode import MOST_PIXELS, open_image, open_mask, size_of
from adaclip.data.layouts import read_original
from adaclip.data.prepare import Prepared, prepare
from adaclip.data.registry import dataset_for
from adaclip.errors import AdaclipError
from tests.raw import draw_image

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def prepared(tmp_path: Path) -> Prepared:
    return prepare(dataset_for("own", {}), tmp_path / "raw", tmp_path / "out", jobs=1)


def refused(path: Path) -> str:
    """The line with which a file is refused, whichever way it is asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AdaclipError) as caught:
            open_image(path)
    with pytest.raises(AdaclipError):
        open_mask(path)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    return text


def png(width: int, height: int, bits: int = 1, colour: int = 0) -> bytes:
    """A whole PNG of zeros, written without holding its pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer = zlib.compressobj(9)
    row = bytes(1 + (width * bits + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_picture_that_is_whole_but_too_large(tmp_path: Path) -> None:
    draw_image(tmp_path / "raw/good/000.png")
    path = tmp_path / "raw/bad/000.png"
    path.parent.mkdir()
    path.write_bytes(png(20_000, 10_000))
    with pytest.raises(AdaclipError, match=r"too large: 20000 x 10000 are 200\.0 megapixels, and the limit is 179\.0"):
        prepared(tmp_path)
    assert "whole copy" not in refused(path)
    with pytest.raises(AdaclipError, match="too large"):
        size_of(path)


def test_half_the_limit_needs_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(png(10_000, 9_100))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert size_of(path) == (10_000, 9_100)
        assert open_mask(path).size == (10_000, 9_100)
    assert Image.MAX_IMAGE_PIXELS is not None, "the limit of other programs stays"


def tiff(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.zeros((4, 4), np.uint8), photometric="minisblack")
    content = bytearray(stream.getvalue())
    (start,) = struct.unpack_from("<I", content, 4)
    for place in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", content, start)[0], 12):
        tag = struct.unpack_from("<H", content, place)[0]
        if tag in (256, 257):
            struct.pack_into("<HII", content, place + 2, 4, 1, width if tag == 256 else height)
    return bytes(content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tif", tiff(60_000, 60_000)),
        ("a.bmp", b"BM" + struct.pack("<IHHIIiiHH", 54, 0, 0, 54, 40, 60_000, 60_000, 1, 24) + bytes(24)),
        ("a.pgm", b"P5 60000 60000 255\n"),
        ("a.gif", b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0) + b"," + bytes(20)),
    ],
)
def test_headers_that_claim_too_much(tmp_path: Path, name: str, content: bytes) -> None:
    assert MOST_PIXELS < 60_000**2
    (tmp_path / name).write_bytes(content)
    assert "too large: 60000 x 60000" in refused(tmp_path / name)


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".jfif", "JPEG"),
        (".JFIF", "JPEG"),
        (".jpe", "JPEG"),
        (".jp2", "JPEG2000"),
        (".gif", "GIF"),
        (".ppm", "PPM"),
        (".pgm", "PPM"),
        (".pbm", "PPM"),
        (".webp", "WEBP"),
        (".bmp", "BMP"),
        (".tif", "TIFF"),
        (".TIFF", "TIFF"),
    ],
)
def test_suffixes_that_are_read(tmp_path: Path, suffix: str, kind: str) -> None:
    mode = {".pgm": "L", ".pbm": "1"}.get(suffix, "RGB")
    draw_image(tmp_path / "raw/good/000.png")
    draw_image(tmp_path / f"raw/bad/000{suffix}", mode=mode, kind=kind)
    found = prepared(tmp_path)
    assert sorted((row.label, Path(row.image).suffix) for row in found.rows) == [(0, ".png"), (1, suffix)]
    assert open_image(tmp_path / "out" / next(row.image for row in found.rows if row.label)).size == (12, 9)


@pytest.mark.parametrize("name", ["000.heic", "000.AVIF", "000.dcm", "000.tga", "000", "000.image", "000.png~"])
def test_pictures_that_are_not_read_are_the_reason(tmp_path: Path, name: str) -> None:
    draw_image(tmp_path / "raw/good/000.png")
    (tmp_path / "raw/bad").mkdir()
    (tmp_path / "raw/bad" / name).write_bytes((tmp_path / "raw/good/000.png").read_bytes())
    with pytest.raises(AdaclipError, match=rf"1 pictures are not read for their suffix, such as bad/{name} .*\.jfif"):
        prepared(tmp_path)
    # Beside one that is read it is still not passed over.
    draw_image(tmp_path / "raw/bad/1.png")
    with pytest.raises(AdaclipError, match="1 of 3 image files are not part of the set: 1 in bad"):
        prepared(tmp_path)


def test_other_files_are_no_pictures(tmp_path: Path) -> None:
    draw_image(tmp_path / "raw/good/000.png")
    draw_image(tmp_path / "raw/bad/000.png")
    for name in ("README", "Thumbs.db", "video.mp4", "labels.npy"):
        (tmp_path / "raw/bad" / name).write_bytes(b"\0\0\0\x20ftypisom and so on")
    assert len(prepared(tmp_path).rows) == 2


def test_grey_of_16_bits_in_a_pgm(tmp_path: Path) -> None:
    path = tmp_path / "scan.pgm"
    Image.fromarray(np.array([[0, 257, 65535]], dtype=np.uint16)).save(path)
    assert np.asarray(open_image(path)).tolist() == [[0, 1, 255]]
    assert np.asarray(open_mask(path)).tolist() == [[0, 1, 255]]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animations_and_stacks_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "moving.img"
    frames = [Image.fromarray(np.roll(PIXELS, 5 * step, axis=0)) for step in range(3)]
    frames[0].save(path, kind, save_all=True, append_images=frames[1:])
    assert "holds 3 pictures" in refused(path)


def test_a_picture_beside_a_smaller_copy_is_one(tmp_path: Path) -> None:
    first, small = Image.fromarray(PIXELS), Image.fromarray(PIXELS[::4, ::4])
    first.save(tmp_path / "pyramid.tif", save_all=True, append_images=[small])
    assert np.array_equal(np.asarray(open_image(tmp_path / "pyramid.tif")), PIXELS)
    first.save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[first])
    assert open_image(tmp_path / "phone.jpg").size == (30, 20)
    first.save(tmp_path / "still.gif")
    assert open_image(tmp_path / "still.gif").convert("RGB").size == (30, 20)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty (0 bytes)"),
        (b"\0\0\0\x1cftypheic\0\0\0\0mif1heic", "HEIC picture, which is not read: save it as PNG"),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1avif", "AVIF picture"),
        (bytes(128) + b"DICM", "DICOM"),
        (b"8BPS\0\1", "Photoshop"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\3\4", "zip archive"),
        (b"\x93NUMPY\1\0", "NumPy"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "XML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"<html><title>Sign in</title>", "web page"),
        (bytes(400), "zeros"),
        (b"a word", "no image of a known format"),
    ],
)
def test_a_suffix_that_lies_about_the_content(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "000.png"
    path.write_bytes(content)
    assert reason in refused(path)


@pytest.mark.parametrize(("images", "jobs"), [(9, 1), (40, 2)])
def test_all_files_that_cannot_be_used_are_named(tmp_path: Path, images: int, jobs: int) -> None:
    """Not the first only, which would have to be mended to hear of the second."""
    for number in range(images):
        draw_image(tmp_path / f"raw/{'good' if number % 2 else 'bad'}/{number}.png")
    for number in range(7):
        (tmp_path / f"raw/{'good' if number % 2 else 'bad'}/{number}.png").write_bytes(b"" if number % 3 else b"words")
    with pytest.raises(AdaclipError) as caught:
        prepare(dataset_for("own", {}), tmp_path / "raw", tmp_path / "out", jobs=jobs)
    text = str(caught.value)
    assert text.startswith(f"7 of {images} images cannot be used: ")
    assert text.endswith("; and 2 more")
    assert text.count(".png is empty") + text.count(".png: it is no image") == 5
    assert not (tmp_path / "out").exists()


def said_of(call: Callable[[Path], object], path: Path) -> str:
    """What refuses a file, or "" where it is read; anything but our own error ends the test."""
    try:
        call(path)
    except AdaclipError as error:
        return str(error)
    return ""


@given(data=st.data())
@settings(max_examples=50, deadline=None, derandomize=True)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "JPEG2000", "GIF", "PPM"])
def test_damage_of_any_kind_is_one_line(
    kind: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, kind)
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(content) - 1, 200)))
        content[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=4))
    path = tmp_path_factory.getbasetemp() / f"damaged.{kind}"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for call in (open_image, open_mask, size_of):
            assert "\n" not in said_of(call, path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "JPEG2000", "GIF", "PPM"])
def test_half_a_file_is_named_as_such(tmp_path: Path, kind: str) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(stream, kind)
    path = tmp_path / "000.png"
    path.write_bytes(stream.getvalue()[: len(stream.getvalue()) // 2])
    assert "get a whole copy" in refused(path)


def test_every_text_file_is_opened_as_utf_8() -> None:
    """Whatever the locale: its own encoding is Python's default."""
    package = Path(adaclip.__file__).parent
    found = [
        f"{path.relative_to(package)}:{call.lineno}"
        for path in package.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and _is_text(call) and not any(word.arg == "encoding" for word in call.keywords)
    ]
    assert found == []


def _is_text(call: ast.Call) -> bool:
    """Whether a call opens a text file: open(path), path.open(), path.read_text() and their like."""
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    alone = isinstance(call.func, ast.Name)
    if name in ("read_text", "write_text"):
        return not alone
    modes = call.args[1:] if alone else call.args
    module = getattr(getattr(call.func, "value", None), "id", "")
    if name != "open" or module == "tarfile" or (not alone and modes and not isinstance(modes[0], ast.Constant)):
        # Image.open(path), os.open(path, flags) and other such things.
        return False
    return not any(isinstance(mode, ast.Constant) and "b" in str(mode.value) for mode in modes)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are no files here")
@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_is_not_waited_for(tmp_path: Path, linked: bool) -> None:
    for name in ("good/0.png", "bad/0.png"):
        draw_image(tmp_path / "raw" / name)
    pipe = tmp_path / ("pipe" if linked else "raw/good/1.png")
    os.mkfifo(pipe)
    if linked:
        (tmp_path / "raw/good/1.png").symlink_to(pipe)
    with pytest.raises(AdaclipError, match=r"1\.png is no ordinary file"):
        read_original(tmp_path / "raw", dataset_for("own", {}))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_mask_of_no_number_marks_nothing_surely(tmp_path: Path, value: float) -> None:
    pixels = np.zeros((20, 30), dtype=np.float32)
    pixels[3:6, 4] = value
    tifffile.imwrite(tmp_path / "mask.tif", pixels)
    with pytest.raises(AdaclipError, match="NaN or infinite"):
        open_mask(tmp_path / "mask.tif")
