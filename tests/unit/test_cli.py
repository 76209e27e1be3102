"""The command line: help that reads well, a fast start, and one line for each thing that is wrong."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import adaclip
from adaclip.cli import build_parser, main
from tests.sets import draw_image
from tests.unit.test_checkpoint import OFFICIAL

BACKBONE = '{"model": "tiny", "image_size": 32}'


def parsers(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()):
    """Every verb with its parser, those below others too."""
    yield path, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from parsers(below, (*path, name))


VERBS = dict(parsers(build_parser()))


@pytest.mark.parametrize("path", VERBS, ids=lambda path: " ".join(path) or "adaclip")
def test_help_reads_well(path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as caught:
        main([*path, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: {' '.join(('adaclip', *path))} ")
    description = VERBS[path].description
    assert description[0].isupper()
    assert description.endswith(".")
    assert max(map(len, text.splitlines())) <= 100
    for action in VERBS[path]._actions:
        assert action.help or isinstance(action, argparse._SubParsersAction), action.option_strings
        # What takes a value says of which kind it is.
        if action.option_strings and action.nargs != 0 and action.choices is None:
            assert action.metavar == action.metavar.upper(), action.option_strings


def test_the_verbs_of_the_workflow_are_there():
    rules = "".join(path.read_text() for path in (Path(__file__).parents[2] / "workflow" / "rules").glob("*.smk"))
    called = {line.split('"')[1].strip() for line in rules.splitlines() if line.strip().startswith('"adaclip ')}
    assert called
    for command in called:
        words = [word for word in command.split()[1:] if word.isalpha()]
        assert tuple(words) in VERBS, command


def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "adaclip.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("data", "list"),
        ("methods",),
        ("train", "--help"),
        ("tables", "--plan", "x", "--out", "y", "--summary", "z"),
    ],
)
def test_what_needs_no_tensor_loads_no_torch(arguments, tmp_path):
    code = (
        "import sys\nfrom adaclip.cli import main\n"
        f"try: main({list(arguments)!r})\nexcept SystemExit: pass\n"
        "bad = {'torch', 'torchvision', 'open_clip', 'matplotlib', 'snakemake'} & set(sys.modules)\n"
        "sys.exit(f'loaded {bad}' if bad else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_the_program_itself(tmp_path):
    result = run("--version")
    assert (result.returncode, result.stdout) == (0, f"adaclip-bench {adaclip.__version__}\n")
    result = run("data", "list", cwd=tmp_path)
    assert result.returncode == 0
    assert "mvtec" in result.stdout
    result = run("check", "missing.yaml", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (2, "adaclip: error: no such file: missing.yaml\n")
    result = run("evaluate", "--checkpoint", "c", "--manifest", "m", "--out", "o", "--device", "cpu", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (1, "adaclip: error: no such checkpoint: c\n")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    command = f"{sys.executable} -m adaclip.cli data list | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


def test_interrupted(monkeypatch, capsys):
    def interrupt(arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("adaclip.cli.data._data_list", interrupt)
    assert main(["data", "list"]) == 130
    assert capsys.readouterr().err == "adaclip: interrupted\n"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("trian",),
        ("train",),
        ("train", "--backbone", BACKBONE, "--out", "x", "--seed", "one"),
        ("train", "--backbone", BACKBONE, "--out", "x", "--threads", "0"),
        ("train", "--backbone", BACKBONE, "--out", "x", "--workers", "-1"),
        ("data", "prepare", "mvtec"),
        ("data", "prepare", "mvtec", "--raw", "x", "--out", "y", "--jobs", "0"),
        ("data", "prepare", "mvtec", "--raw", "x", "--out", "y", "--max-gb", "nan"),
        ("evaluate", "--unknown"),
    ],
)
def test_wrong_arguments_are_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert "error: " in lines[-1]


# Input that is wrong: one line, the right code, nothing half-written.


@pytest.fixture
def scene(tmp_path, monkeypatch, prepared):
    """A folder with an original, a prepared set, a checkpoint and a plan's config, all of them good."""
    rng = np.random.default_rng(0)
    for index in range(4):
        pixels, mask = draw_image(rng, 48, 40, index % 2 == 1)
        for name, values in {
            f"raw/bolt/test/{'hole' if index % 2 else 'good'}/{index:03}.png": pixels,
            **({f"raw/bolt/ground_truth/hole/{index:03}_mask.png": mask} if index % 2 else {}),
        }.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(tmp_path / name)
    prepared("toy")
    torch.manual_seed(0)
    model = adaclip.AdaCLIP(adaclip.load_backbone("tiny", image_size=32), clusters=2)
    provenance = {"run": "r", "method": "adaclip", "seed": 0, "auxiliary": ["mvtec"], "selection": None}
    adaclip.save_checkpoint(model, tmp_path / "c.safetensors", provenance)
    config = {
        "backbones": {"tiny": {"model": "tiny", "image_size": 32}},
        "datasets": {"mine": {"raw": "raw"}},
        "experiments": {"a": {"auxiliary": ["mvtec"], "evaluate": ["mine"]}},
    }
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prepare(*more: str) -> list[str]:
    return ["data", "prepare", "mine", "--raw", "raw", "--out", "new/mine", "--jobs", "1", *more]


