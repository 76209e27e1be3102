"""Google Drive's pages, which all come with status 200, and Kaggle's credentials; both served on this machine."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adaclip.data.fetch.network import Network
from tests.servers import Fault, Page, Site, site
from tests.unit.test_fetch import CONTENT, SHA256, a_set, check_whole, fault_of, get, http, names

VIRUS = """<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>
<p>Google Drive can't scan this file for viruses.</p>
<form id="download-form" action="{action}" method="get"><input type="submit" value="Download anyway"/>
<input type="hidden" name="id" value="DRIVE-ID"><input type="hidden" name="export" value="download">
<input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="1-2-3"></form></body></html>"""
QUOTA = """<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>
<p class="uc-error-caption">Sorry, you can't view or download this file at this time.</p>
<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently.</p></body></html>"""
SIGN_IN = "<html><head><title>Sign in - Google Accounts</title></head><body></body></html>"
GONE = "<html><head><title>Error</title></head><body>Sorry, the file you have requested does not exist.</body></html>"
ROBOT = "<html><head><title>Sorry...</title></head><body>unusual traffic from your network</body></html>"
NEW = "<html><head><title>Something new</title></head><body></body></html>"


@pytest.fixture
def web() -> Iterator[Site]:
    with site() as found:
        found.pages["/download"] = Page(CONTENT)
        found.pages["/uc"] = Page(
            VIRUS.format(action=f"{found.url}/download").encode(), kind="text/html; charset=utf-8"
        )
        yield found


def network(web: Site) -> Network:
    return Network(
        connect_seconds=2,
        read_seconds=0.3,
        tries=3,
        pause_seconds=0.01,
        gdrive=f"{web.url}/uc",
        kaggle=f"{web.url}/kaggle",
    )


def drive(sha256: str | None = SHA256) -> dict[str, Any]:
    file = {"name": "nuts.zip", "id": "DRIVE-ID", **({"sha256": sha256} if sha256 else {})}
    return {"kind": "gdrive", "repackaged": True, "files": [file]}


def kaggle() -> dict[str, Any]:
    return {"kind": "kaggle", "files": [{"name": "nuts.zip", "id": "me/nuts", "sha256": SHA256}]}


def test_drive_past_the_virus_page(web: Site, tmp_path: Path) -> None:
    done = get(a_set(drive()), tmp_path, network=network(web))
    assert done.archives[0].url == "https://drive.google.com/file/d/DRIVE-ID/view"
    check_whole(tmp_path)
    paths = [path for path, *_ in web.asked]
    assert paths[0].startswith("/uc?id=DRIVE-ID")
    assert "confirm=t" in paths[1]
    assert "uuid=1-2-3" in paths[1]


def test_drive_gives_a_small_file_at_once(web: Site, tmp_path: Path) -> None:
    web.pages["/uc"] = Page(CONTENT)
    get(a_set(drive()), tmp_path, network=network(web))
    check_whole(tmp_path)


def test_drive_goes_on_where_it_stopped(web: Site, tmp_path: Path) -> None:
    web.pages["/download"].faults = [Fault(cut=70_000)]
    get(a_set(drive(None)), tmp_path, network=network(web))
    check_whole(tmp_path, CONTENT, "sums.lock.yaml")
    assert web.sent["/download"] == len(CONTENT)
    assert [wanted for path, wanted, _ in web.asked if path.startswith("/download")] == [None, "bytes=70000-"]


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (QUOTA, "Google Drive's quota for this file is used up"),
        (SIGN_IN, "the file is not public"),
        (GONE, "the file is gone"),
        (ROBOT, "Google Drive takes us for a robot"),
        (NEW, "a web page came instead of the file (“Something new”)"),
    ],
)
@pytest.mark.parametrize("where", ["/uc", "/download"])
def test_drive_s_pages_are_no_archives(web: Site, tmp_path: Path, page: str, reason: str, where: str) -> None:
    good = web.pages[where]
    web.pages[where] = Page(page.encode(), kind="text/html; charset=utf-8")
    text = fault_of(a_set(drive()), tmp_path, network=network(web))
    assert f"gdrive https://drive.google.com/file/d/DRIVE-ID/view: {reason}" in text
    assert names(tmp_path) == []
    web.pages[where] = good
    get(a_set(drive()), tmp_path, network=network(web))
    check_whole(tmp_path)


def test_a_quota_page_while_continuing_does_not_spoil_the_part(web: Site, tmp_path: Path) -> None:
    web.pages["/download"].faults = [Fault(cut=70_000), *[Fault(stall=0) for _ in range(3)]]
    fault_of(a_set(drive()), tmp_path, network=network(web))
    good = web.pages["/uc"]
    web.pages["/uc"] = Page(QUOTA.encode(), kind="text/html")
    fault_of(a_set(drive()), tmp_path, network=network(web))
    assert (tmp_path / "raw/nuts/nuts.zip.part").read_bytes() == CONTENT[:70_000]
    web.pages["/uc"] = good
    get(a_set(drive()), tmp_path, network=network(web))
    check_whole(tmp_path)
    assert web.sent["/download"] == len(CONTENT)


def test_drive_s_quota_and_then_a_good_mirror(web: Site, tmp_path: Path) -> None:
    web.pages["/uc"] = Page(QUOTA.encode(), kind="text/html")
    get(a_set(drive(), http(f"{web.url}/download")), tmp_path, network=network(web))
    check_whole(tmp_path)


@pytest.fixture
def no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without Kaggle credentials."""
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home/.kaggle"
    folder.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(folder))
    return folder


