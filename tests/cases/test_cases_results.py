"""Results that could be taken for those of another configuration."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml

from adaclip.cli import main
from adaclip.data.manifest import has_images
from adaclip.data.registry import load_registry, public_facts
from adaclip.errors import AdaclipError, UsageError
from adaclip.plan.config import load_config
from adaclip.plan.resolve import Plan, make_plan, part_document, plan_document
from adaclip.report.figures import ranking, training, write_figures
from adaclip.report.file_names import figure_names, metric_names, table_names
from adaclip.report.results import Results
from adaclip.report.tables.write import write_tables
from adaclip.system.files import write_json, write_text
from adaclip.system.records import keep_records
from adaclip.upkeep.folder import finished, refuse_other
from adaclip.upkeep.lost import lost_of_overview, lost_of_part, lost_of_set, void
from adaclip.upkeep.stale import tidy
from tests.inventing import invent

ROOT = Path(__file__).parents[2]
SMALL = {"backbones": {"tiny": {"model": "tiny"}}, "experiments": {"one": {"title": "One", "auxiliary": ["mvtec"]}}}

TINY = {"tiny": {"model": "tiny", "image_size": 64}}


def write_config(path: Path, **changes: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({**SMALL, **changes}))
    return path


def write_plan(folder: Path, configuration: str, finished_at: int = 0) -> None:
    write_json(folder / "plan.json", {"configuration": configuration, "experiments": []})
    (folder / "report").mkdir(exist_ok=True)
    (folder / "report" / "index.html").write_text("")
    os.utime(folder / "report" / "index.html", (finished_at, finished_at))


def test_every_configuration_has_a_folder_of_its_own(tmp_path: Path) -> None:
    assert load_config(ROOT / "config" / "demo.yaml").results == "results/demo"
    assert load_config(ROOT / "config" / "paper.yaml").results == "results/paper"
    assert load_config(write_config(tmp_path / "own.yaml")).results == "results/own"
    assert load_config(write_config(tmp_path / "own.yaml", results="elsewhere/own")).results == "elsewhere/own"


def test_the_folder_of_a_file_is_not_that_of_the_one_that_extends_it(tmp_path: Path) -> None:
    write_config(tmp_path / "base.yaml", results="results/base", title="Base")
    (tmp_path / "above.yaml").write_text(yaml.safe_dump({"extends": "base.yaml"}))
    above = load_config(tmp_path / "above.yaml")
    assert (above.title, above.results) == ("Base", "results/above")
    (tmp_path / "above.yaml").write_text(yaml.safe_dump({"extends": "base.yaml", "results": "results/mine"}))
    assert load_config(tmp_path / "above.yaml").results == "results/mine"


def test_the_folder_of_another_configuration_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    refuse_other(folder, "one.yaml")
    write_plan(folder, "one.yaml")
    refuse_other(folder, "one.yaml")
    with pytest.raises(UsageError) as refused:
        refuse_other(folder, "two/one.yaml")
    said = str(refused.value)
    assert said.startswith(f"two/one.yaml: {folder} holds the results of one.yaml: ")
    assert f"remove {folder / 'plan.json'}" in said
    assert "\n" not in said


@pytest.mark.parametrize("verb", [["check"], ["clean"], ["clean", "--remove"], ["clean", "--everything"]])
@pytest.mark.parametrize("name", ["report/page.py", "figures/mine.svg", "logs/mine.log", "summary.json"])
def test_what_no_run_wrote_is_never_taken_for_results(tmp_path: Path, monkeypatch, capsys, verb, name) -> None:
    """Such as `results: thesis`, with figures of one's own: a run would have removed them as stale."""
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / "own.yaml", results="thesis", backbones=TINY)
    fill(tmp_path / "thesis", name)
    assert main([verb[0], "own.yaml", *verb[1:]]) == 2
    said = capsys.readouterr().err
    taken = f"thesis/{name.partition('/')[0]}"
    assert said.startswith(f"adaclip: error: own.yaml: results: thesis is not the results of a run, and {taken} would ")
    assert said.count("\n") == 1
    assert standing(tmp_path / "thesis") == {name}
    # What a run began is its own, whatever was deleted of it since.
    keep_records(tmp_path / "thesis")
    refuse_other("thesis", "own.yaml")


