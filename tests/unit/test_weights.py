"""Released weights: what the table says of them, and that what is fetched by id is the file that was meant."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from adaclip.cli import main
from adaclip.data.damage import verify_data
from adaclip.data.fetch import Fetched, fetch_weights
from adaclip.data.fetch.network import Network
from adaclip.data.fetched import DRAWN_NOTE, NOTE
from adaclip.data.registry import load_registry
from adaclip.data.weights import (
    Release,
    fetching_facts,
    is_here,
    is_simulated,
    load_weights,
    path_of,
    read_weights,
    receipt_of,
    release,
    with_changes,
)
from adaclip.data.weights_page import write_weights_page
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.registry import find_card
from adaclip.system.annotated import read
from tests.servers import Fault, Page, Site, site

#: Impatient, so that tests are fast.
NETWORK = Network(connect_seconds=2, read_seconds=0.3, tries=3, pause_seconds=0.01, longest_pause_seconds=0.05)
PAGE = b"<!DOCTYPE html><html><head><title>Sorry, try later</title></head><body>no file</body></html>"
BACKBONE = {"model": "ViT-L-14-336", "pretrained": "openai", "image_size": 518}


def saved(seed: int = 0, size: int = 200_000) -> bytes:
    """A file as `torch.save` packs it, without PyTorch."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr(zipfile.ZipInfo("archive/data.pkl"), pickle.dumps({}, protocol=2))
        packed.writestr(zipfile.ZipInfo("archive/data/0"), random.Random(seed).randbytes(size))
    return stream.getvalue()


CONTENT = saved()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def web() -> Iterator[Site]:
    with site() as found:
        found.pages["/mine.pth"] = Page(CONTENT)
        yield found


def an_entry(*files: dict[str, Any], **more: Any) -> dict[str, Any]:
    about = {"method": "adaclip", "title": "Mine", "auxiliary": ["mvtec"], "backbone": BACKBONE}
    return {**about, "page": "https://mine.example/page", "files": list(files), **more}


def a_file(*places: dict[str, Any], name: str = "mine.pth", **more: Any) -> dict[str, Any]:
    return {"name": name, "places": list(places), **more}


def at(url: str) -> dict[str, str]:
    return {"kind": "http", "url": url}


def a_release(*files: dict[str, Any], **more: Any) -> Release:
    return read_weights({"mine": an_entry(*files, **more)}, "table")["mine"]


def get(release: Release, folder: Path, **more: Any) -> Fetched:
    arguments = {"lock": folder / "checksums.lock.yaml", "network": NETWORK, "say": lambda text: None, **more}
    return fetch_weights(release, folder / "weights" / release.id, **arguments)


def fault_of(release: Release, folder: Path, **more: Any) -> str:
    with pytest.raises(AdaclipError) as caught:
        get(release, folder, **more)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1
    return str(caught.value)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("one", load_weights().values(), ids=lambda one: one.id)
def test_a_release_is_what_its_method_and_the_table_of_sets_know(one: Release) -> None:
    card = find_card(one.method)
    trained_on = "all" if set(one.auxiliary) == set(load_registry()) else "_".join(one.auxiliary)
    assert one.id == f"{one.method}_{trained_on}", "named after what it was trained on"
    assert set(one.auxiliary) <= set(load_registry())
    known = card.backbone
    assert one.backbone == {"model": known.model, "pretrained": known.pretrained, "image_size": known.image_size}
    assert read(card.settings, one.settings, one.id) == card.settings(), "released weights are of its own defaults"
    assert card.trained
    assert one.licence
    assert one.citation
    assert one.about_size
    assert len(one.sources) > 1, "one address alone is soon a dead one"
    assert all(file.url.startswith("https://") for source in one.sources for file in source.files)


def test_the_weights_of_all_sets_are_nowhere_zero_shot() -> None:
    assert set(release("adaclip_all").auxiliary) == set(load_registry())


