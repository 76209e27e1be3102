"""Configurations that were taken without a word, or refused in many lines: each is one line now, or is right.

The real Snakemake plans here, for what it reads before the workflow does is part of the fault.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from adaclip.cli import main
from adaclip.errors import UsageError
from adaclip.plan.beforehand import RULES
from adaclip.plan.config import load_config, read_configs

ROOT = Path(__file__).parents[2]
OWN = {
    "datasets": {"bolts": {"raw": "photos/bolts"}, "nuts": {"raw": "photos/nuts"}},
    "backbones": {"tiny": {"model": "tiny", "image_size": 56}},
    "defaults": {"train": {"epochs": 3}},
    "experiments": {"on_bolts": {"auxiliary": ["bolts"], "evaluate": ["nuts"]}},
}


def plan(folder: Path, *words: str, code: int = 0, **environment: str) -> list[str]:
    """What `snakemake -n` says in a folder, without the line on the profile that comes before everything."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "-n", *words]
    known = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb", **environment}
    done = subprocess.run(command, cwd=folder, env=known, capture_output=True, text=True, check=False)
    said = (done.stderr + done.stdout).splitlines()
    assert done.returncode == code, said
    return [line for line in said if not line.startswith("Using workflow specific profile")]


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two sets of images and `own.yaml`."""
    for name in ("bolts", "nuts"):
        write(tmp_path / "photos" / name / "good/1.png", "")
    write(tmp_path / "own.yaml", OWN)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            yaml.safe_dump(OWN) + "experiments:\n  other: {auxiliary: [nuts], evaluate: [bolts]}\n",
            "own.yaml, line 19, column 1: key 'experiments' stands twice",
        ),
        ("title: [one\nnote: two\n", "own.yaml, line 2, column 5: not valid YAML: expected ',' or ']', but got ':'"),
        ("title: one\n\tnote: two\n", "own.yaml, line 2, column 1: not valid YAML: found character"),
        ("extends: gone.yaml\n", "own.yaml: extends gone.yaml: no such file: gone.yaml"),
        ("extends: base.yaml\n", "base.yaml, line 2, column 1: key 'title' stands twice"),
        ("extends: .\n", "own.yaml: extends .: . is a folder: name a file"),
        ("extends: [base.yaml]\n", "own.yaml: extends: ['base.yaml'] is not the name of one file"),
        ("extends: ''\n", "own.yaml: extends: '' is not the name of one file"),
        ("", "own.yaml: expected keys and values"),
        ("- title\n", "own.yaml: expected keys and values"),
        ("extends: null\n", "own.yaml: extends: None is not the name of one file"),
        ("{}\n", "own.yaml: top level: it has no experiments"),
        (yaml.safe_dump({**OWN, "title": 3}), "own.yaml: title: 3 is not of type 'string'"),
    ],
)
def test_one_reader_says_the_same_on_every_way_in(folder, capsys, monkeypatch, text, said):
    monkeypatch.chdir(folder)
    write(folder / "own.yaml", text)
    write(folder / "base.yaml", "title: one\ntitle: two\n")
    [line] = plan(folder, "--configfile", "own.yaml", code=2)
    assert line.startswith(f"adaclip: error: {said}")
    assert main(["check", "own.yaml"]) == 2
    assert capsys.readouterr().err == f"{line}\n"


def test_a_missing_file_is_one_line(folder):
    assert plan(folder, "--configfile", "gone.yaml", code=2) == ["adaclip: error: no such file: gone.yaml"]


def test_a_target_after_the_configuration_is_explained(folder):
    [line] = plan(folder, "--configfile", "own.yaml", "table_1", code=2)
    assert line.startswith("adaclip: error: no such file: table_1 (--configfile takes every word after it for a file;")
    assert line.endswith("snakemake table_1 --configfile own.yaml)")


@pytest.mark.parametrize("key", ["experiments.on_bolts.seeds", "1", "-a", "a"])
def test_an_override_that_snakemake_cannot_take_is_one_line(folder, key):
    [line] = plan(folder, "--configfile", "own.yaml", "--config=title=x", f"--config={key}=[1]", code=2)
    assert line.startswith(f"adaclip: error: --config {key}=[1]: '{key}' is no key of the top level: write ")


def test_two_files_and_overrides_are_merged_in_their_order(folder):
    write(folder / "more/base.yaml", {"defaults": {"seeds": [7], "train": {"epochs": 9, "batch_size": 2}}})
    second = write(folder / "more/second.yaml", {"extends": "base.yaml", "defaults": {"train": {"epochs": 4}}})
    overrides = ["defaults={train: {learning_rate: 0.5}}", "title=7 sets"]
    value = read_configs([folder / "own.yaml", second], overrides)
    assert value["defaults"] == {"train": {"epochs": 4, "batch_size": 2, "learning_rate": 0.5}, "seeds": [7]}
    assert value["title"] == "7 sets"
    assert list(value["experiments"]) == ["on_bolts"]
    with pytest.raises(UsageError, match="--config licences, line 1, column 15: key 'accept' stands twice"):
        read_configs([folder / "own.yaml"], ["licences={accept: all, accept: []}"])


def test_numbers_in_overrides_are_numbers(folder):
    said = plan(folder, "--configfile", "own.yaml", "--config", "defaults={train: {epochs: 2}, seeds: [1, 2]}", "-p")
    assert sum(line.startswith("rule train:") for line in said) == 2
    assert any("adaclip train" in line and '"epochs": 2' in line for line in said)
    assert any("/seed-2/" in line for line in said)


def test_a_plan_is_read_by_people(tmp_path):
    """The paper's is asked of in tests/workflow/test_paper_plan.py, for it takes longer."""
    said = plan(tmp_path, "--configfile", str(ROOT / "config" / "demo.yaml"))
    assert len(said) < 60
    assert sum(line.startswith("Job stats:") for line in said) == 1
    assert any(line.startswith("cost: about ") for line in said)
    assert not any(line.startswith("rule ") for line in said)


