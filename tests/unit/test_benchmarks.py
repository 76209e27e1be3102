"""The benchmark of methods, on the tiny model."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adaclip.methods.clip.model import CLIP

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def methods():
    """benchmarks/methods.py, which is no module of the package."""
    spec = importlib.util.spec_from_file_location("benchmark_of_methods", ROOT / "benchmarks" / "methods.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_all_methods_that_run_a_model_are_there(methods):
    assert set(methods.METHODS) == {
        "adaclip",
        "winclip",
        "april_gan",
        "anomalyclip",
        "clip",
        "clip_ac",
        "clip_adaclip_prompts",
    }


@pytest.mark.parametrize(("name", "learned"), [("adaclip", 103424), ("winclip", 0)])
def test_a_method_is_measured(methods, name, learned):
    found = methods.measure(name, "tiny", 112, 1)
    assert (found.model, found.learned) == ("tiny, 112", learned)
    assert (found.text is None) == (name == "adaclip")
    assert found.plain < found.image
    assert 2**25 < found.peak <= found.peak_of_two < 2**36
    assert found.of_map < 1e-5 < found.spread
    assert found.of_score < 1e-5


def test_a_method_whose_images_depend_on_one_another_is_found_out(methods, monkeypatch):
    alone = CLIP.predict

    def mixed(self, images, *arguments, **words):
        return alone(self, images + images.mean(dim=0), *arguments, **words)

    monkeypatch.setattr(CLIP, "predict", mixed)
    found = methods.measure("clip", "tiny", 56, 1)
    assert min(found.of_map, found.of_score) > 1e-4


def test_a_table_is_printed():
    command = [sys.executable, "benchmarks/methods.py", "--model", "tiny", "--image-size", "56", "--methods", "clip"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said, _, header, _, row = done.stdout.splitlines()
    assert "PyTorch" in said
    assert row.startswith("| CLIP | tiny, 56 | 0 |")
    assert row.count("|") == header.count("|")


def test_a_method_that_does_not_fit_the_model_is_one_line(methods, monkeypatch):
    # In a thread instead of a process, which would load PyTorch again.
    monkeypatch.setattr(methods, "ProcessPoolExecutor", lambda workers, mp_context: ThreadPoolExecutor(workers))
    monkeypatch.setattr(
        sys, "argv", ["methods.py", "--model", "tiny", "--image-size", "56", "--methods", "anomalyclip"]
    )
    with pytest.raises(SystemExit) as raised:
        methods.main()
    assert raised.value.code == "anomalyclip: dpam_blocks 19: tiny has 8 vision blocks, use 0 to 8"
