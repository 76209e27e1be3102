"""Fetching from a real server that misbehaves: what came is right, whole, and asked for once."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from adaclip.data.fetch import Fetched, fetch
from adaclip.data.fetch.network import Network
from adaclip.data.fetched import NOTE
from adaclip.data.registry import Dataset, dataset_for
from adaclip.errors import AdaclipError
from tests.servers import Fault, Page, Site, site

#: Impatient, so that tests are fast.
NETWORK = Network(connect_seconds=2, read_seconds=0.3, tries=3, pause_seconds=0.01, longest_pause_seconds=0.05)
HTML = b"<!DOCTYPE html><html><head><title>Sorry, try\n later</title></head><body>no file</body></html>"


def archive(seed: int = 0, size: int = 200_000) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr(zipfile.ZipInfo("set/a.bin"), random.Random(seed).randbytes(size))
    return stream.getvalue()


CONTENT = archive()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def web() -> Iterator[Site]:
    with site() as found:
        found.pages["/nuts.zip"] = Page(CONTENT)
        yield found


def http(url: str, name: str = "nuts.zip", sha256: str | None = SHA256, **more: Any) -> dict[str, Any]:
    file = {"name": name, "url": url, **({"sha256": sha256} if sha256 else {}), **more}
    return {"kind": "http", "files": [file]}


def a_set(*sources: dict[str, Any], **more: Any) -> Dataset:
    return dataset_for("nuts", {"sources": list(sources), "url": "https://nuts.example/page", **more})


def get(dataset: Dataset, folder: Path, **more: Any) -> Fetched:
    told: list[str] = more.pop("told", [])
    arguments = {"lock": folder / "sums.lock.yaml", "network": NETWORK, "say": told.append, **more}
    return fetch(dataset, folder / "raw/nuts", **arguments)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def check_whole(folder: Path, content: bytes = CONTENT, *more: str) -> None:
    """The file is there, and nothing of the way to it."""
    assert (folder / "raw/nuts/nuts.zip").read_bytes() == content
    assert names(folder) == sorted([f"raw/nuts/{NOTE}", "raw/nuts/nuts.zip", *more])


def fault_of(dataset: Dataset, folder: Path, **more: Any) -> str:
    with pytest.raises(AdaclipError) as caught:
        get(dataset, folder, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_good_server(web: Site, tmp_path: Path) -> None:
    done = get(a_set(http(f"{web.url}/nuts.zip", bytes=len(CONTENT))), tmp_path)
    assert (done.kind, done.fetched) == ("http", 1)
    check_whole(tmp_path)
    note = json.loads((tmp_path / "raw/nuts" / NOTE).read_text())
    assert note["files"] == [{"name": "nuts.zip", "sha256": SHA256, "size": len(CONTENT), "url": f"{web.url}/nuts.zip"}]


def test_nothing_is_fetched_twice(web: Site, tmp_path: Path) -> None:
    dataset = a_set(http(f"{web.url}/nuts.zip"))
    get(dataset, tmp_path)
    before = (tmp_path / "raw/nuts" / NOTE).read_bytes()
    assert get(dataset, tmp_path).fetched == 0
    assert len(web.asked) == 1
    assert (tmp_path / "raw/nuts" / NOTE).read_bytes() == before


def test_404_and_how_to_help_oneself(web: Site, tmp_path: Path) -> None:
    text = fault_of(a_set(http(f"{web.url}/gone.zip")), tmp_path)
    assert f"http {web.url}/gone.zip: HTTP status 404" in text
    assert "https://nuts.example/page" in text
    assert f"put nuts.zip (or the folder that it unpacks to) into {tmp_path}/raw/nuts" in text
    assert len(web.asked) == 1, "a wrong address is not asked again"
    get(a_set(http(f"{web.url}/nuts.zip")), tmp_path)
    check_whole(tmp_path)


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_status_that_passes(web: Site, tmp_path: Path, status: int) -> None:
    web.pages["/nuts.zip"].faults = [Fault(status, b"", {"Retry-After": "0"}), Fault(status, b"")]
    told: list[str] = []
    get(a_set(http(f"{web.url}/nuts.zip")), tmp_path, told=told)
    check_whole(tmp_path)
    assert len(web.asked) == 3
    assert sum(f"HTTP status {status}" in line and "trying again in" in line for line in told) == 2


def test_a_server_that_stays_ill(web: Site, tmp_path: Path) -> None:
    web.pages["/nuts.zip"].faults = [Fault(500, b"") for _ in range(3)]
    assert "HTTP status 500 Internal Server Error (3 tries)" in fault_of(a_set(http(f"{web.url}/nuts.zip")), tmp_path)
    get(a_set(http(f"{web.url}/nuts.zip")), tmp_path)
    check_whole(tmp_path)


@pytest.mark.parametrize("stall", [0, 100, 90_000])
def test_a_stall(web: Site, tmp_path: Path, stall: int) -> None:
    web.pages["/nuts.zip"].faults = [Fault(stall=stall)]
    told: list[str] = []
    get(a_set(http(f"{web.url}/nuts.zip")), tmp_path, told=told)
    check_whole(tmp_path)
    assert any("the connection stalled: trying again" in line for line in told)
    assert web.ranges()[1] == ("bytes=90000-" if stall == 90_000 else None)


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_a_truncated_body_goes_on_where_it_stopped(web: Site, tmp_path: Path, sha256: str | None) -> None:
    # More cuts than tries: each brings something new, so that none counts as a failure.
    web.pages["/nuts.zip"].faults = [Fault(cut=40_000) for _ in range(4)]
    get(a_set(http(f"{web.url}/nuts.zip", sha256=sha256)), tmp_path)
    check_whole(tmp_path, CONTENT, *([] if sha256 else ["sums.lock.yaml"]))
    assert web.ranges() == [None, "bytes=40000-", "bytes=80000-", "bytes=120000-", "bytes=160000-"]
    assert web.sent["/nuts.zip"] == len(CONTENT)


def test_a_truncated_body_without_a_length(web: Site, tmp_path: Path) -> None:
    page = web.pages["/nuts.zip"]
    page.length, page.faults = False, [Fault(cut=40_000)]
    text = fault_of(a_set(http(f"{web.url}/nuts.zip", sha256=None)), tmp_path)
    assert "its end is missing" in text
    get(a_set(http(f"{web.url}/nuts.zip", sha256=None)), tmp_path)
    check_whole(tmp_path, CONTENT, "sums.lock.yaml")


def test_a_server_that_cannot_continue_and_always_breaks(web: Site, tmp_path: Path) -> None:
    page = web.pages["/nuts.zip"]
    page.ranges, page.faults = False, [Fault(cut=40_000) for _ in range(9)]
    text = fault_of(a_set(http(f"{web.url}/nuts.zip")), tmp_path)
    assert f"the connection ended after 40000 of {len(CONTENT)} bytes" in text
    page.faults = []
    get(a_set(http(f"{web.url}/nuts.zip")), tmp_path)
    check_whole(tmp_path)


def test_no_range_support_starts_over(web: Site, tmp_path: Path) -> None:
    page = web.pages["/nuts.zip"]
    page.ranges, page.faults = False, [Fault(cut=40_000)]
    told: list[str] = []
    get(a_set(http(f"{web.url}/nuts.zip")), tmp_path, told=told)
    check_whole(tmp_path)
    assert web.ranges() == [None, "bytes=40000-"]
    assert any("fetching it from its beginning" in line for line in told)


@pytest.mark.parametrize("validator", ["tag", "date"])
def test_a_file_that_changed_meanwhile_is_not_glued_together(web: Site, tmp_path: Path, validator: str) -> None:
    page = web.pages["/nuts.zip"]
    page.tag = '"old"' if validator == "tag" else None
    page.date = "Mon, 01 Jan 2024 00:00:00 GMT"
    # A server that never gets further than its first bytes.
    page.ranges, page.faults = False, [Fault(cut=40_000) for _ in range(9)]
    dataset = a_set(http(f"{web.url}/nuts.zip", sha256=None))
    fault_of(dataset, tmp_path)
    assert (tmp_path / "raw/nuts/nuts.zip.part").stat().st_size == 40_000
    later = archive(seed=1)
    tag, date = ('"new"', None) if validator == "tag" else (None, "Tue, 02 Jan 2024 00:00:00 GMT")
    web.pages["/nuts.zip"] = Page(later, tag=tag, date=date)
    get(dataset, tmp_path)
    check_whole(tmp_path, later, "sums.lock.yaml")
    assert web.asked[-1][1] == "bytes=40000-"
    assert web.asked[-1][2] == (page.tag or page.date)


def test_without_a_validator_nothing_is_continued(web: Site, tmp_path: Path) -> None:
    page = web.pages["/nuts.zip"]
    page.tag, page.faults = 'W/"weak"', [Fault(cut=40_000)]
    get(a_set(http(f"{web.url}/nuts.zip", sha256=None)), tmp_path)
    assert web.ranges() == [None, None]
    check_whole(tmp_path, CONTENT, "sums.lock.yaml")


def test_a_wrong_checksum(web: Site, tmp_path: Path) -> None:
    web.pages["/nuts.zip"].content = archive(seed=2)
    found = hashlib.sha256(archive(seed=2)).hexdigest()
    text = fault_of(a_set(http(f"{web.url}/nuts.zip")), tmp_path)
    assert f"its SHA-256 is {found}, expected {SHA256}" in text
    assert names(tmp_path) == []
    web.pages["/nuts.zip"].content = CONTENT
    get(a_set(http(f"{web.url}/nuts.zip")), tmp_path)
    check_whole(tmp_path)


def test_a_wrong_size_is_refused_before_its_bytes(web: Site, tmp_path: Path) -> None:
    text = fault_of(a_set(http(f"{web.url}/nuts.zip", bytes=7)), tmp_path)
    assert f"the file there has {len(CONTENT)} bytes, expected 7" in text
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["text/html", "application/zip"])
def test_html_instead_of_an_archive(web: Site, tmp_path: Path, kind: str) -> None:
    web.pages["/nuts.zip"].faults = [Fault(200, HTML, {"Content-Type": kind})]
    text = fault_of(a_set(http(f"{web.url}/nuts.zip", sha256=None)), tmp_path)
    assert "a web page came instead of the file (“Sorry, try later”)" in text
    assert names(tmp_path) == []
    get(a_set(http(f"{web.url}/nuts.zip")), tmp_path)
    check_whole(tmp_path)


@pytest.mark.parametrize("body", [b"{}", b'{"error": "no"}' * 100, b""])
def test_something_else_instead_of_an_archive(web: Site, tmp_path: Path, body: bytes) -> None:
    web.pages["/nuts.zip"] = Page(body)
    text = fault_of(a_set(http(f"{web.url}/nuts.zip", sha256=None)), tmp_path)
    assert re.search("no archive|the answer is empty", text)
    assert names(tmp_path) == []


def test_a_first_mirror_that_is_dead_and_a_second_that_is_good(web: Site, tmp_path: Path) -> None:
    web.pages["/nuts.zip"].faults = []
    dead = http("http://127.0.0.1:9/nuts.zip")
    told: list[str] = []
    done = get(a_set(dead, http(f"{web.url}/nuts.zip")), tmp_path, told=told)
    assert done.archives[0].url == f"{web.url}/nuts.zip"
    check_whole(tmp_path)
    assert any("127.0.0.1:9/nuts.zip: the server refuses the connection (3 tries)" in line for line in told)


def test_a_second_mirror_goes_on_with_what_the_first_began(web: Site, tmp_path: Path) -> None:
    """The checksum vouches for both; nothing is asked for twice."""
    web.pages["/first.zip"] = Page(CONTENT, [Fault(cut=80_000), *[Fault(500, b"") for _ in range(9)]])
    get(a_set(http(f"{web.url}/first.zip"), http(f"{web.url}/nuts.zip")), tmp_path)
    check_whole(tmp_path)
    assert web.asked[-1] == ("/nuts.zip", "bytes=80000-", None)
    assert web.sent == {"/first.zip": 80_000, "/nuts.zip": len(CONTENT) - 80_000}


def test_a_second_mirror_with_another_version_is_fetched_from_its_beginning(web: Site, tmp_path: Path) -> None:
    web.pages["/first.zip"] = Page(archive(seed=3), [Fault(cut=80_000), *[Fault(500, b"") for _ in range(9)]])
    get(a_set(http(f"{web.url}/first.zip"), http(f"{web.url}/nuts.zip")), tmp_path)
    check_whole(tmp_path)
    assert web.asked[-1] == ("/nuts.zip", None, None)


def test_a_source_that_gives_half_of_its_files_leaves_nothing(web: Site, tmp_path: Path) -> None:
    half = {
        "kind": "http",
        "files": [
            {"name": "images.zip", "url": f"{web.url}/nuts.zip"},
            {"name": "masks.zip", "url": f"{web.url}/gone.zip"},
        ],
    }
    get(a_set(half, http(f"{web.url}/nuts.zip")), tmp_path)
    check_whole(tmp_path)


def test_every_source_dead(web: Site, tmp_path: Path) -> None:
    web.pages["/html.zip"] = Page(HTML, kind="text/html")
    sources = [http("http://127.0.0.1:9/a.zip"), http(f"{web.url}/gone.zip"), http(f"{web.url}/html.zip")]
    text = fault_of(a_set(*sources), tmp_path)
    assert "(1) http http://127.0.0.1:9/a.zip: the server refuses the connection" in text
    assert f"(2) http {web.url}/gone.zip: HTTP status 404" in text
    assert f"(3) http {web.url}/html.zip: a web page came" in text
    assert "By hand: get it from https://nuts.example/page" in text
    get(a_set(*sources, http(f"{web.url}/nuts.zip")), tmp_path)
    check_whole(tmp_path)


def test_an_unknown_checksum_is_recorded_once_and_enforced(web: Site, tmp_path: Path) -> None:
    dataset = a_set(http(f"{web.url}/nuts.zip", sha256=None))
    get(dataset, tmp_path)
    lock = yaml.safe_load((tmp_path / "sums.lock.yaml").read_text())
    assert lock == {"nuts": {"nuts.zip": {"sha256": SHA256, "bytes": len(CONTENT), "url": f"{web.url}/nuts.zip"}}}
    (tmp_path / "raw/nuts/nuts.zip").unlink()
    web.pages["/nuts.zip"].content = archive(seed=4)
    assert f"expected {SHA256}" in fault_of(dataset, tmp_path)
    web.pages["/nuts.zip"].content = CONTENT
    get(dataset, tmp_path)
    check_whole(tmp_path, CONTENT, "sums.lock.yaml")


def test_parallel_jobs_record_side_by_side(web: Site, tmp_path: Path) -> None:
    entry = {"sources": [http(f"{web.url}/nuts.zip", sha256=None)]}
    lock = tmp_path / "sums.lock.yaml"

    def one(name: str) -> None:
        fetch(dataset_for(name, entry), tmp_path / name, lock=lock, network=NETWORK, say=lambda _: None)

    threads = [threading.Thread(target=one, args=(f"set{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(yaml.safe_load(lock.read_text())) == {f"set{number}" for number in range(8)}
    assert not [path for path in tmp_path.iterdir() if "lock" in path.name and path != lock]


@pytest.mark.parametrize("text", ["nuts: [1", "nuts: {nuts.zip: {sha256: beef}}", "- a"])
def test_a_damaged_lock_file_is_named(web: Site, tmp_path: Path, text: str) -> None:
    (tmp_path / "sums.lock.yaml").write_text(text)
    found = fault_of(a_set(http(f"{web.url}/nuts.zip", sha256=None)), tmp_path)
    assert "sums.lock.yaml is damaged" in found


def test_two_processes_fetch_one_set_once(web: Site, tmp_path: Path) -> None:
    web.pages["/nuts.zip"].faults = [Fault(stall=100_000)]
    dataset = a_set(http(f"{web.url}/nuts.zip"))
    patient = Network(read_seconds=20, pause_seconds=0.01)
    told: list[str] = []
    results: list[Fetched] = []

    def one() -> None:
        results.append(get(dataset, tmp_path, network=patient, told=told))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10
    while not any("waiting for another adaclip" in line for line in told) and time.monotonic() < deadline:
        time.sleep(0.01)
    web.go.set()
    for thread in threads:
        thread.join()
    assert sorted(done.fetched for done in results) == [0, 1]
    assert web.sent["/nuts.zip"] == len(CONTENT)
    check_whole(tmp_path)


def command(folder: Path, dataset: dict[str, Any], *more: str) -> list[str]:
    arguments = ["data", "fetch", "nuts", "--data", str(folder), "--entry", json.dumps(dataset), *more]
    return [sys.executable, "-m", "adaclip.cli", *arguments]


def test_killed_at_40_percent_and_resumed_without_a_byte_fetched_twice(web: Site, tmp_path: Path) -> None:
    content = archive(size=1_000_000)
    at = len(content) * 2 // 5
    web.pages["/nuts.zip"] = Page(content, [Fault(stall=at)])
    entry = {"sources": [http(f"{web.url}/nuts.zip", sha256=None)]}
    part = tmp_path / "raw/nuts/nuts.zip.part"
    with subprocess.Popen(command(tmp_path, entry), stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size == at) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert part.read_bytes() == content[:at]
    assert not (tmp_path / "raw/nuts/nuts.zip").exists(), "what is not whole has no name"
    web.go.set()
    done = subprocess.run(command(tmp_path, entry), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "raw/nuts/nuts.zip").read_bytes() == content
    assert web.sent["/nuts.zip"] == len(content)
    assert web.ranges() == [None, f"bytes={at}-"]
    assert names(tmp_path) == ["checksums.lock.yaml", f"raw/nuts/{NOTE}", "raw/nuts/nuts.zip"]


def test_a_download_that_was_whole_when_it_was_killed(web: Site, tmp_path: Path) -> None:
    """Killed between its last byte and its name: the server has nothing to add."""
    folder = tmp_path / "raw/nuts"
    folder.mkdir(parents=True)
    (folder / "nuts.zip.part").write_bytes(CONTENT)
    note = {"url": f"{web.url}/nuts.zip", "sha256": SHA256, "validator": '"one"', "size": len(CONTENT)}
    (folder / "nuts.zip.part.json").write_text(json.dumps(note))
    get(a_set(http(f"{web.url}/nuts.zip")), tmp_path)
    check_whole(tmp_path)
    assert web.sent.get("/nuts.zip", 0) == 0


def test_a_part_without_its_note_is_not_trusted(web: Site, tmp_path: Path) -> None:
    folder = tmp_path / "raw/nuts"
    folder.mkdir(parents=True)
    (folder / "nuts.zip.part").write_bytes(b"something" * 1000)
    get(a_set(http(f"{web.url}/nuts.zip")), tmp_path)
    check_whole(tmp_path)
    assert web.ranges() == [None]