def test_files_can_lie_side_by_side_in_a_mirror() -> None:
    files = [name for one in load_weights().values() for name in one.files]
    assert len(files) == len(set(files)) == 7


def test_known_checksums_are_those_of_every_place() -> None:
    for one in load_weights().values():
        facts = {(file.name, file.sha256, file.size) for source in one.sources for file in source.files}
        assert len(facts) == 1
    stated = {one.id for one in load_weights().values() if one.sources[0].files[0].sha256}
    assert stated == {"adaclip_mvtec_colondb", "adaclip_visa_clinicdb", "adaclip_all"}


def test_an_unknown_id_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no released weights 'adaclip_al' \(known: adaclip_mvtec.*'adaclip_all'\?"):
        release("adaclip_al")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"metod": "x"}, "unknown key 'metod'"),
        ({"auxiliary": []}, "auxiliary"),
        ({"backbone": {"model": "ViT-L-14-336"}}, "'pretrained' is a required property"),
        ({"page": "mine.example"}, "page"),
        ({"files": [a_file({"kind": "http", "id": "ABC"})]}, "file 'mine.pth' of a source of kind http needs 'url'"),
        ({"files": [a_file({"kind": "gdrive", "url": "https://a"})]}, "of kind gdrive needs 'id', not 'url'"),
        ({"files": [a_file({"kind": "kaggle", "id": "a/b"})]}, "'kaggle' is not one of http, gdrive"),
        ({"files": [a_file(at("https://a"), sha256="A" * 64)]}, "64 hexadecimal digits"),
        ({"files": [a_file(at("https://a"), name="../a.pth")]}, "without folders"),
        (
            {"files": [a_file(at("https://a"), at("https://b")), a_file(at("https://a"), name="b.pth")]},
            "file 'b.pth' has another number of places than 'mine.pth' (2)",
        ),
        (
            {"files": [a_file(at("https://a")), a_file({"kind": "gdrive", "id": "A"}, name="b.pth")]},
            "place 1 of 'b.pth' is of kind gdrive, that of 'mine.pth' of kind http",
        ),
    ],
)
def test_a_wrong_entry_is_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_weights({"mine": {**an_entry(a_file(at("https://a"))), **change}}, "my table")
    assert text in str(caught.value)
    assert "mine" in str(caught.value)


def test_a_configuration_changes_a_release_and_adds_one() -> None:
    moved = {"files": [a_file(at("https://mirror.example/mine.pth"))]}
    found = with_changes({"adaclip_all": moved, "mine": an_entry(a_file(at("https://a")))}, "my.yaml")
    assert found["adaclip_all"].sources[0].files[0].url == "https://mirror.example/mine.pth"
    assert found["adaclip_all"].auxiliary == release("adaclip_all").auxiliary
    assert list(found)[-1] == "mine"
    assert release("adaclip_all").files == ("pretrained_all.pth",), "the table itself is as it was"
    assert fetching_facts(found["adaclip_all"]) != fetching_facts(release("adaclip_all"))
    with pytest.raises(UsageError, match=r"my.yaml: weights: mine: 'method' is a required property"):
        with_changes({"mine": moved}, "my.yaml")


