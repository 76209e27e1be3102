"""Simulated releases go the way of the real ones: drawn, fetched by id, checked, and loaded as the authors' file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adaclip.cli import main
from adaclip.clip.settings import BackboneSettings
from adaclip.data.weights import Release, is_simulated, load_weights, path_of, release
from adaclip.errors import AdaclipError
from adaclip.methods.load import load_method
from adaclip.runs.checkpoint import load_model
from adaclip.runs.simulate_release import simulate_release

TINY = {"model": "tiny", "pretrained": None, "image_size": 56}


@pytest.mark.parametrize("one", load_weights().values(), ids=lambda one: one.id)
def test_drawn_fetched_and_loaded(one: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mirror, data = str(tmp_path / "mirror"), str(tmp_path / "data")
    arguments = ["--backbone", json.dumps(TINY), "--seed", "5", "--out", mirror]
    assert main(["weights", "simulate", one.id, *arguments]) == 0
    assert capsys.readouterr().out.split() == [f"{mirror}/{name}" for name in one.files]
    assert main(["weights", "fetch", one.id, "--mirror", mirror, "--data", data]) == 0
    assert is_simulated(one, data)
    loaded, _ = load_model(path_of(one, data), backbone=BackboneSettings("tiny", None, 56), method=one.method)
    drawn = load_method(one.method, "tiny", image_size=56, seed=5)
    # The backbone's seed is another matter than that of the method's parameters.
    assert loaded.state_dict().keys() == drawn.state_dict().keys()
    assert all(bool((loaded.state_dict()[name] == value).all()) for name, value in drawn.state_dict().items())


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    one = release("adaclip_all")
    for place, seed in (("a", 0), ("b", 0), ("c", 1)):
        simulate_release(one, tmp_path / place, TINY, seed=seed)
    first, again, other = ((tmp_path / place / one.files[0]).read_bytes() for place in "abc")
    assert first == again != other


def test_files_of_another_method_are_not_taken_for_it(tmp_path: Path) -> None:
    """One id of each method, loaded as each other method."""
    ids = {one.method: one for one in load_weights().values()}
    for one in ids.values():
        simulate_release(one, tmp_path / one.id, TINY)
    for method in ids:
        for other, one in ids.items():
            if other != method:
                with pytest.raises(AdaclipError) as caught:
                    load_model(
                        tmp_path / one.id / one.files[0], backbone=BackboneSettings("tiny", None, 56), method=method
                    )
                assert "\n" not in str(caught.value)