def test_home_and_variables_are_expanded(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("REAL", str(folder / "real"))
    sets = {"bolts": {"raw": "~/bolts"}, "nuts": {"raw": "$REAL/nuts"}, "rods": {"raw": "${REAL}/a b"}}
    backbone = {"model": "~/model.json", "pretrained": "$REAL/weights.pt"}
    write(folder / "own.yaml", {**OWN, "datasets": sets, "backbones": {"one": backbone}, "results": "$REAL/results"})
    config = load_config(folder / "own.yaml")
    assert [entry["raw"] for entry in config.datasets.values()] == [
        f"{folder}/home/bolts",
        f"{folder}/real/nuts",
        f"{folder}/real/a b",
    ]
    assert config.backbones["one"].model == f"{folder}/home/model.json"
    assert config.backbones["one"].pretrained == f"{folder}/real/weights.pt"
    assert config.results == f"{folder}/real/results"
    monkeypatch.delenv("REAL")
    with pytest.raises(UsageError, match=r"own.yaml: results: \$REAL in '\$REAL/results' is not set"):
        load_config(folder / "own.yaml")


def test_what_is_not_there_is_said_before_anything_runs(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder / "home"))
    sets = {"bolts": {"raw": "~/bolts"}, "nuts": {"raw": "photos/gone"}}
    write(folder / "own.yaml", {**OWN, "datasets": sets})
    [line] = plan(folder, "--configfile", "own.yaml", code=2)
    assert line == (
        f"adaclip: error: own.yaml: datasets.bolts: no such file or folder: {folder}/home/bolts (and nuts): "
        "say where the original is (raw: PATH, from the working folder)"
    )
    assert main(["check", "own.yaml"]) == 2
    assert capsys.readouterr().err == f"{line}\n"


@pytest.fixture
def refused(folder, capsys, monkeypatch):
    """What `adaclip check` says of changes to a configuration that is right."""
    monkeypatch.chdir(folder)
    assert main(["check", "own.yaml"]) == 0
    capsys.readouterr()

    def check(**changes: object) -> str:
        write(folder / "own.yaml", {**OWN, **changes})
        assert main(["check", "own.yaml"]) == 2
        [line] = capsys.readouterr().err.splitlines()
        return line.removeprefix("adaclip: error: own.yaml: ")

    return check