def test_fetched_by_id_from_a_mirror(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mirror, data = tmp_path / "mirror", tmp_path / "data"
    mirror.mkdir()
    (mirror / "visa_pretrained.pth").write_bytes(CONTENT)
    one = release("april_gan_visa")
    receipt = receipt_of(one, data)
    fetch = ["weights", "fetch", "april_gan_visa", "--data", str(data), "--mirror", str(mirror)]
    assert main([*fetch, "--receipt", str(receipt)]) == 0
    assert f"{path_of(one, data)} (0.2 MB), 1 fetched now (mirror)" in capsys.readouterr().out
    assert path_of(one, data).read_bytes() == CONTENT
    assert is_here(one, data)
    assert not is_simulated(one, data)
    facts = {"name": "visa_pretrained.pth", "sha256": SHA256, "size": len(CONTENT)}
    note = {"weights": one.id, "source": "mirror", "files": [{**facts, "url": str(mirror / "visa_pretrained.pth")}]}
    assert json.loads(receipt.read_text()) == note
    assert receipt.read_bytes() == (path_of(one, data).parent / NOTE).read_bytes()
    lock = yaml.safe_load((data / "checksums.lock.yaml").read_text())
    assert lock == {
        "weights/april_gan_visa": {
            "visa_pretrained.pth": {"sha256": SHA256, "bytes": len(CONTENT), "url": note["files"][0]["url"]}
        }
    }
    assert main(fetch) == 0
    assert "0 fetched now (mirror)" in capsys.readouterr().out


def test_another_file_than_the_published_one_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pretrained_all.pth").write_bytes(CONTENT)
    assert main(["weights", "fetch", "adaclip_all", "--data", str(tmp_path), "--mirror", str(tmp_path)]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("adaclip: error: released weights 'adaclip_all': the mirror")
    assert said.count(f"the file there has {len(CONTENT)} bytes, expected 42673907") == 1, "a mirror is asked once"
    assert not is_here(release("adaclip_all"), tmp_path)


def test_a_wrong_checksum(web: Site, tmp_path: Path) -> None:
    one = a_release(a_file(at(f"{web.url}/mine.pth"), sha256="0" * 64))
    text = fault_of(one, tmp_path)
    assert f"its SHA-256 is {SHA256}, expected {'0' * 64}" in text
    assert f"get it from https://mine.example/page, put mine.pth into {tmp_path}/weights/mine, and run again" in text
    assert names(tmp_path) == []


def test_an_interrupted_download_goes_on(web: Site, tmp_path: Path) -> None:
    web.pages["/mine.pth"].faults = [Fault(cut=70_000)]
    get(a_release(a_file(at(f"{web.url}/mine.pth"), sha256=SHA256, bytes=len(CONTENT))), tmp_path)
    assert (tmp_path / "weights/mine/mine.pth").read_bytes() == CONTENT
    assert web.ranges() == [None, "bytes=70000-"]
    assert web.sent["/mine.pth"] == len(CONTENT)


def test_the_second_place_helps_out(web: Site, tmp_path: Path) -> None:
    quota = b"<html><head><title>Google Drive - Quota exceeded</title></head><body>Quota exceeded</body></html>"
    web.pages["/uc"] = Page(quota, kind="text/html")
    one = a_release(a_file({"kind": "gdrive", "id": "DRIVE-ID"}, at(f"{web.url}/mine.pth"), sha256=SHA256))
    told: list[str] = []
    network = Network(tries=2, pause_seconds=0.01, gdrive=f"{web.url}/uc")
    done = get(one, tmp_path, network=network, say=told.append)
    assert (done.kind, done.fetched) == ("http", 1)
    assert any("quota for this file is used up" in line for line in told)


def test_drive_gives_weights(web: Site, tmp_path: Path) -> None:
    web.pages["/uc"] = Page(CONTENT)
    one = a_release(a_file({"kind": "gdrive", "id": "DRIVE-ID"}))
    assert get(one, tmp_path, network=Network(gdrive=f"{web.url}/uc")).kind == "gdrive"
    assert (tmp_path / "weights/mine/mine.pth").read_bytes() == CONTENT


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 22600000\n"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (PAGE, "a web page came instead of the file (“Sorry, try later”)"),
        (CONTENT[:100_000], "it is not a checkpoint: it is the beginning of a longer file"),
        (CONTENT[:90_000] + b"x" + CONTENT[90_001:], "archive/data/0 does not have its checksum"),
        (LFS, "a pointer of Git LFS, not the file itself"),
        (b"plain words " * 100, "what comes is no checkpoint (it begins with b'plain words plai')"),
        (b"\x1f\x8b" + bytes(600), "what comes is no checkpoint"),
    ],
    ids=["page", "truncated", "flipped", "lfs", "text", "archive"],
)
def test_something_else_without_a_known_checksum(web: Site, tmp_path: Path, body: bytes, reason: str) -> None:
    web.pages["/mine.pth"] = Page(body)
    one = a_release(a_file(at(f"{web.url}/mine.pth")))
    assert reason in fault_of(one, tmp_path)
    assert names(tmp_path) == [], "neither the file nor its checksum is kept"