TRUNCATED = "raw/bolt/test/hole/001.png"
MANIFEST = "prepared/toy/manifest.csv"
EVALUATE = ["evaluate", "--checkpoint", "c.safetensors", "--manifest", MANIFEST, "--out", "new/out", "--device", "cpu"]
FEATURES = ["features", "--backbone", BACKBONE, "--manifest", MANIFEST, "--out", "new/f.safetensors", "--device", "cpu"]
TRAIN = ["train", "--backbone", BACKBONE, "--out", "new/c.safetensors", "--device", "cpu"]
SCORE = [
    "score",
    "--checkpoint",
    "c.safetensors",
    "--images",
    "raw",
    "--category",
    "bolt",
    "--out",
    "new/s",
    "--device",
    "cpu",
]


def test_everything_good_works(scene, capsys):
    assert main(prepare()) == 0
    assert main(EVALUATE) == 0
    assert main(FEATURES) == 0
    assert main([*TRAIN, "--train", '{"epochs": 1}', "--manifest", MANIFEST, "--features", "new/f.safetensors"]) == 0
    assert main(SCORE) == 0
    assert main(["check", "config.yaml"]) == 0
    assert main(["plan", "--config", "config.yaml", "--out", "new/plan.json"]) == 0
    assert sorted(path.name for path in (scene / "new").iterdir()) == [
        "c.safetensors", "cost.json", "f.safetensors", "history.csv", "mine", "out", "plan.json", "s",
    ]  # fmt: skip
    assert capsys.readouterr().err == ""


def truncate(path: str, length: int = 150) -> None:
    Path(path).write_bytes(Path(path).read_bytes()[:length])


def resize_mask() -> None:
    Image.new("L", (20, 20), 255).save("raw/bolt/ground_truth/hole/001_mask.png")


def lose_mask() -> None:
    Path("raw/bolt/ground_truth/hole/001_mask.png").unlink()


def wrong_key() -> None:
    text = Path("config.yaml").read_text()
    Path("config.yaml").write_text(text.replace('"evaluate"', '"evalute"'))


def leak() -> None:
    text = Path("config.yaml").read_text()
    Path("config.yaml").write_text(text.replace('["mine"]', '["mine", "mvtec"]'))