def entry(**changes: object) -> dict[str, object]:
    return {"on_bolts": {"auxiliary": ["bolts"], "evaluate": ["nuts"], **changes}}


@pytest.mark.parametrize(
    ("backbone", "said"),
    [
        (
            {"model": "tiny", "image_size": 140},
            "image_size 140 is not a multiple of tiny's patch size 8: use 136 or 144",
        ),
        ({"model": "ViT-B-32"}, "image_size 518 is not a multiple of ViT-B-32's patch size 32: use 512 or 544"),
        ({"model": "ViT-L-41"}, "unknown model 'ViT-L-41'"),
        ({"model": "gone.json"}, "no such model config: gone.json"),
        ({"model": "RN50", "image_size": 224}, "RN50 is not supported"),
        (
            {"model": "ViT-L-14-336", "pretrained": "openay"},
            "weights 'openay' of ViT-L-14-336: no such",
        ),
        (
            {"model": "ViT-L-14-336", "pretrained": "gone.pt"},
            "weights 'gone.pt' of ViT-L-14-336: no such",
        ),
        ({"model": "tiny", "preset": "reference"}, "unknown key 'preset' (give it to experiments or to defaults)"),
    ],
)
def test_backbones_that_cannot_be_made(refused, backbone, said):
    assert refused(backbones={"one": backbone}).startswith(f"backbones.one: {said}")


def test_an_activation_that_is_none(refused):
    said = refused(backbones={"one": {"model": "tiny", "activation": "relu"}})
    assert said == "backbones.one.activation: 'relu' is not one of gelu, quick_gelu, as_trained, null"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": {"prompt_depth": 5}}, "experiments.on_bolts: prompt_depth 5 is more than the 4 blocks of the text"),
        (
            {"model": {"prompt_depth": 9, "prompt_branch": "V"}},
            "experiments.on_bolts: prompt_depth 9 is more than the 8 blocks of the vision tower",
        ),
        (
            {"model": {"prompt_length": 77}},
            "experiments.on_bolts: prompt_length 77 does not fit the text tower",
        ),
        ({"train": {"mosaic_sets": ["mvtek"]}}, "experiments.on_bolts: train.mosaic_sets: unknown data set 'mvtek'"),
        ({"seeds": [2**32]}, "experiments.on_bolts.seeds.0: 4294967296 is greater than the maximum of 4294967295"),
        ({"seeds": [-1]}, "experiments.on_bolts.seeds.0: -1 is less than the minimum of 0"),
        ({"seeds": [0, 0]}, "experiments.on_bolts.seeds: [0, 0] has non-unique elements"),
        ({"seeds": [1.0]}, "experiments.on_bolts.seeds.0: 1.0 is not of type 'integer'"),
        ({"train": {"batch_size": 10**9}}, "experiments.on_bolts.train.batch_size: 1000000000 is greater than"),
        (
            {"train": {"learning_rate": "1e-3"}},
            "experiments.on_bolts.train.learning_rate: '1e-3' is text: write 1.0e",
        ),
        ({"sweep": {"model.prompt_depth": [2, 5]}}, "experiments.on_bolts_5: prompt_depth 5 is more than the 4 blocks"),
        ({"sweep": {"model.clusters": [0, 2]}}, "experiments.on_bolts_0.model.clusters: 0 is less than the minimum"),
        ({"sweep": {"preset": ["corrected", "x"]}}, "experiments.on_bolts_x: unknown preset 'x': use reference or"),
        ({"sweep": {"method": ["adaclip", 3]}}, "experiments.on_bolts_3: unknown method '3' (known: adaclip, "),
        ({"model": {"cluster": 2}}, "experiments.on_bolts.model: unknown key 'cluster' (did you mean 'clusters'?)"),
        ({"train": {"epoch": 2}}, "experiments.on_bolts.train: unknown key 'epoch' (did you mean 'epochs'?)"),
        ({"method": "oracle", "model": {"x": 1}}, "experiments.on_bolts.model: unknown key 'x' (known keys: none)"),
        ({"method": "oracle", "train": {"epochs": 1}}, "experiments.on_bolts: method oracle is not trained: leave"),
        ({"method": "oracle"}, "experiment 'on_bolts': method oracle takes no auxiliary data: leave it out"),
        (
            {"method": "winclip", "auxiliary": [], "model": {"scale": [2]}},
            "experiments.on_bolts.model: unknown key 'scale' (did you mean 'scales'?)",
        ),
        (
            {"model": {"prompt_type": "none"}, "train": {"freeze_projections": True}},
            "experiment 'on_bolts': nothing to train: no prompts, and the projections are frozen",
        ),
        ({"checkpoint": "gone.pth"}, "experiments.on_bolts: checkpoint gone.pth: no such file or folder"),
        ({"checkpoint": "gone"}, "experiments.on_bolts: checkpoint 'gone' is neither a file nor the id of released"),
        ({"checkpoint": "own.yaml"}, "experiments.on_bolts: own.yaml is not a checkpoint: it is a text file that"),
        ({"checkpoint": "own.yaml", "train": {"epochs": 1}}, "experiments.on_bolts: a checkpoint is not trained: "),
    ],
)
def test_experiments_that_must_fail(refused, changes, said):
    assert refused(experiments=entry(**changes)).startswith(said)


