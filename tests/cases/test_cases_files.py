"""Image files: what is read, and that what is refused is refused for the reason that it has."""

from __future__ import annotations

import ast
import io
import os
import re
import struct
import subprocess
import sys
import tarfile
import warnings
import zipfile
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


LATIN = os.fsdecode("Größe".encode("latin-1"))


@pytest.mark.parametrize(
    ("place", "used"),
    [
        ("good/{}.png", True),
        ("good/{}.txt", False),
        ("{}.csv", False),
        ("{}/1.txt", False),
        ("nut/test/{}/1.png", True),
        ("nut/test/good/{}.png", True),
        ("{}/test/good/1.png", True),
    ],
)
def test_names_on_disk_in_another_encoding(tmp_path: Path, place: str, used: bool) -> None:
    """Refused or passed by, in a process of its own: a traceback may come from printing alone."""
    top = "" if not used or place.startswith("good") else place.split("/")[0].format(LATIN) + "/test/"
    draw_image(tmp_path / "raw" / top / "good/a.png")
    draw_image(tmp_path / "raw" / top / "bad/b.png")
    path = tmp_path / "raw" / place.format(LATIN)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((tmp_path / "raw" / top / "good/a.png").read_bytes() if used else b"")
    for locale in ({}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}):
        result = command(tmp_path / "raw", tmp_path / "out", locale)
        assert "Traceback" not in result.stderr
        assert result.returncode == int(used)
        if used:
            assert len(result.stderr.strip().splitlines()) == 1
            assert "Gr\\xf6\\xdfe" in result.stderr
        else:
            assert (tmp_path / "out/manifest.csv").read_bytes().decode()


def command(raw: Path, out: Path, locale: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "adaclip.cli", "data", "prepare", "own", "--raw", raw, "--out", out, "--jobs", "1"],
        env={**os.environ, **locale},
        capture_output=True,
        encoding="utf-8",
    )


def test_a_name_that_an_image_would_bring_into_the_manifest(tmp_path: Path) -> None:
    draw_image(tmp_path / "raw/good/a.png")
    draw_image(tmp_path / "raw/bad" / f"{LATIN}.png")
    with pytest.raises(AdaclipError, match=r"the name of b'bad/Gr\\xf6\\xdfe\.png' in .* is not in UTF-8: rename it"):
        prepared(tmp_path)


def test_a_name_with_the_end_of_a_line(tmp_path: Path) -> None:
    draw_image(tmp_path / "raw/good/a.png")
    (tmp_path / "raw/bad").mkdir()
    (tmp_path / "raw/bad/b\nc\r.png").write_bytes(b"")
    result = command(tmp_path / "raw", tmp_path / "out", {})
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "bad/b\\nc\\r.png is empty" in result.stderr


def test_the_locale_changes_no_name(tmp_path: Path) -> None:
    draw_image(tmp_path / "raw/good/größe.png")
    draw_image(tmp_path / "raw/bad/b.png")
    bytes_of = []
    for number, locale in enumerate(({}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"})):
        result = command(tmp_path / "raw", tmp_path / f"out{number}", locale)
        assert (result.returncode, result.stderr.count("Traceback")) == (0, 0)
        bytes_of.append((tmp_path / f"out{number}/manifest.csv").read_bytes())
    assert bytes_of[0] == bytes_of[1]
    assert "größe.png" in bytes_of[0].decode()


# Archives


def zip_of(path: Path, members: dict[bytes, bytes]) -> Path:
    """A zip whose names are these bytes; Python writes others than ASCII in UTF-8 only, so letters stand for them."""
    made = {name: re.sub(rb"[^\x20-\x7e]", b"Q", name).decode() for name in members}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(made[name]), content)
    content = path.read_bytes()
    for name, letters in made.items():
        content = content.replace(letters.encode(), name)
    path.write_bytes(content)
    return path


def nut(encoding: str = "utf-8", separator: str = "/", name: str = "nut") -> dict[bytes, bytes]:
    """A set in MVTec's folders, by names of members."""
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "PNG")
    mask = io.BytesIO()
    Image.fromarray(PIXELS[..., 0]).save(mask, "PNG")
    files = {f"{name}/test/good/{i}.png": stream.getvalue() for i in range(2)}
    files |= {f"{name}/test/bent/0.png": stream.getvalue(), f"{name}/ground_truth/bent/0_mask.png": mask.getvalue()}
    return {path.replace("/", separator).encode(encoding): content for path, content in files.items()}


