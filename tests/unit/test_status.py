"""The list of data sets: what is here, and what to do about the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from adaclip.cli import main
from adaclip.data.registry import dataset_for, load_registry
from adaclip.data.status import describe
from tests.sets import write_set


def test_nothing_is_here(tmp_path: Path) -> None:
    status = describe(load_registry()["mvtec"], tmp_path)
    assert (status.state, status.size) == ("missing", None)
    assert status.text.startswith(
        f"adaclip data fetch mvtec --data {tmp_path} --accept-licence (http, then gdrive), or "
    )
    usual = describe(load_registry()["isic"], Path("data"))
    assert usual.text.startswith("adaclip data fetch isic (http, then gdrive), or put the original")
    assert status.text.endswith(f"into {tmp_path}/raw/mvtec")


def test_a_download_has_begun(tmp_path: Path) -> None:
    folder = tmp_path / "raw/isic"
    folder.mkdir(parents=True)
    (folder / "ISBI2016_ISIC_Part1_Test_Data.zip").write_bytes(bytes(10))
    (folder / "ISBI2016_ISIC_Part1_Test_GroundTruth.zip.part").write_bytes(bytes(5))
    status = describe(load_registry()["isic"], tmp_path)
    assert (status.state, status.size) == ("missing", 15)
    assert f"adaclip data fetch isic --data {tmp_path} (http, then gdrive, goes on where it stopped)" in status.text


def test_the_archives_are_here(tmp_path: Path) -> None:
    folder = tmp_path / "raw/btad"
    folder.mkdir(parents=True)
    (folder / "btad.zip").write_bytes(bytes(10))
    status = describe(load_registry()["btad"], tmp_path)
    assert (status.state, status.size) == ("original here", 10)
    assert status.text == f"adaclip data prepare btad --raw {folder} --out {tmp_path}/prepared/btad"


def test_the_user_s_own_is_here(tmp_path: Path) -> None:
    own = tmp_path / "photos"
    dataset = dataset_for("nuts", {"raw": str(own)})
    assert describe(dataset, tmp_path).state == "missing"
    assert describe(dataset, tmp_path).text == f"put the original into {own}"
    (own / "good").mkdir(parents=True)
    (own / "good/1.png").write_bytes(bytes(3))
    assert (describe(dataset, tmp_path).state, describe(dataset, tmp_path).size) == ("original here", 3)


def test_sizes_of_the_archives_to_come(tmp_path: Path) -> None:
    files = [{"name": f"{n}.zip", "url": f"https://example.org/{n}.zip", "bytes": n} for n in (1, 2)]
    dataset = dataset_for("nuts", {"sources": [{"kind": "http", "files": files}]})
    assert describe(dataset, tmp_path).size == 3
    assert describe(dataset, Path("data")).text == (
        "snakemake --cores all data/prepared/nuts/manifest.csv, with its configuration (http)"
    )


def test_prepared_and_damaged(tmp_path: Path) -> None:
    manifest = write_set(tmp_path / "prepared/headct", "headct")
    dataset = load_registry()["headct"]
    (manifest.parent / "prepared.json").write_text('{"labels": [], "prompts": {}}')
    assert describe(dataset, tmp_path).state == "damaged"
    counts = '{"labels": [], "prompts": {}, "counts": {"test": {"normal": 3, "anomalous": 4}}}'
    (manifest.parent / "prepared.json").write_text(counts)
    status = describe(dataset, tmp_path)
    assert (status.state, status.text) == ("ready", "3 normal + 4 anomalous test images")
    assert status.size is not None
    assert status.size > 100


def test_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list", "--data", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["id", "title", "domain", "state", "size", "terms"]
    assert [line.split()[0] for line in lines[1:]] == list(load_registry())
    assert "CC BY-NC-SA 4.0 (to accept)" in lines[1]


def test_the_table_of_a_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data/raw/mvtec/bottle").mkdir(parents=True)
    (tmp_path / "config.yaml").write_text(
        f"data: {tmp_path}/data\ndatasets: {{nuts: {{raw: photos}}}}\nbackbones: {{tiny: {{model: tiny}}}}\n"
        "experiments: {probe: {method: untrained, auxiliary: [], evaluate: [nuts]}}\n"
    )
    assert main(["data", "list", "--config", str(tmp_path / "config.yaml")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "original here" in lines[1]
    assert lines[-1].startswith("nuts")