@pytest.mark.parametrize(
    ("defaults", "said"),
    [
        ({"train": {"epoch": 3}}, "defaults.train: unknown key 'epoch' (did you mean 'epochs'?)"),
        ({"model": {"clusterz": 3}}, "defaults.model: unknown key 'clusterz' (did you mean 'clusters'?)"),
        ({"train": {"epochs": -3}}, "defaults.train.epochs: -3 is less than the minimum of 1"),
        ({"train": {"betas": [0.5, 2]}}, "defaults.train.betas.1: 2 is greater than or equal to the maximum of 1"),
        ({"model": 3}, "defaults.model: 3 is not of type 'object'"),
        ({"preset": "x"}, "defaults.preset: 'x' is not one of reference, corrected"),
        ({"evaluate_with": {"siz": 56}}, "defaults.evaluate_with: unknown key 'siz' (did you mean 'size'?)"),
    ],
)
def test_defaults_that_must_fail(refused, defaults, said):
    assert refused(defaults=defaults) == said


def test_defaults_may_have_settings_of_methods_that_are_not_used(folder):
    experiments = {"guess": {"method": "random", "evaluate": ["nuts"]}}
    write(folder / "own.yaml", {**OWN, "defaults": {"model": {"clusters": 3}}, "experiments": experiments})
    assert load_config(folder / "own.yaml").experiments[0].method == "random"


def test_fp16_on_a_cpu(refused):
    cpu = {"runtime": {"device": "cpu"}}
    said = refused(**cpu, experiments=entry(train={"precision": "fp16"}))
    assert said.startswith("experiments.on_bolts: precision fp16 needs a GPU, and runtime.device is cpu")
    said = refused(**cpu, defaults={"evaluate_with": {"precision": "fp16"}})
    assert said.startswith("defaults.evaluate_with: precision fp16 needs a GPU, and runtime.device is cpu")