def from_archive(archive: Path) -> Prepared:
    return prepare(dataset_for("own", {}), archive, archive.with_name("out"), jobs=1)


def test_a_zip_with_backslashes(tmp_path: Path) -> None:
    result = from_archive(zip_of(tmp_path / "a.zip", {b"data\\": b""} | nut(separator="\\", name="data/nut")))
    assert [(row.category, row.label, bool(row.mask)) for row in result.rows] == [
        ("nut", 1, True),
        ("nut", 0, False),
        ("nut", 0, False),
    ]


@pytest.mark.parametrize(
    "name",
    [b"..\\evil.png", b"a\\..\\..\\evil.png", b"C:\\evil.png", b"C:evil.png", b"\\evil.png", b"\\\\server\\x\\e"],
)
def test_backslashes_are_checked_like_slashes(tmp_path: Path, name: bytes) -> None:
    with pytest.raises(AdaclipError, match="lies outside the folder"):
        from_archive(zip_of(tmp_path / "a.zip", nut() | {name: b"1"}))
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize(
    ("content", "kind"), [(b"Rar!\x1a\7\1\0", "rar"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\x04\x22\x4d\x18", "lz4")]
)
def test_archives_that_are_not_read_are_called_so(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "a.zip").write_bytes(content + bytes(600))
    with pytest.raises(AdaclipError, match=rf"a\.zip is a {kind} archive, which is not read: unpack it"):
        from_archive(tmp_path / "a.zip")


def test_two_members_that_become_one(tmp_path: Path) -> None:
    name = b"nut\\test\\good\\0.png"
    same = nut()[b"nut/test/good/0.png"]
    assert len(from_archive(zip_of(tmp_path / "a.zip", nut() | {name: same})).rows) == 3
    with pytest.raises(AdaclipError, match=r"two files called '0\.png' in one folder, and they differ"):
        from_archive(zip_of(tmp_path / "b.zip", nut() | {name: same + b"x"}))


def test_names_in_utf_8_without_the_flag(tmp_path: Path) -> None:
    """As zip on Linux and macOS wrote them for years."""
    result = from_archive(zip_of(tmp_path / "a.zip", nut(name="größe")))
    assert {row.category for row in result.rows} == {"größe"}


@pytest.mark.parametrize(("encoding", "name"), [("cp437", "größe"), ("cp932", "検査"), ("latin-1", "größe")])
def test_names_in_an_encoding_that_nothing_states(tmp_path: Path, encoding: str, name: str) -> None:
    archive = zip_of(tmp_path / "a.zip", nut(encoding, name=name))
    with pytest.raises(AdaclipError, match=r"a\.zip is not unpacked: the name of its member b'.*' is not in UTF-8"):
        from_archive(archive)


@pytest.mark.parametrize("encoding", ["latin-1", "cp932"])
@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
def test_a_tar_in_another_encoding(tmp_path: Path, encoding: str, kind: int) -> None:
    name = "größe" if encoding == "latin-1" else "検査"
    for code, out in ((encoding, "is not in UTF-8"), ("utf-8", "")):
        with tarfile.open(tmp_path / "a.tar", "w", format=kind, encoding=code) as tar:
            for member, content in nut(name=name).items():
                entry = tarfile.TarInfo(member.decode())
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        if out:
            with pytest.raises(AdaclipError, match=out):
                from_archive(tmp_path / "a.tar")
        else:
            assert {row.category for row in from_archive(tmp_path / "a.tar").rows} == {name}
