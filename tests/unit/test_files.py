"""Files that are whole or absent, whatever ends their writer."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from adaclip.errors import AdaclipError
from adaclip.system.files import check_writable, read_json, sha256_of, work_folder, write_json, write_text, write_whole


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_writes_whole_files_with_ordinary_permissions(tmp_path):
    path = tmp_path / "deep" / "er" / "x.txt"
    write_text(path, "Grüße\n")
    assert path.read_text(encoding="utf-8") == "Grüße\n"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    assert names(path.parent) == ["x.txt"]


def test_a_failure_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("old")

    def fail() -> None:
        with write_whole(path) as part:
            assert part.suffix == ".csv"
            assert part.parent == tmp_path
            part.write_text("half")
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["x.csv"]


KILLED = """
import os, signal, sys
from adaclip.system.files import work_folder, write_whole
with write_whole(sys.argv[1]) as part, work_folder(sys.argv[2]) as work:
    part.write_text("half")
    (work / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    path, folder = tmp_path / "x.json", tmp_path / "set"
    write_json(path, {"old": 1})
    assert run(KILLED, path, folder).returncode == -signal.SIGKILL
    assert read_json(path) == {"old": 1}
    assert not folder.exists()
    assert len(names(tmp_path)) == 3  # hidden leftovers of both
    write_json(path, {"new": 1})
    with work_folder(folder) as work:
        (work / "ready").mkdir()
        (work / "ready").rename(folder)
    assert names(tmp_path) == ["set", "x.json"]


def test_another_writer_of_the_same_file_is_left_alone(tmp_path):
    path = tmp_path / "x.json"
    with write_whole(path) as first:
        first.write_text("1")
        with write_whole(path) as second:
            assert second != first
            second.write_text("2")
        assert first.exists()
        (tmp_path / ".x.elsewhere.1-abc.json").touch()  # of another machine on a shared disk
    assert path.read_text() == "1"
    assert names(tmp_path) == [".x.elsewhere.1-abc.json", "x.json"]


FULL = """
import resource, signal, sys, torch
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
import adaclip
from adaclip.system.files import write_text
from adaclip.system.tensors import write_tensors
model = adaclip.AdaCLIP(adaclip.load_backbone("tiny", image_size=32))
folder = sys.argv[1]
for write in (
    lambda: write_text(folder + "/text.txt", "x" * 10000),
    lambda: write_tensors(folder + "/t.safetensors", {"x": torch.zeros(10000)}, {}),
    lambda: adaclip.save_checkpoint(model, folder + "/c.safetensors"),
    lambda: adaclip.save_checkpoint(model, folder + "/c.pth"),
):
    try:
        write()
    except adaclip.errors.AdaclipError as error:
        assert "\\n" not in str(error)
        print(error)
"""


def test_a_full_disk_is_one_clear_error(tmp_path):
    """The limit on a file's size stands in for it: a write fails half-way in the same manner."""
    result = run(FULL, tmp_path)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 4
    for line, name in zip(lines, ("text.txt", "t.safetensors", "c.safetensors", "c.pth"), strict=True):
        assert line.startswith(f"cannot write {tmp_path}/{name}: ")
    assert names(tmp_path) == []


def test_folders_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    for call in (
        lambda: write_text(tmp_path / "file" / "x", ""),
        lambda: work_folder(tmp_path / "file" / "x").__enter__(),
    ):
        with pytest.raises(AdaclipError, match="cannot write"):
            call()
    (tmp_path / "folder").mkdir()
    with pytest.raises(AdaclipError, match="cannot write"):
        write_text(tmp_path / "folder", "")
    assert names(tmp_path) == ["file", "folder"]


def test_json_in_full_precision(tmp_path):
    value = {"x": 0.1 + 0.2, "name": "Grüße", "none": None}
    write_json(tmp_path / "x.json", value)
    assert read_json(tmp_path / "x.json") == value
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "y.json", float("nan"))
    assert names(tmp_path) == ["x.json"]


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", None])
def test_json_that_cannot_be_read(tmp_path, content):
    if content is not None:
        (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(AdaclipError, match=r"x\.json") as caught:
        read_json(tmp_path / "x.json")
    assert "\n" not in str(caught.value)


def test_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_of(tmp_path / "x").startswith("ba7816bf8f01cfea")


def test_what_cannot_be_written_is_known_before(tmp_path):
    check_writable(tmp_path / "new" / "er" / "x.json", "relative.json")
    assert names(tmp_path) == []
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path, words in (
        (tmp_path / "file" / "a" / "x", "file is not a folder"),
        (tmp_path / "folder", "it is a folder"),
    ):
        with pytest.raises(AdaclipError, match=f"cannot write {path}: .*{words}"):
            check_writable(path)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_known_before(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(AdaclipError, match="is not writable"):
        check_writable(tmp_path / "x")
