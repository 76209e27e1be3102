"""Evaluating a set that shares images with the auxiliary data: refused, or without these images."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import adaclip
from adaclip.cli import main
from adaclip.data.manifest import ManifestRow, read_manifest, write_manifest
from tests.sets import write_digests

SHARED = ("000.png", "004.png")


@pytest.fixture
def audited(tiny, prepared: Callable[..., Path], tmp_path: Path) -> dict[str, Path]:
    """`target`, `aux` that holds two images of it, a checkpoint that was trained on `aux`, and the audit of both."""
    import torch

    manifests = {name: prepared(name) for name in ("target", "aux")}
    for name in SHARED:
        shutil.copy(manifests["target"].parent / "images/bolt" / name, manifests["aux"].parent / "images/bolt" / name)
    write_digests(manifests["aux"])
    torch.manual_seed(0)
    facts = {"run": "r", "method": "adaclip", "seed": 0, "auxiliary": ["aux"], "selection": None}
    adaclip.save_checkpoint(adaclip.AdaCLIP(tiny, clusters=4), tmp_path / "c.safetensors", facts)
    features = tmp_path / "features.safetensors"
    settings = '{"model": "tiny", "image_size": 56}'
    run("features", "--backbone", settings, "--manifest", manifests["target"], "--out", features)
    for name, manifest in manifests.items():
        run("audit", "fingerprint", "--manifest", manifest, "--out", tmp_path / f"{name}.csv")
    run("audit", "compare", tmp_path / "target.csv", tmp_path / "aux.csv", "--out", tmp_path / "audit")
    return {**manifests, "features": features, "checkpoint": tmp_path / "c.safetensors", "audit": tmp_path / "audit"}


def run(*words: str | Path) -> int:
    return main([str(word) for word in words])


def evaluate(audited: dict[str, Path], out: Path, *more: str | Path) -> int:
    return run("evaluate", "--checkpoint", audited["checkpoint"], "--manifest", audited["target"], "--out", out, *more)


def scores(folder: Path) -> dict[str, float]:
    with (folder / "scores.csv").open() as stream:
        return {row["image"]: float(row["anomaly_score"]) for row in csv.DictReader(stream)}


def test_deduplicate_leaves_out_what_was_trained_on(audited: dict[str, Path], tmp_path: Path) -> None:
    leakage = audited["audit"] / "leakage.json"
    assert evaluate(audited, tmp_path / "all") == 0
    # With stored embeddings, which must stay beside their images.
    more = ("--features", audited["features"], "--leakage", leakage, "--overlap", "deduplicate")
    assert evaluate(audited, tmp_path / "some", *more) == 0
    everything, rest = scores(tmp_path / "all"), scores(tmp_path / "some")
    assert rest.keys() == everything.keys() - {f"images/bolt/{name}" for name in SHARED}
    assert rest == pytest.approx({image: everything[image] for image in rest}, abs=1e-5)
    metrics = json.loads((tmp_path / "some" / "metrics.json").read_text())
    assert metrics["images"] == 4
    assert metrics["left_out"] == {"identical": 2, "near": 0, "by_set": {"aux": 2}}
    assert (metrics["categories"]["bolt"]["images"], metrics["categories"]["bolt"]["anomalous"]) == (4, 2)
    assert "left_out" not in json.loads((tmp_path / "all" / "metrics.json").read_text())


def test_refuse_names_sets_number_and_key(
    audited: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    leakage = audited["audit"] / "leakage.json"
    assert evaluate(audited, tmp_path / "out", "--leakage", leakage, "--overlap", "refuse") == 2
    error = capsys.readouterr().err
    assert error.startswith("adaclip: error: 'target' shares 2 images with the auxiliary data: 'aux' (2 images).")
    assert "'leakage' in the configuration" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_warn_evaluates_everything(audited: dict[str, Path], tmp_path: Path) -> None:
    assert evaluate(audited, tmp_path / "out", "--leakage", "--overlap", "warn") == 0
    assert len(scores(tmp_path / "out")) == 6


def test_nothing_left_is_an_error(audited: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = read_manifest(audited["target"])
    shared = frame[frame["image"].str.endswith(SHARED)]
    write_manifest(audited["target"], [ManifestRow(**row) for row in shared.to_dict("records")])
    leakage = audited["audit"] / "leakage.json"
    assert evaluate(audited, tmp_path / "out", "--leakage", leakage, "--overlap", "deduplicate") == 1
    assert "every image of 'target' is in the auxiliary data of run r too" in capsys.readouterr().err
