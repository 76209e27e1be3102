"""Fetching and this machine: full and read-only disks, the user's own files, licences, a mirror in a folder."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from adaclip.data.fetch import fetch, loopback
from adaclip.data.fetch.http import Request, download
from adaclip.data.fetch.network import session_for
from adaclip.data.fetched import FETCHED, NOTE, digest_of, state
from adaclip.data.registry import dataset_for
from adaclip.data.sources import File
from adaclip.errors import AdaclipError, UsageError
from tests.servers import Page, Site, site
from tests.unit.test_fetch import (
    CONTENT,
    NETWORK,
    SHA256,
    a_set,
    archive,
    check_whole,
    command,
    fault_of,
    get,
    http,
    names,
)


@pytest.fixture
def web() -> Iterator[Site]:
    with site() as found:
        found.pages["/nuts.zip"] = Page(CONTENT)
        yield found


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 KiB."""
    yield from _mounted(tmp_path / "disk", "size=128k")


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    yield from _mounted(tmp_path / "disk", "ro")


def _mounted(place: Path, options: str) -> Iterator[Path]:
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_is_too_small_is_seen_before_the_first_byte(web: Site, small_disk: Path) -> None:
    dataset = a_set(http(f"{web.url}/nuts.zip"), http(f"{web.url}/other.zip"))
    text = fault_of(dataset, small_disk)
    assert "has room for" in text
    assert "nuts.zip are to come: make room" in text
    assert len(web.asked) == 1, "another source would not fit either"
    _make_room(small_disk)
    get(dataset, small_disk)
    check_whole(small_disk)


def test_a_disk_that_fills_up(web: Site, small_disk: Path) -> None:
    web.pages["/nuts.zip"].length = False
    dataset = a_set(http(f"{web.url}/nuts.zip"))
    text = fault_of(dataset, small_disk)
    assert "No space left on device; what is there is kept" in text
    here = (small_disk / "raw/nuts/nuts.zip.part").stat().st_size
    assert here > 0
    _make_room(small_disk)
    get(dataset, small_disk)
    check_whole(small_disk)
    assert web.ranges() == [None, f"bytes={here}-"]