@pytest.mark.parametrize("text", [".inf", "-.inf", ".nan", "1.0e+400"])
def test_numbers_that_are_none(folder, capsys, text):
    write(
        folder / "own.yaml", yaml.safe_dump(OWN) + f"protocols: {{a: [{{auxiliary: [bolts], evaluate: [{text}]}}]}}\n"
    )
    assert main(["check", str(folder / "own.yaml")]) == 2
    assert "is not a finite number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "name", "answers", "said"),
    [
        ("tables", "all", "", "'all' would be the target 'all', which is a step of the workflow"),
        ("tables", "prepared", "", "'prepared' would be the target 'prepared'"),
        ("curves", "train", "", "'train' would be the target 'train'"),
        ("tables", "mine", "Figures", "'mine' would be the target 'figures'"),
        ("tables", "results", "", "tables.results: every report has files of that name"),
        ("tables", "index", "", "tables.index: every report has files of that name"),
        ("tables", "große", "", "tables: 'große' does not fit: small letters, digits and \"_\""),
    ],
)
def test_names_that_are_taken(refused, kind, name, answers, said):
    swept = {"sweep": {"model.clusters": [2, 3]}}
    asked = {"rows": [{"experiments": ["on_bolts_2"]}]} if kind == "tables" else {"experiments": ["on_bolts"]}
    axis = {} if kind == "tables" else {"x": "model.clusters"}
    changes = {kind: {name: {**asked, **axis, "answers": answers}}, "experiments": entry(**swept)}
    assert refused(**changes).startswith(said)


def test_the_steps_of_the_workflow_are_known():
    rules = [
        re.findall(r"^rule (\w+):", path.read_text(), re.MULTILINE)
        for path in (ROOT / "workflow").rglob("*")
        if path.is_file() and path.suffix in ("", ".smk")
    ]
    assert {name for names in rules for name in names} == RULES


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": "all", "results": "all/results"}, "data (all) and results (all/results) lie in one another"),
        ({"data": "same", "results": "./same/"}, "data (same) and results (same) lie in one another"),
        ({"results": "own.yaml"}, "results: "),
        ({"results": "own.yaml/below"}, "results: "),
        ({"data": "a{b}"}, "data: a{b}: a folder's name here has no { or }"),
        ({"results": "-x"}, "results: -x: a folder's name here has no { or }, and no - in front"),
        ({"results": "  "}, "results: '  ': a folder's name here has no white space at its ends"),
        ({"results": "results/own "}, "results: 'results/own ': a folder's name here has no white space"),
        ({"data": "a" * 300}, "data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa... is too long"),
        ({"datasets": {**OWN["datasets"], "nuts": {"raw": "a" * 300}}}, "cannot look at aaaa"),
        ({"data": ""}, "data: '' should be non-empty"),
        (
            {"datasets": {**OWN["datasets"], "nuts": {"raw": "."}}},
            "datasets.nuts.raw: . and data/prepared, which is writ",
        ),
        (
            {"datasets": {**OWN["datasets"], "nuts": {"raw": "data/prepared/x"}}},
            "datasets.nuts.raw: data/prepared/x and",
        ),
        ({"datasets": {"bolts": {"raw": "photos/bolts"}}}, "unknown data set 'nuts'"),
        ({"datasets": {**OWN["datasets"], "nuts": {}}}, "datasets.nuts: no such file or folder: data/raw/nuts"),
        ({"datasets": {**OWN["datasets"], "nuts": {"raw": "empty"}}}, "datasets.nuts: empty is empty"),
        ({"licences": {"accept": ["mvtek"]}}, "licences.accept: unknown data set 'mvtek'"),
        (
            {"datasets": {**OWN["datasets"], "m 5": {"raw": "x"}}},
            "datasets: top level: 'm 5' does not fit",
        ),
        (
            {"datasets": {**OWN["datasets"], "mütze": {"raw": "x"}}},
            "datasets: top level: 'mütze' does not fit",
        ),
    ],
)
def test_folders_and_sets_that_cannot_be(folder, refused, changes, said):
    (folder / "empty").mkdir()
    assert refused(**changes).startswith(said)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(folder, refused):
    (folder / "locked").mkdir(mode=0o500)
    assert refused(results="locked/results").startswith("results: locked cannot be written")


def test_a_set_that_was_prepared_before_needs_no_original(folder, monkeypatch):
    monkeypatch.chdir(folder)
    write(folder / "own.yaml", {**OWN, "datasets": {**OWN["datasets"], "nuts": {"raw": "gone"}}})
    assert main(["check", "own.yaml"]) == 2
    write(folder / "data/prepared/nuts/manifest.csv", "")
    assert main(["check", "own.yaml"]) == 0
