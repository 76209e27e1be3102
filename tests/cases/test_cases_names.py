"""Names of files, on disk and in archives: read as they are or refused, never guessed."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adaclip.data.prepare import Prepared, prepare
from adaclip.data.registry import dataset_for
from adaclip.errors import AdaclipError
from tests.raw import draw_image

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def prepared(tmp_path: Path) -> Prepared:
    return prepare(dataset_for("own", {}), tmp_path / "raw", tmp_path / "out", jobs=1)


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