@pytest.mark.parametrize(
    ("change", "arguments", "code", "words"),
    [
        (None, [*prepare()[:4], "nowhere", "--out", "new/mine"], 1, ["mine", "no such file or folder: nowhere"]),
        (lambda: truncate(TRUNCATED), prepare(), 1, [TRUNCATED]),
        (resize_mask, prepare(), 1, ["001_mask.png", "20", "48"]),
        (lose_mask, prepare(), 1, ["001"]),
        (None, prepare("--entry", '{"categories": {"nut": "nut"}}'), 1, ["unknown category 'bolt'", "known: nut"]),
        (None, prepare("--entry", '{"categoris": {}}'), 2, ["unknown key 'categoris' (did you mean 'categories'?)"]),
        (None, prepare("--out", "file/mine"), 1, ["cannot write file/mine"]),
        (None, ["check", "missing.yaml"], 2, ["no such file: missing.yaml"]),
        (wrong_key, ["check", "config.yaml"], 2, ["config.yaml", "unknown key 'evalute' (did you mean 'evaluate'?)"]),
        (wrong_key, ["plan", "--config", "config.yaml", "--out", "new/p.json"], 2, ["unknown key 'evalute'"]),
        (leak, ["check", "config.yaml"], 2, ["experiment 'a'", "'mvtec' is part of the auxiliary data (mvtec)"]),
        (lambda: truncate("c.safetensors"), EVALUATE, 1, ["cannot read checkpoint c.safetensors"]),
        (lambda: truncate("prepared/toy/images/bolt/003.png"), EVALUATE, 1, ["images/bolt/003.png"]),
        (lambda: truncate(MANIFEST, 40), EVALUATE, 1, [MANIFEST, "lacks the column 'defect'"]),
        (
            lambda: Path("prepared/toy/prepared.json").unlink(),
            EVALUATE,
            1,
            ["no such file: prepared/toy/prepared.json"],
        ),
        (None, [*EVALUATE, "--manifest", "m.csv"], 1, ["no such manifest: m.csv"]),
        (None, [*EVALUATE, "--out", "file"], 1, ["cannot write file"]),
        (
            None,
            [*EVALUATE, "--evaluation", '{"smoothin": 1}'],
            2,
            ["unknown key 'smoothin' (did you mean 'smoothing'?)"],
        ),
        (None, [*EVALUATE, "--evaluation", "{"], 2, ["not valid JSON"]),
        (None, [*EVALUATE, "--evaluation", '{"precision": "fp16"}'], 2, ["fp16 needs a GPU"]),
        (None, [*EVALUATE, "--features", "f"], 1, ["no such features: f: run adaclip features"]),
        (lambda: truncate("prepared/toy/images/bolt/003.png"), FEATURES, 1, ["images/bolt/003.png"]),
        (None, [*FEATURES, "--backbone", '{"model": "tini"}'], 2, ["unknown model 'tini'"]),
        (None, [*FEATURES, "--backbone", "b.yaml"], 2, ["no such file: b.yaml"]),
        (None, [*FEATURES, "--backbone", '{"image_size": 32}'], 2, ["'model' is a required property"]),
        (None, [*FEATURES, "--out", "file/f.safetensors"], 1, ["cannot write file/f.safetensors"]),
        (None, [*TRAIN, "--manifest", MANIFEST], 2, ["1 manifests but 0 feature files: give one for each"]),
        (
            None,
            [*TRAIN, "--selection-manifest", MANIFEST],
            2,
            ["--selection-manifest and --selection-features together"],
        ),
        (None, TRAIN, 2, ["no auxiliary data"]),
        (
            None,
            [*TRAIN, "--method", "untrained", "--out", "file/c.safetensors"],
            1,
            ["cannot write file/c.safetensors"],
        ),
        (None, [*TRAIN, "--method", "untrained", "--out", "new/c.ckpt"], 2, ["end its name in .safetensors"]),
        (None, [*TRAIN, "--method", "untrained", "--model", '{"prompt_depth": 7}'], 2, ["4 blocks of the text tower"]),
        (lambda: truncate(TRUNCATED), SCORE, 1, [TRUNCATED]),
        (None, [*SCORE, "--images", "prepared/none"], 1, ["no such folder: prepared/none"]),
        (None, [*SCORE, "--checkpoint", str(OFFICIAL)], 2, ["official_layout.pth", "--backbone"]),
        (
            None,
            ["tables", "--plan", "p.json", "--out", "new/t", "--summary", "new/s.json"],
            1,
            ["no such file: p.json"],
        ),
        (None, ["figures", "--plan", "file", "--out", "new/f"], 1, ["cannot read file as JSON"]),
        (None, ["data", "simulate", "mvtek", "--out", "new/raw"], 2, ["mvtek"]),
        (None, ["data", "list", "--config", "missing.yaml"], 2, ["no such file: missing.yaml"]),
    ],
)
def test_what_is_wrong_is_one_line(scene, capsys, change, arguments, code, words):
    if change is not None:
        change()
    before = sorted(str(path) for path in scene.rglob("*"))
    assert main(arguments) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("adaclip: error: ")
    for word in words:
        assert word in lines[0]
    written = {str(path) for path in scene.rglob("*") if path.is_file()} - set(before)
    # Images that could be scored keep their scores and heat maps, each of them whole; nothing else is left.
    assert all("/new/s/maps/" in path or path.endswith("/new/s/scores.csv") for path in written)


def test_check_says_what_is_trained_and_what_is_taken(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    large = "large: {model: ViT-L-14-336, pretrained: openai, image_size: 518}"
    (tmp_path / "c.yaml").write_text(
        f"backbones: {{{large}}}\n"
        "experiments:\n"
        "  theirs: {checkpoint: april_gan_visa, evaluate: [mvtec]}\n"
        "  ours: {auxiliary: [btad], evaluate: [mvtec]}\n"
        "  free: {method: winclip, evaluate: [mvtec]}\n"
    )
    assert main(["check", "c.yaml"]) == 0
    said = capsys.readouterr().out
    assert "  theirs: take weights trained on visa, evaluate mvtec\n" in said
    assert "  ours: train on btad, evaluate mvtec\n" in said
    assert "  free: train on nothing, evaluate mvtec\n" in said