def basic(user: str, key: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode()


def test_kaggle_without_credentials(web: Site, tmp_path: Path, no_account: Path) -> None:
    text = fault_of(a_set(kaggle()), tmp_path / "data", network=network(web))
    assert "kaggle https://www.kaggle.com/datasets/me/nuts: no Kaggle credentials: make a token at" in text
    assert web.asked == []


def test_kaggle_with_the_user_s_file(web: Site, tmp_path: Path, no_account: Path) -> None:
    (no_account / "kaggle.json").write_text(json.dumps({"username": "me", "key": "secret"}))
    web.pages["/kaggle/me/nuts"] = Page(CONTENT, [Fault(cut=50_000)], user=basic("me", "secret"))
    get(a_set(kaggle()), tmp_path / "data", network=network(web))
    check_whole(tmp_path / "data")
    assert web.ranges() == [None, "bytes=50000-"]
    kept = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*.json"))
    assert b"secret" not in kept


def test_kaggle_with_the_environment(
    web: Site, tmp_path: Path, no_account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    monkeypatch.setenv("KAGGLE_KEY", "other")
    web.pages["/kaggle/me/nuts"] = Page(CONTENT, user=basic("me", "other"))
    get(a_set(kaggle()), tmp_path / "data", network=network(web))
    check_whole(tmp_path / "data")


def test_kaggle_s_storage_does_not_get_the_credentials(
    web: Site, tmp_path: Path, no_account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kaggle sends us on to a storage of another host."""
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    with site() as storage:
        storage.pages["/file"] = Page(CONTENT)
        elsewhere = storage.url.replace("127.0.0.1", "localhost") + "/file"
        web.pages["/kaggle/me/nuts"] = Page(b"", [Fault(302, b"", {"Location": elsewhere})])
        get(a_set(kaggle()), tmp_path / "data", network=network(web))
        check_whole(tmp_path / "data")
        assert storage.authorised == [None]


def test_kaggle_refuses(web: Site, tmp_path: Path, no_account: Path) -> None:
    (no_account / "kaggle.json").write_text(json.dumps({"username": "me", "key": "wrong"}))
    web.pages["/kaggle/me/nuts"] = Page(CONTENT, user=basic("me", "secret"))
    text = fault_of(a_set(kaggle()), tmp_path / "data", network=network(web))
    assert "HTTP status 401 Unauthorized: Kaggle does not accept the credentials" in text
    assert "wrong" not in text


def test_kaggle_s_file_is_damaged(web: Site, tmp_path: Path, no_account: Path) -> None:
    (no_account / "kaggle.json").write_text("{")
    text = fault_of(a_set(kaggle()), tmp_path / "data", network=network(web))
    assert "Kaggle credentials cannot be read: Invalid Kaggle credentials file" in text