def test_check_refuses_the_folder_of_another_configuration(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / "own.yaml", backbones=TINY)
    write_plan(tmp_path / "results" / "own", "other.yaml")
    assert main(["check", "own.yaml"]) == 2
    assert "results/own holds the results of other.yaml: say `results: " in capsys.readouterr().err


def test_a_configuration_is_the_same_however_its_path_is_written(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / "sub" / "own.yaml")
    written = ("sub/own.yaml", "./sub/own.yaml", str(tmp_path / "sub" / "own.yaml"), "sub/../sub/own.yaml")
    assert {load_config(path).source for path in written} == {"sub/own.yaml"}


def test_finished_results_are_listed_the_latest_first(tmp_path: Path, capsys) -> None:
    write_plan(tmp_path / "results" / "one", "one.yaml", finished_at=100)
    write_plan(tmp_path / "results" / "deep" / "two", "two.yaml", finished_at=200)
    write_json(tmp_path / "results" / "begun" / "plan.json", {"configuration": "begun.yaml"})
    assert [one.configuration for one in finished(tmp_path / "results")] == ["two.yaml", "one.yaml"]


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def standing(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def plan_of(path: Path) -> tuple[Plan, dict[str, Any]]:
    config = load_config(path)
    registry = load_registry(config.datasets)
    plan = make_plan(config, registry)
    return plan, plan_document(plan, {name: public_facts(registry[name]) for name in plan.sets})


EXPERIMENTS = {
    "kept": {"title": "Kept", "auxiliary": ["visa"], "evaluate": ["mvtec"]},
    "gone": {"title": "Gone", "auxiliary": ["mvtec"], "evaluate": ["visa", "btad"], "seeds": [0, 1]},
}
TABLES = {"first": {"title": "First", "rows": [{"experiments": ["kept"]}]}}


def test_what_a_plan_no_longer_asks_for_is_removed_or_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "own"
    _, before = plan_of(write_config(tmp_path / "own.yaml", experiments=EXPERIMENTS, tables=TABLES))
    _, after = plan_of(write_config(tmp_path / "own.yaml", experiments={"kept": EXPERIMENTS["kept"]}))
    keep_records(folder)
    for document in (before, after):
        cheap = [f"tables/{name}" for name in table_names(document)]
        cheap += [f"figures/{name}" for name in figure_names(document)]
        cheap += [f"metrics/{name}" for name in metric_names(document)]
        cheap += [f"audit/fingerprints/{name}.csv" for name in document["sets"]]
        cheap += [f"overview/{name}/overview.json" for name in document["sets"]]
        for name in cheap:
            write_text(folder / name, name)
    wanted = standing_without_records(folder) & {
        *(f"{part}/{name}" for part, names in ASKED.items() for name in names(after)),
        *(f"audit/fingerprints/{name}.csv" for name in after["sets"]),
        *(f"overview/{name}/overview.json" for name in after["sets"]),
    }
    costly = {
        "runs/gone/seed-0/checkpoint.safetensors",
        "runs/kept/seed-1/checkpoint.safetensors",
        "runs/kept/seed-0/btad/metrics.json",
        "features/tiny/btad.safetensors",
    }
    asked = {"runs/kept/seed-0/checkpoint.safetensors", "runs/kept/seed-0/mvtec/metrics.json"}
    asked |= {"features/tiny/mvtec.safetensors", "features/tiny/visa.safetensors", "logs/train/gone.log", "mine.txt"}
    for name in costly | asked | {"parts/first/tables/first.csv", "figures/panels/btad/index.json"}:
        write_text(folder / name, name)
    said = tidy(after, folder, "own.yaml")
    assert standing_without_records(folder) == wanted | costly | asked
    assert standing(folder / "sha256") == {f"{name}.sha256" for name in wanted | costly | asked}
    assert len(said) == 2
    assert "removed what own.yaml no longer asks for" in said[0]
    assert "runs/gone" in said[1]
    assert "adaclip clean own.yaml --remove" in said[1]
    assert main(["clean", "own.yaml"]) == 0
    assert standing_without_records(folder) == wanted | costly | asked
    assert main(["clean", "own.yaml", "--remove"]) == 0
    assert standing_without_records(folder) == wanted | asked
    assert tidy(after, folder, "own.yaml") == []


ASKED = {"tables": table_names, "figures": figure_names, "metrics": metric_names}


def standing_without_records(folder: Path) -> set[str]:
    return {name for name in standing(folder) if not name.startswith("sha256/")}


def snakemakes_record(name: str) -> str:
    """Where Snakemake keeps what it knows of a file: its path in base64, cut into folders where it is long."""
    text, limit = urlsafe_b64encode(name.encode()).decode(), 254
    parts = [text[start : start + limit] for start in range(0, len(text), limit)]
    return "/".join([*("@" + part for part in parts[:-1]), parts[-1]])


def test_clean_removes_what_the_demo_wrote_and_nothing_else(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    demo = {"simulate": {"images": 4}, "data": "data/demo", "experiments": EXPERIMENTS}
    write_config(tmp_path / "demo.yaml", **demo)
    write_plan(tmp_path / "results" / "demo", "demo.yaml")
    long = f"results/demo/runs/{'x' * 200}/seed-0/checkpoint.safetensors"
    wrote = {"results/demo/plan.json", "results/demo/report/index.html", "results/demo/tables/results.csv", long}
    wrote |= {f"data/demo/{kind}/mvtec/file" for kind in ("mirror", "raw", "prepared")}
    digests = {"data/demo/sha256/prepared/mvtec/file.sha256", "results/demo/sha256/plan.json.sha256"}
    wrote |= digests
    wrote |= {"data/demo/prepared/mvtec/prepared.json"}
    wrote |= {"data/demo/raw/mvtec.fetched.json", "data/demo/raw/mvtec/.fetched.json"}
    others = {
        "results/own/plan.json",
        "results/demo2/summary.json",
        "data/raw/mvtec/mvtec.zip",
        "results/demo/mine.txt",
    }
    others |= {"data/prepared/mvtec/manifest.csv", "data/demo/raw/visa/own.png", "data/demo/prepared/visa/manifest.csv"}
    fill(tmp_path, *wrote, *others)
    write_json(tmp_path / "data/demo/raw/mvtec/.fetched.json", {"source": "drawn", "files": []})
    write_json(tmp_path / "data/demo/prepared/mvtec/prepared.json", {"simulated": True})
    write_json(tmp_path / "results/demo/plan.json", {"configuration": "demo.yaml"})
    records = {name: f".snakemake/metadata/{snakemakes_record(name)}" for name in (wrote - digests) | others}
    fill(tmp_path, *records.values(), ".snakemake/log/a.log")
    assert main(["clean", "demo.yaml", "--everything"]) == 0
    assert standing(tmp_path) == {"demo.yaml", *others, *(records[name] for name in others), ".snakemake/log/a.log"}
    assert not (tmp_path / "data/demo/mirror").exists()
    # Another configuration's folder is left alone.
    write_config(tmp_path / "other.yaml", **demo, results="results/own")
    write_json(tmp_path / "results/own/plan.json", {"configuration": "own.yaml"})
    assert main(["clean", "other.yaml", "--everything"]) == 2
    assert "results/own holds the results of own.yaml" in capsys.readouterr().err
    assert (tmp_path / "results/own/plan.json").is_file()


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished results of one experiment, with images."""
    experiments = {"one": {"title": "One", "auxiliary": ["mvtec"], "evaluate": ["ksdd"]}}
    return invent({**SMALL, "experiments": experiments}, tmp_path_factory.mktemp("invented"), pictures=True).parent


EVALUATED = Path("runs") / "one" / "seed-0" / "ksdd"


def first_category(metrics: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(iter(metrics["categories"].values()))
    return found


def too_large(metrics: dict[str, Any]) -> None:
    first_category(metrics)["pixel"]["auroc"] = metrics["mean"]["pixel"]["auroc"] = 1.5


def not_a_number(metrics: dict[str, Any]) -> None:
    first_category(metrics)["image"]["ap"] = metrics["mean"]["image"]["ap"] = float("nan")


def without_reason(metrics: dict[str, Any]) -> None:
    first_category(metrics)["pixel"]["aupro"] = metrics["mean"]["pixel"]["aupro"] = None


def another_mean(metrics: dict[str, Any]) -> None:
    metrics["mean"]["pixel"]["auroc"] = 0.123


def of_another_set(metrics: dict[str, Any]) -> None:
    metrics["set"] = "dagm"


def of_fewer_images(metrics: dict[str, Any]) -> None:
    first_category(metrics)["images"] -= 1
    metrics["images"] -= 1


def text_for_a_figure(metrics: dict[str, Any]) -> None:
    metrics["mean"]["image"]["auroc"] = "0.9"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (too_large, "pixel.auroc 1.5, which is no fraction in [0, 1]"),
        (not_a_number, "image.ap nan, which is no fraction"),
        (without_reason, "pixel.aupro and no reason for it"),
        (another_mean, "has mean.pixel.auroc 0.123, but the mean of its categories is"),
        (of_another_set, "is of set 'dagm' and stands in the place of 'ksdd'"),
        (of_fewer_images, "but {data}/prepared/ksdd/manifest.csv has"),
        (text_for_a_figure, "'0.9', which is no number"),
    ],
)
def test_metrics_that_cannot_be_right_are_refused(invented, tmp_path, damage, said, capsys) -> None:
    path = invented / EVALUATED / "metrics.json"
    whole = path.read_text()
    value = json.loads(whole)
    damage(value)
    path.write_text(json.dumps(value))
    try:
        assert main(tables_of(invented, tmp_path)) == 1
    finally:
        path.write_text(whole)
    error = capsys.readouterr().err
    assert said.format(data=invented.parent / "data") in error
    assert str(path) in error
    assert "remove it, and snakemake makes it again" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        (EVALUATED / "metrics.json", lambda text: text[: len(text) // 2], "as JSON"),
        (EVALUATED / "cost.json", lambda text: text[:-3], "as JSON"),
        (EVALUATED / "cost.json", lambda text: text.replace('"seconds": ', '"seconds": -'), "has seconds -"),
        (EVALUATED / "curves.json", lambda text: text[:-3], "as JSON"),
        (EVALUATED / "curves.json", lambda text: text.replace("1.0", "7.0"), "no fractions in [0, 1]"),
        (EVALUATED / "scores.csv", lambda text: text.rpartition("\n")[0].rpartition("\n")[0], "images were evaluated"),
        (EVALUATED / "scores.csv", lambda text: score_of_first(text, "nan"), "line 2: anomaly_score is nan"),
        (EVALUATED / "scores.csv", lambda text: score_of_first(text, "inf"), "line 2: anomaly_score is inf"),
        (EVALUATED / "scores.csv", lambda text: score_of_first(text, "high"), "line 2: anomaly_score is high"),
        (EVALUATED / "scores.csv", lambda _: "", "cannot be read"),
        (
            EVALUATED.parent / "history.csv",
            lambda text: text.replace("\n1,only,100,", "\n1,only,100,inf,"),
            "no finite number",
        ),
    ],
)
def test_other_files_that_cannot_be_right_are_refused(invented, tmp_path, file, change, said) -> None:
    path = invented / file
    whole = path.read_text()
    changed = change(whole)
    assert changed != whole
    path.write_text(changed)
    read = READERS[file.name]
    try:
        with pytest.raises(AdaclipError) as refused:
            read(invented / "plan.json", tmp_path)
    finally:
        path.write_text(whole)
    error = str(refused.value)
    assert error.startswith((str(path), f"cannot read {path}"))
    assert said in error
    assert error.endswith("remove it, and snakemake makes it again")
    assert "\n" not in error


def tables_of(results: Path, out: Path) -> list[str]:
    words = ["tables", "--plan", str(results / "plan.json"), "--summary", str(out / "summary.json")]
    return [*words, "--out", str(out / "tables")]


#: What reads each file.
READERS = {
    "metrics.json": lambda plan, out: write_figures(plan, out),
    "scores.csv": lambda plan, out: write_figures(plan, out),
    "cost.json": lambda plan, out: write_tables(plan, out, out / "summary.json"),
    "curves.json": lambda plan, _: ranking.draw(Results(plan), "roc", "image"),
    "history.csv": lambda plan, _: training.draw(Results(plan)),
}


def score_of_first(text: str, score: str) -> str:
    lines = text.splitlines(keepends=True)
    column = lines[0].strip().split(",").index("anomaly_score")
    parts = lines[1].split(",")
    parts[column] = score if column < len(parts) - 1 else f"{score}\n"
    return "".join([lines[0], ",".join(parts), *lines[2:]])


def test_make_clean_leaves_other_results(tmp_path: Path) -> None:
    for name in ("Makefile", "config/demo.yaml", "config/paper.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    write_plan(tmp_path / "results" / "demo", "config/demo.yaml")
    write_plan(tmp_path / "results" / "paper", "config/paper.yaml")
    demo = {"results/demo/runs/main/seed-0/checkpoint.safetensors", "data/demo/mirror/mvtec/mvtec.zip"}
    others = {"results/paper/runs/main/seed-0/checkpoint.safetensors", "data/raw/mvtec/mvtec.zip"}
    fill(tmp_path, *demo, *others)
    records = {name: f".snakemake/metadata/{snakemakes_record(name)}" for name in demo | others}
    fill(tmp_path, *records.values())
    before = standing(tmp_path)
    command = ["make", "clean", f"BIN={Path(sys.executable).parent}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = {"results/demo/plan.json", "results/demo/report/index.html"}
    assert before - standing(tmp_path) == demo | page | {records[name] for name in demo}
    # Where nothing is installed, nothing is: the folders go all the same.
    fill(tmp_path, *demo)
    subprocess.run(["make", "clean", "BIN=nowhere"], cwd=tmp_path, check=True, capture_output=True)
    assert before - standing(tmp_path) == demo | page | {records[name] for name in demo}


def test_pictures_that_are_gone_are_found(invented, tmp_path) -> None:
    data = tmp_path / "ksdd"
    shutil.copytree(invented.parent / "data" / "prepared" / "ksdd", data)
    write_json(data / "meta.json", {})
    manifest = data / "manifest.csv"
    assert lost_of_set(manifest) == []
    images, masks = sorted((data / "images").rglob("*.png")), sorted((data / "masks").rglob("*.png"))
    for path in (images[0], masks[-1], data / "meta.json"):
        path.unlink()
    assert sorted(lost_of_set(manifest)) == sorted([images[0], masks[-1], data / "meta.json"])
    # The first image is gone and others are here: the set is damaged, not one that came without pictures.
    assert has_images(manifest)
    shutil.rmtree(data / "images")
    shutil.rmtree(data / "masks")
    assert not has_images(manifest)
    assert lost_of_set(manifest) == []

    overview = tmp_path / "overview" / "overview.json"
    example = {"file": "thumbnails/000_normal.webp"}
    write_json(overview, {"categories": [{"examples": [example, {"file": "thumbnails/000_anomalous.webp"}]}]})
    fill(tmp_path / "overview", "thumbnails/000_anomalous.webp")
    gone = lost_of_overview(overview)
    assert gone == [tmp_path / "overview" / example["file"]]
    assert void({overview: gone, manifest: []}) == [f"gone: {gone[0]}, to be made again"]
    assert not overview.exists()
    assert manifest.exists()


def test_tables_of_a_part_that_are_gone_are_found(tmp_path: Path) -> None:
    _, document = plan_of(write_config(tmp_path / "own.yaml", experiments=EXPERIMENTS, tables=TABLES))
    part = part_document(document, "first", "../..")
    folder = tmp_path / "parts" / "first"
    assert lost_of_part(part, folder) == []
    fill(folder, *(f"tables/{name}" for name in table_names(part)), *(f"figures/{name}" for name in figure_names(part)))
    assert lost_of_part(part, folder) == []
    (folder / "tables" / "first.csv").unlink()
    assert lost_of_part(part, folder) == [folder / "tables" / "first.csv"]
