"""Simulated releases go the way of the real ones: drawn, fetched by id, checked, and loaded as the authors' file."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from adaclip.cli import main
from adaclip.clip.settings import BackboneSettings
from adaclip.data.weights import Release, is_simulated, load_weights, path_of, release
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.load import load_method
from adaclip.runs.checkpoint import load_model
from adaclip.runs.simulate_release import simulate_release

TINY = {"model": "tiny", "pretrained": None, "image_size": 56}
BACKBONE = BackboneSettings("tiny", None, 56)
#: What the tiny towers of 8 and 4 blocks need by method.
SETTINGS: dict[str, dict[str, Any]] = {"anomalyclip": {"dpam_blocks": 4}}


@pytest.mark.parametrize("one", load_weights().values(), ids=lambda one: one.id)
def test_drawn_fetched_and_loaded(one: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mirror, data = str(tmp_path / "mirror"), str(tmp_path / "data")
    chosen = SETTINGS.get(one.method, {})
    arguments = ["--backbone", json.dumps(TINY), "--model", json.dumps(chosen), "--seed", "5", "--out", mirror]
    assert main(["weights", "simulate", one.id, *arguments]) == 0
    assert capsys.readouterr().out.split() == [f"{mirror}/{name}" for name in one.files]
    assert main(["weights", "fetch", one.id, "--mirror", mirror, "--data", data]) == 0
    assert is_simulated(one, data)
    loaded, _ = load_model(path_of(one, data), backbone=BACKBONE, method=one.method, settings=chosen)
    drawn = load_method(one.method, "tiny", image_size=56, seed=5, **chosen)
    assert loaded.state_dict().keys() == drawn.state_dict().keys()
    assert all(bool((loaded.state_dict()[name] == value).all()) for name, value in drawn.state_dict().items())


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    one = release("adaclip_all")
    for place, seed in (("a", 0), ("b", 0), ("c", 1)):
        simulate_release(one, tmp_path / place, TINY, seed=seed)
    first, again, other = ((tmp_path / place / one.files[0]).read_bytes() for place in "abc")
    assert first == again != other


METHODS = {one.method: one for one in load_weights().values()}


@pytest.mark.parametrize(("method", "other"), list(itertools.permutations(METHODS, 2)))
def test_a_file_of_another_method_is_refused(method: str, other: str, tmp_path: Path) -> None:
    (path,) = simulate_release(METHODS[other], tmp_path, TINY, SETTINGS.get(other))
    with pytest.raises(AdaclipError) as caught:
        load_model(path, backbone=BACKBONE, method=method, settings=SETTINGS.get(method))
    assert str(caught.value).startswith(f"{path} ")
    assert "\n" not in str(caught.value)


def test_each_release_has_a_folder_of_its_own(tmp_path: Path) -> None:
    first, second = release("april_gan_mvtec"), release("april_gan_visa")
    simulate_release(first, tmp_path, TINY)
    simulate_release(first, tmp_path, TINY, seed=1)
    with pytest.raises(UsageError, match=r"holds .*mvtec_pretrained\.pth: give each release a folder of its own"):
        simulate_release(second, tmp_path, TINY)
    simulate_release(second, tmp_path / "second", TINY)