SAFETENSORS = (16).to_bytes(8, "little") + b"{}" + b" " * 14


@pytest.mark.parametrize("body", [pickle.dumps({"a": [1.0] * 400}, protocol=2), SAFETENSORS], ids=["pickle", "ours"])
def test_every_layout_of_weights_may_come(web: Site, tmp_path: Path, body: bytes) -> None:
    web.pages["/mine.pth"] = Page(body)
    get(a_release(a_file(at(f"{web.url}/mine.pth"))), tmp_path)
    assert (tmp_path / "weights/mine/mine.pth").read_bytes() == body


def test_a_first_checksum_is_recorded_and_holds(web: Site, tmp_path: Path) -> None:
    one = a_release(a_file(at(f"{web.url}/mine.pth")))
    get(one, tmp_path)
    assert (
        yaml.safe_load((tmp_path / "checksums.lock.yaml").read_text())["weights/mine"]["mine.pth"]["sha256"] == SHA256
    )
    web.pages["/mine.pth"] = Page(saved(seed=1), tag='"two"')
    (tmp_path / "weights/mine/mine.pth").unlink()
    assert f"expected {SHA256}" in fault_of(one, tmp_path)


def test_a_file_that_was_put_there_by_hand(web: Site, tmp_path: Path) -> None:
    one = a_release(a_file(at(f"{web.url}/mine.pth")))
    path = path_of(one, tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(PAGE)
    text = fault_of(one, tmp_path)
    assert text.startswith(f"{path}: it is not a checkpoint: it is a web page (Sorry, try later)")
    assert text.endswith("remove it to fetch it")
    assert path.read_bytes() == PAGE, "what is the user's is never overwritten"
    path.write_bytes(CONTENT)
    assert get(one, tmp_path).fetched == 0
    assert web.asked == []


def test_another_version_that_was_put_there_by_hand(web: Site, tmp_path: Path) -> None:
    one = a_release(a_file(at(f"{web.url}/mine.pth"), sha256="0" * 64))
    path = path_of(one, tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    text = fault_of(one, tmp_path)
    assert f"{path} has the SHA-256 {SHA256}, but {'0' * 64} is its publisher's" in text
    assert text.endswith("remove it to fetch it")
    assert path.read_bytes() == CONTENT


def test_a_mirror_does_not_vouch_for_what_a_file_is(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "mine.pth").write_bytes(CONTENT[:100_000])
    digest = hashlib.sha256(CONTENT[:100_000]).hexdigest()
    (mirror / "SHA256SUMS").write_text(f"{digest}  mine.pth\n")
    one = a_release(a_file(at("https://nowhere.invalid/mine.pth")))
    assert "is not a checkpoint: it is the beginning of a longer file" in fault_of(one, tmp_path, mirror=str(mirror))


def test_drawn_weights_never_pass_for_the_real_ones(web: Site, tmp_path: Path) -> None:
    mirror, drawn = tmp_path / "mirror", saved(seed=2)
    mirror.mkdir()
    (mirror / "mine.pth").write_bytes(drawn)
    (mirror / DRAWN_NOTE).write_text("drawn\n")
    (mirror / "SHA256SUMS").write_text(f"{hashlib.sha256(drawn).hexdigest()}  mine.pth\n")
    one = a_release(a_file(at(f"{web.url}/mine.pth"), sha256=SHA256))
    assert get(one, tmp_path, mirror=str(mirror)).kind == "drawn"
    assert is_simulated(one, tmp_path)
    assert not (tmp_path / "checksums.lock.yaml").exists()
    assert get(one, tmp_path).fetched == 1
    assert not is_simulated(one, tmp_path)
    assert "mine.pth is the real checkpoint: give drawings another folder" in fault_of(
        one, tmp_path, mirror=str(mirror)
    )


def test_several_files_are_a_folder(web: Site, tmp_path: Path) -> None:
    web.pages["/b.pth"] = Page(saved(seed=3))
    one = a_release(a_file(at(f"{web.url}/mine.pth"), bytes=10), a_file(at(f"{web.url}/b.pth"), name="b.pth"))
    assert (one.size, one.about_size) == (None, None)
    assert "the file there has" in fault_of(one, tmp_path)
    assert not is_here(one, tmp_path)
    one = a_release(a_file(at(f"{web.url}/mine.pth")), a_file(at(f"{web.url}/b.pth"), name="b.pth"))
    assert get(one, tmp_path).fetched == 2
    assert path_of(one, tmp_path) == tmp_path / "weights/mine"
    assert is_here(one, tmp_path)


def test_verify_names_weights_that_are_damaged_or_gone(web: Site, tmp_path: Path) -> None:
    one = a_release(a_file(at(f"{web.url}/mine.pth")))
    get(one, tmp_path)
    path = path_of(one, tmp_path)
    assert verify_data(tmp_path).faults == []
    path.write_bytes(CONTENT[:-1] + b"x")
    (damaged,) = verify_data(tmp_path).faults
    assert (damaged.path, damaged.what.partition(":")[0]) == (path, "damaged")
    path.unlink()
    (missing,) = verify_data(tmp_path).faults
    assert (missing.path, missing.what) == (path, "missing")
    assert damaged.remove == missing.remove == (receipt_of(one, tmp_path),), "then the workflow fetches it again"


def test_keys_of_a_configuration_on_the_command_line(web: Site, tmp_path: Path) -> None:
    entry = {"files": [a_file(at(f"{web.url}/mine.pth"), sha256=SHA256)]}
    arguments = ["weights", "fetch", "adaclip_all", "--out", str(tmp_path / "here"), "--checksums", str(tmp_path / "c")]
    assert main([*arguments, "--entry", json.dumps(entry)]) == 0
    assert (tmp_path / "here/mine.pth").read_bytes() == CONTENT


def test_the_page_is_up_to_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "weights.md"
    shutil.copy(Path(__file__).parents[2] / "docs" / "weights.md", page)
    assert main(["weights", "docs", "--out", str(page)]) == 0
    assert capsys.readouterr().out == ""
    changed = with_changes({"april_gan_visa": {"licence": "CC0"}}, "here").values()
    assert write_weights_page(changed, page)
    assert "| Licence | CC0 |" in page.read_text(encoding="utf-8")


def test_the_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = path_of(release("anomalyclip_visa"), tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(200_000))
    assert main(["weights", "list", "--data", str(tmp_path)]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["id", "method", "trained", "on", "size", "state"]
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in lines}
    assert list(rows) == list(load_weights())
    fetch = f"adaclip weights fetch adaclip_all --data {tmp_path} (gdrive, then http)"
    assert rows["adaclip_all"] == f"adaclip all 14 sets 42.7 MB absent {fetch}"
    assert rows["adaclip_mvtec_colondb"].startswith("adaclip mvtec+colondb 42.7 MB absent")
    assert rows["anomalyclip_visa"] == f"anomalyclip visa 0.2 MB ready {path}"
    assert rows["april_gan_visa"].startswith("april_gan visa about 12.6 MB absent")


def test_the_list_needs_no_pytorch() -> None:
    code = "import sys; from adaclip.cli import main; main(['weights', 'list']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