def _make_room(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=2M", str(disk)], check=True)


def test_a_limit_on_the_size_of_files(web: Site, tmp_path: Path) -> None:
    """What a quota does, for those who cannot mount a disk."""
    entry = {"sources": [http(f"{web.url}/nuts.zip")]}
    done = subprocess.run(
        command(tmp_path, entry),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("adaclip: error: cannot write")
    assert "File too large; what is there is kept" in done.stderr
    assert "Traceback" not in done.stderr
    get(a_set(http(f"{web.url}/nuts.zip")), tmp_path)
    check_whole(tmp_path)
    assert web.ranges() == [None, "bytes=100000-"]


def test_a_read_only_disk(web: Site, read_only_disk: Path) -> None:
    text = fault_of(a_set(http(f"{web.url}/nuts.zip")), read_only_disk)
    assert "Read-only file system" in text
    subprocess.run(["mount", "-o", "remount,rw", str(read_only_disk)], check=True)
    get(a_set(http(f"{web.url}/nuts.zip")), read_only_disk)
    check_whole(read_only_disk)


def test_a_file_in_the_place_of_the_folder(web: Site, tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("a file")
    assert "cannot write into" in fault_of(a_set(http(f"{web.url}/nuts.zip")), tmp_path)
    (tmp_path / "raw").unlink()
    get(a_set(http(f"{web.url}/nuts.zip")), tmp_path)
    check_whole(tmp_path)


def test_a_user_s_folder_is_used_and_left_alone(web: Site, tmp_path: Path) -> None:
    image = tmp_path / "raw/nuts/good/1.png"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"mine")
    assert get(a_set(http(f"{web.url}/nuts.zip")), tmp_path).kind == "own"
    assert names(tmp_path) == ["raw/nuts/good/1.png"]
    assert web.asked == []


def test_a_user_s_archive_of_another_name_is_used(web: Site, tmp_path: Path) -> None:
    (tmp_path / "raw/nuts").mkdir(parents=True)
    (tmp_path / "raw/nuts/all my nuts.zip").write_bytes(archive(9))
    assert get(a_set(http(f"{web.url}/nuts.zip")), tmp_path).kind == "own"
    assert web.asked == []


def test_a_user_s_archive_of_the_right_name_and_content_is_used(web: Site, tmp_path: Path) -> None:
    (tmp_path / "raw/nuts").mkdir(parents=True)
    (tmp_path / "raw/nuts/nuts.zip").write_bytes(CONTENT)
    dead = http("http://127.0.0.1:9/first.zip", name="first.zip", sha256="0" * 64)
    done = get(a_set(dead, http(f"{web.url}/nuts.zip")), tmp_path)
    assert (done.fetched, web.asked) == (0, [])
    check_whole(tmp_path)


def test_a_user_s_archive_with_another_content_is_never_overwritten(web: Site, tmp_path: Path) -> None:
    (tmp_path / "raw/nuts").mkdir(parents=True)
    (tmp_path / "raw/nuts/nuts.zip").write_bytes(archive(9))
    text = fault_of(a_set(http(f"{web.url}/nuts.zip")), tmp_path)
    assert "remove it to fetch it, or unpack it there" in text
    assert (tmp_path / "raw/nuts/nuts.zip").read_bytes() == archive(9)
    assert web.asked == []


def test_what_was_fetched_gives_way_to_a_new_version(web: Site, tmp_path: Path) -> None:
    get(a_set(http(f"{web.url}/nuts.zip")), tmp_path)
    web.pages["/nuts.zip"] = Page(archive(1))
    get(a_set(http(f"{web.url}/nuts.zip", sha256=hashlib.sha256(archive(1)).hexdigest())), tmp_path)
    check_whole(tmp_path, archive(1))


def test_a_set_whose_place_is_given_is_not_fetched(web: Site, tmp_path: Path) -> None:
    own = tmp_path / "elsewhere"
    text = fault_of(a_set(http(f"{web.url}/nuts.zip"), raw=str(own)), tmp_path)
    assert f"no such file or folder: {own}" in text
    own.mkdir()
    assert get(a_set(http(f"{web.url}/nuts.zip"), raw=str(own)), tmp_path).kind == "own"
    assert web.asked == []


def test_a_set_without_sources_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no sources: put it into"):
        get(dataset_for("nuts"), tmp_path)


def test_a_licence_is_shown_and_accepted_before_the_first_byte(web: Site, tmp_path: Path) -> None:
    terms = {"licence": "CC BY-NC-SA 4.0", "licence_url": "https://cc.example/nc", "accept": True, "title": "Nuts"}
    dataset = a_set(http(f"{web.url}/nuts.zip"), **terms)
    text = fault_of(dataset, tmp_path)
    assert "Nuts: CC BY-NC-SA 4.0 (https://cc.example/nc)" in text
    assert "licences: {accept: [nuts]}" in text
    assert web.asked == []
    told: list[str] = []
    get(dataset, tmp_path, accepted=True, told=told)
    check_whole(tmp_path)
    assert told[0] == "terms of Nuts: CC BY-NC-SA 4.0 (https://cc.example/nc)"
    # What is here has been accepted before.
    get(dataset, tmp_path)


def mirror(folder: Path, content: bytes = CONTENT, sums: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "nuts.zip").write_bytes(content)
    if sums:
        (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(content).hexdigest()}  nuts.zip\n")
    return folder


def test_a_mirror_in_a_folder_is_asked_and_nothing_else(web: Site, tmp_path: Path) -> None:
    dataset = a_set(http(f"{web.url}/nuts.zip"), accept=True)
    lab = mirror(tmp_path / "lab")
    done = get(dataset, tmp_path / "here", mirror=str(lab))
    assert done.kind == "mirror"
    assert done.archives[0].url == f"{lab}/nuts.zip"
    check_whole(tmp_path / "here")
    assert web.asked == []


def test_a_mirror_is_asked_for_the_first_source_s_files_first_and_once_for_each(tmp_path: Path) -> None:
    lab = mirror(tmp_path / "lab")
    (lab / "other.zip").write_bytes(archive(5))
    nowhere = "https://nowhere.invalid"
    other = http(f"{nowhere}/other.zip", "other.zip", None)
    first = get(a_set(http(f"{nowhere}/nuts.zip"), other), tmp_path / "here", mirror=str(lab))
    assert [file.name for file in first.archives] == ["nuts.zip"]
    (lab / "nuts.zip").unlink()
    twice = [http(f"{nowhere}/a/nuts.zip"), http(f"{nowhere}/b/nuts.zip")]
    assert fault_of(a_set(*twice), tmp_path / "there", mirror=str(lab)).count("HTTP status 404") == 1


def test_a_mirror_is_held_to_the_publisher_s_checksum(tmp_path: Path) -> None:
    lab = mirror(tmp_path / "lab", archive(5))
    text = fault_of(a_set(http("https://nuts.example/nuts.zip")), tmp_path / "here", mirror=str(lab))
    assert f"expected {SHA256}" in text
    assert names(tmp_path / "here") == []


def test_a_mirror_that_states_its_own_checksums_is_held_to_these(tmp_path: Path) -> None:
    """Simulated originals have the names of the real ones and cannot have their checksums."""
    lab = mirror(tmp_path / "lab", archive(5), sums=True)
    dataset = a_set(
        http("https://nuts.example/nuts.zip"), http("https://nuts.example/b.zip", name="b.zip", sha256=None)
    )
    get(dataset, tmp_path / "here", mirror=str(lab))
    check_whole(tmp_path / "here", archive(5))
    # Drawn anew: what we fetched ourselves gives way.
    mirror(lab, archive(6), sums=True)
    get(dataset, tmp_path / "here", mirror=str(lab))
    check_whole(tmp_path / "here", archive(6))
    (lab / "nuts.zip").write_bytes(archive(7))
    (tmp_path / "here/raw/nuts/nuts.zip").unlink()
    assert "its SHA-256 is" in fault_of(dataset, tmp_path / "here", mirror=str(lab))


def test_a_drawing_never_passes_for_the_real_archive(web: Site, tmp_path: Path) -> None:
    """Simulated first, then fetched into the same folder, of a set whose checksum nobody has stated."""
    lab = mirror(tmp_path / "lab", archive(5), sums=True)
    (lab / "SIMULATED.txt").write_text("drawings")
    dataset = a_set(http(f"{web.url}/nuts.zip", sha256=None))
    assert get(dataset, tmp_path / "here", mirror=str(lab)).kind == "drawn"
    assert get(dataset, tmp_path / "here", mirror=str(lab)).fetched == 0
    assert names(tmp_path / "here") == ["raw/nuts/.fetched.json", "raw/nuts/nuts.zip"], "no checksum is recorded"
    done = get(dataset, tmp_path / "here")
    assert (done.kind, done.fetched, done.archives[0].sha256) == ("http", 1, SHA256)
    assert get(dataset, tmp_path / "here").fetched == 0
    assert "nuts.zip is the real archive" in fault_of(dataset, tmp_path / "here", mirror=str(lab))
    assert (tmp_path / "here/raw/nuts/nuts.zip").read_bytes() == CONTENT


def test_a_mirror_that_lacks_the_set(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    lab.mkdir()
    text = fault_of(a_set(http("https://nuts.example/nuts.zip")), tmp_path / "here", mirror=str(lab))
    assert f"the mirror {lab} does not have it" in text
    assert "no such mirror folder" in fault_of(
        a_set(http("https://nuts.example/nuts.zip")), tmp_path / "here", mirror=str(tmp_path / "none")
    )


def test_a_mirror_on_the_network(web: Site, tmp_path: Path) -> None:
    web.pages["/lab/nuts.zip"] = Page(CONTENT)
    get(a_set(http("https://nuts.example/nuts.zip")), tmp_path, mirror=f"{web.url}/lab")
    check_whole(tmp_path)
    assert [path for path, *_ in web.asked] == ["/lab/nuts.zip"]


def test_a_proxy_is_not_asked_for_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    lab = mirror(tmp_path / "lab")
    get(a_set(http("https://nuts.example/nuts.zip")), tmp_path / "here", mirror=str(lab))
    check_whole(tmp_path / "here")
    text = fault_of(a_set(http("http://nuts.example/nuts.zip")), tmp_path / "there")
    assert "the proxy refuses the connection" in text


@pytest.mark.parametrize("path", ["", "../secret.zip", "%2e%2e/secret.zip", "sub/a.zip", ".hidden", "none.zip"])
def test_loopback_serves_its_folder_s_files_and_nothing_else(path: str, tmp_path: Path) -> None:
    lab = mirror(tmp_path / "lab")
    shutil.copy(lab / "nuts.zip", tmp_path / "secret.zip")
    shutil.copy(lab / "nuts.zip", lab / ".hidden")
    (lab / "sub").mkdir()
    shutil.copy(lab / "nuts.zip", lab / "sub/a.zip")
    with loopback.serve(lab) as base, session_for(base) as session:
        assert session.get(base + path).status_code == 404
        assert session.get(base + "nuts.zip").content == CONTENT


def test_loopback_continues_unless_the_file_has_changed(tmp_path: Path) -> None:
    lab = mirror(tmp_path / "lab")
    with loopback.serve(lab) as base, session_for(base) as session:
        whole = session.get(base + "nuts.zip")
        tag = whole.headers["ETag"]
        rest = session.get(base + "nuts.zip", headers={"Range": "bytes=100-", "If-Range": tag})
        assert (rest.status_code, rest.content) == (206, CONTENT[100:])
        over = session.get(base + "nuts.zip", headers={"Range": f"bytes={len(CONTENT)}-"})
        assert (over.status_code, over.headers["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")
        (lab / "nuts.zip").write_bytes(archive(1))
        changed = session.get(base + "nuts.zip", headers={"Range": "bytes=100-", "If-Range": tag})
        assert (changed.status_code, changed.content) == (200, archive(1))


def test_loopback_says_nothing_of_a_reader_that_goes_away(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lab = mirror(tmp_path / "lab")
    with loopback.serve(lab) as base:
        with socket.create_connection(("127.0.0.1", urlsplit(base).port)) as reader:
            reader.sendall(b"GET /nuts.zip HTTP/1.1\r\nRange: bytes=%d-\r\n\r\n" % (len(CONTENT) - 1))
            reader.recv(1)
            # Closing resets the connection, as that of a killed process, while the server waits for another request.
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with session_for(base) as session:
            assert session.get(base + "nuts.zip").content == CONTENT
    assert capfd.readouterr().err == ""


def test_a_download_by_itself_returns_its_checksum(tmp_path: Path) -> None:
    lab = mirror(tmp_path / "lab")
    with loopback.serve(lab) as base, session_for(base) as session:
        request = Request(File("nuts.zip", base + "nuts.zip"), session, lambda: base + "nuts.zip")
        assert download(request, tmp_path / "nuts.zip", NETWORK, lambda _: None) == SHA256


def test_what_a_prepared_set_depends_on(web: Site, tmp_path: Path) -> None:
    dataset, raw = a_set(http(f"{web.url}/nuts.zip")), tmp_path / "raw/nuts"
    manifest = tmp_path / "prepared/nuts/manifest.csv"
    assert state(dataset, raw, manifest) == FETCHED, "planned from the network"
    assert state(dataset_for("nuts"), raw, manifest) == "missing"
    get(dataset, tmp_path)
    assert digest_of(dataset, raw) == FETCHED
    # The user's own original, prepared, then removed: what was recorded stays.
    raw.joinpath("good").mkdir()
    own = digest_of(dataset, raw)
    assert own not in (None, FETCHED)
    manifest.parent.mkdir(parents=True)
    manifest.with_name("prepared.json").write_text(json.dumps({"raw_digest": own}))
    shutil.rmtree(raw)
    assert state(dataset, raw, manifest) == own


def run(folder: Path, entry: dict[str, Any], *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(folder, entry, *more), capture_output=True, text=True, check=False)


def test_the_command_and_its_receipt(web: Site, tmp_path: Path) -> None:
    entry = {"sources": [http(f"{web.url}/nuts.zip")], "accept": True}
    refused = run(tmp_path, entry)
    assert refused.returncode == 1
    assert "fetched once you accept their terms" in refused.stderr
    done = run(tmp_path, entry, "--accept-licence", "--receipt", str(tmp_path / "receipt.json"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "nuts: nuts.zip (0.2 MB), 1 fetched now (http)\n"
    assert (tmp_path / "receipt.json").read_bytes() == (tmp_path / "raw/nuts" / NOTE).read_bytes()


def test_the_14_sets_are_asked_for_their_licences(tmp_path: Path) -> None:
    for name in ("mvtec", "ksdd"):
        with pytest.raises(AdaclipError, match="CC BY-NC-SA"):
            fetch(dataset_for(name), tmp_path / name, lock=tmp_path / "lock.yaml", say=lambda _: None)
