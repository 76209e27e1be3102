"""What the verbs need beside the packages that everybody gets, tried by hiding the packages of the extras."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from adaclip.cli.extras import EXTRAS, missing_extra
from tests.workflow.project import draw_original

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
HIDDEN = [*(package for packages in EXTRAS.values() for package in packages), "snakemake", "dvc"]
WITHOUT = f"""
import json, sys
sys.modules.update(dict.fromkeys({HIDDEN!r}))
from adaclip.cli import main
for arguments in json.loads(sys.argv[1]):
    code = main(arguments)
    if code:
        sys.exit(code)
"""


def without_extras(folder: Path, *commands: list[str]) -> subprocess.CompletedProcess[str]:
    """Run verbs in an interpreter that finds no package of an extra."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, json.dumps(commands)], capture_output=True, text=True, check=False, cwd=folder
    )


def test_the_extras_are_those_of_the_project():
    declared = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    for extra, packages in EXTRAS.items():
        assert tuple(line.split(">=")[0].lower() for line in declared[extra]) == packages
    assert declared["workflow"][0] == f"adaclip-bench[{','.join(EXTRAS)}]"
    assert declared["all"] == ["adaclip-bench[workflow]"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("data fetch mvtec --out raw --accept-licence", "adaclip data fetch: install adaclip-bench[fetch] (requests"),
        ("weights fetch april_gan_visa --out raw", "adaclip weights fetch: install adaclip-bench[fetch] (requests"),
        ("tables --plan p --out t --summary s", "adaclip tables: install adaclip-bench[report] (tabulate"),
        ("figures --plan p --out f", "adaclip figures: install adaclip-bench[report] (matplotlib"),
        ("report --plan p", "adaclip report: install adaclip-bench[report] (jinja2"),
    ],
    ids=["data-fetch", "weights-fetch", "tables", "figures", "report"],
)
def test_a_verb_says_which_extra_it_lacks(command, said, tmp_path):
    done = without_extras(tmp_path, command.split())
    assert done.returncode == 1, done.stderr
    assert done.stderr == f"adaclip: error: {said} is missing)\n"
    assert list(tmp_path.iterdir()) == []


def test_another_missing_module_is_no_extra():
    assert missing_extra("adaclip score", ModuleNotFoundError("No module named 'numpy'", name="numpy")) is None
    error = missing_extra("adaclip report", ModuleNotFoundError("no", name="matplotlib.pyplot"))
    assert str(error) == "adaclip report: install adaclip-bench[report] (matplotlib is missing)"


def test_the_base_prepares_trains_evaluates_and_scores(tmp_path):
    draw_original(tmp_path / "raw", seed=0, category="nut")
    draw_original(tmp_path / "other", seed=1, category="bolt")
    tiny = '{"model": "tiny", "image_size": 32}'
    evaluation = '{"batch_size": 4, "size": 32}'
    manifest, here = "prepared/toy/manifest.csv", ["--device", "cpu", "--threads", "1", "--workers", "0"]
    entry = ["--entry", '{"domain": "custom"}']
    prepare = ["data", "prepare", "--jobs", "1"]
    done = without_extras(
        tmp_path,
        ["methods"],
        [*prepare, "toy", "--raw", "raw", "--out", "prepared/toy", *entry],
        [*prepare, "other", "--raw", "other", "--out", "prepared/other", *entry],
        ["features", "--backbone", tiny, "--manifest", manifest, "--out", "f.safetensors", *here],
        [
            *("train", "--backbone", tiny, "--model", '{"prompt_depth": 2, "clusters": 2}'),
            *("--train", '{"epochs": 1, "batch_size": 2}', "--manifest", manifest, "--features", "f.safetensors"),
            *("--out", "c.safetensors", *here),
        ],
        [
            *("evaluate", "--checkpoint", "c.safetensors", "--manifest", "prepared/other/manifest.csv"),
            *("--evaluation", evaluation, "--out", "evaluated", *here),
        ],
        [
            *("baseline", "--method", "random", "--manifest", manifest),
            *("--evaluation", evaluation, "--out", "drawn"),
        ],
        [
            *("score", "--checkpoint", "c.safetensors", "--images", "raw", "--category", "nut"),
            *("--evaluation", evaluation, "--out", "scored", *here),
        ],
    )
    assert done.returncode == 0, done.stderr
    for made in ("evaluated/metrics.json", "drawn/metrics.json", "scored/scores.csv"):
        assert (tmp_path / made).stat().st_size > 0
    # Also where a process of its own misses it.
    audit = without_extras(tmp_path, ["audit", "fingerprint", "--manifest", manifest, "--out", "a.csv", "--jobs", "2"])
    said = "adaclip audit fingerprint: install adaclip-bench[report] (imagehash is missing)"
    assert (audit.returncode, audit.stderr) == (1, f"adaclip: error: {said}\n")
