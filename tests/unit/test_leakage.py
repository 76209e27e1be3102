"""A set is refused beside itself, and images that auxiliary data hold too are counted, listed or refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from adaclip.data.leakage import overlap_of, overlaps, refuse_leakage, refuse_overlap
from adaclip.errors import AdaclipError, UsageError


@pytest.fixture
def leakage(tmp_path: Path) -> Path:
    """Audit of four sets; `a` shares images with `b` and `c`."""
    path = tmp_path / "leakage.json"
    content = {
        "rule": "",
        "sets": {name: {} for name in "abcd"},
        "overlaps": {
            "a": {"b": {"identical": ["1", "2"], "near": ["3"]}, "c": {"identical": ["3"], "near": ["2", "4"]}},
            "b": {"a": {"identical": ["x"], "near": []}},
        },
    }
    path.write_text(json.dumps(content))
    return path


def test_same_set_is_refused() -> None:
    refuse_leakage(["a", "b"], ["c"], "here")
    with pytest.raises(UsageError, match=r"here: 'b' is part of the auxiliary data \(a\+b\)"):
        refuse_leakage(["a", "b"], ["c", "b"], "here")


def test_overlap_with_several_sets(leakage: Path) -> None:
    found = overlap_of(["b", "c"], "a", leakage)
    assert found.identical == {"1", "2", "3"}
    assert found.near == {"4"}
    assert found.by_set == {"b": 3, "c": 3}
    assert overlaps(["b", "c"], "a", leakage) == 4
    assert overlaps(["c"], "a", leakage) == 3
    assert overlaps(["d"], "a", leakage) == 0
    assert overlaps([], "a", leakage) == 0


def test_direction_counts(leakage: Path) -> None:
    assert overlaps(["a"], "b", leakage) == 1
    assert overlaps(["a"], "c", leakage) == 0


def test_overlap_is_refused_with_what_to_change(leakage: Path) -> None:
    refuse_overlap(["d"], "a", leakage)
    with pytest.raises(UsageError) as caught:
        refuse_overlap(["d", "b", "c"], "a", leakage)
    text = str(caught.value)
    assert "'a' shares 4 images with the auxiliary data: 'b' (3 images) and 'c' (3 images)" in text
    assert "'leakage'" in text
    assert "\n" not in text


def test_unknown_set_and_damage_are_errors(leakage: Path, tmp_path: Path) -> None:
    with pytest.raises(AdaclipError, match="does not cover the set 'e'"):
        overlaps(["e"], "a", leakage)
    with pytest.raises(AdaclipError, match="no such file"):
        overlaps(["a"], "b", tmp_path / "none.json")
    leakage.write_text("[]")
    os.utime(leakage, (1, 1))
    with pytest.raises(AdaclipError, match="no result of adaclip audit compare"):
        overlaps(["a"], "b", leakage)
