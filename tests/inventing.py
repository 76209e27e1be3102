"""Invented results of a whole configuration: every file that tables, figures and the page read, with no model run.

A metric is a pure function of what it is about (`invented`), so that a test can work out any table by another route.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from adaclip.data.manifest import ManifestRow, write_manifest
from adaclip.data.registry import Dataset, load_registry, public_facts
from adaclip.plan.config import parse_config, read_config
from adaclip.plan.resolve import make_plan, plan_document
from tests.sets import write_digests

ROOT = Path(__file__).parent.parent
LEVELS = {"image": ("auroc", "f1_max", "ap"), "pixel": ("auroc", "f1_max", "ap", "aupro")}
LABELS = {"image": "image", "pixel": "mask"}
REASONS = {"image": "the set has no image labels", "pixel": "the set has no masks"}
NORMAL, ANOMALOUS = 2, 3  # images of each category
SIDE = 32
#: Parts of the loss, which differ by method: those of AdaCLIP, and those of any other.
PARTS = {"adaclip": ("image", "focal", "dice")}
OTHER_PARTS = ("focal", "margin")
PROTOCOLS = ("published", "common")


def invented(method: str, run: str, seed: int, name: str, category: str, level: str, metric: str) -> float:
    """A metric of a category, a fraction; the controls have what theory says."""
    if method == "oracle":
        return 1.0
    if method == "random" and metric == "auroc":
        return 0.5
    return 0.5 + 0.5 * _share(run, seed, name, category, level, metric)


def _share(*key: object) -> float:
    """A number in [0, 1) that only depends on the key."""
    return int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=6).digest(), "big") / 2**48


def under(protocol: str, method: str, run: str, seed: int, name: str, category: str, metric: str) -> float:
    """A pixel metric under the protocol that the plan has not chosen, where the method smooths otherwise."""
    return invented(method, f"{run} {protocol}", seed, name, category, "pixel", metric)


def invent(
    config: Path | Mapping[str, Any],
    folder: Path,
    pictures: bool = False,
    change: Callable[[dict[str, Any]], None] | None = None,
) -> Path:
    """Write prepared sets and finished results for a configuration.

    Args:
        config: a configuration, or its file.
        folder: gets `data/prepared/<set>` and `results`.
        pictures: also images, masks, curves, scores and maps, for figures and panels.
        change: alters the plan before it is written, such as `other_method`.

    Returns:
        `results/plan.json`.
    """
    value = dict(read_config(config) if isinstance(config, Path) else config)
    value |= {"data": str(folder / "data"), "results": str(folder / "results")}
    parsed = parse_config(value, "invented")
    registry = load_registry(parsed.datasets)
    plan = make_plan(parsed, registry)
    document = plan_document(plan, {name: public_facts(registry[name]) for name in plan.sets})
    if change is not None:
        change(document)
    results = folder / "results"
    _json(results / "plan.json", document)
    for name in plan.used_sets():
        _prepare(registry[name], folder / "data" / "prepared" / name, pictures)
    for experiment in document["experiments"]:
        for seed in experiment["seeds"]:
            run = results / "runs" / experiment["run"] / f"seed-{seed}"
            if experiment["kind"] == "untrained" or experiment["train"] is not None:
                _invent_training(experiment, seed, run)
            for name in experiment["evaluate"]:
                _invent_evaluation(experiment, seed, registry[name], run / name, document)
                if pictures:
                    _invent_pictures(experiment, seed, registry[name], run / name)
    return results / "plan.json"


def other_method(document: dict[str, Any], method: str, experiments: Iterable[str], **facts: Any) -> None:
    """Give experiments of a plan to a method that this package does not have.

    Args:
        document: as in plan.json; changed.
        method: its id.
        experiments: their names; their runs get the method's name in front.
        facts: of the method, besides its title and what it has by default; `kind` is that of the experiments too.
    """
    own = {"title": method.capitalize(), "kind": "trained", "paper": "", "licence": "", "smoothing": 4.0}
    document["methods"][method] = {**own, "fairness": None, **facts}
    for experiment in document["experiments"]:
        if experiment["name"] in experiments:
            experiment |= {"method": method, "kind": document["methods"][method]["kind"], "model": {"layers": [3, 6]}}
            experiment["run"] = f"{method}_{experiment['run']}"
            if experiment["kind"] != "trained":
                experiment |= {"train": None, "selection": None, "auxiliary": []}
    used = {experiment["method"] for experiment in document["experiments"]}
    document["methods"] = {name: entry for name, entry in document["methods"].items() if name in used}


def _json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def categories_of(dataset: Dataset) -> tuple[str, ...]:
    """Categories of a set; a user's own set has two."""
    return tuple(dataset.categories) or ("first", "second")


def labels_of(dataset: Dataset) -> tuple[str, ...]:
    """Which labels a set has; a user's own set has both."""
    return dataset.labels or ("image", "mask")


def _rows(dataset: Dataset) -> list[ManifestRow]:
    normal = NORMAL if "image" in labels_of(dataset) else 0
    rows = []
    for category in categories_of(dataset):
        for index in range(normal + ANOMALOUS):
            label = int(index >= normal)
            image = f"images/{category}/test/{'bad' if label else 'good'}/{index:03d}.png"
            mask = f"masks/{category}/{index:03d}.png" if label and "mask" in labels_of(dataset) else ""
            digest = hashlib.sha256(f"{dataset.id}/{image}".encode()).hexdigest()
            defect = "bad" if label else "good"
            rows.append(
                ManifestRow(dataset.id, category, "test", image, mask, label, defect, SIDE, SIDE, sha256=digest)
            )
    return rows


def _prepare(dataset: Dataset, folder: Path, pictures: bool) -> None:
    rows = _rows(dataset)
    write_manifest(folder / "manifest.csv", rows)
    counts = {"test": {"normal": sum(not row.label for row in rows), "anomalous": sum(row.label for row in rows)}}
    prepared = {
        "set": dataset.id,
        "title": dataset.title,
        "domain": dataset.domain,
        "layout": "invented",
        "source": "invented",
        "raw_digest": "0" * 16,
        "options": {},
        "labels": list(labels_of(dataset)),
        "prompts": {category: category for category in categories_of(dataset)},
        "counts": counts,
        "counts_by_category": {},
        "warnings": [],
        "duplicate_groups": [],
    }
    _json(folder / "prepared.json", prepared)
    for row in rows if pictures else ():
        rng = np.random.default_rng(int(row.sha256[:8], 16))
        picture = rng.integers(90, 166, (SIDE, SIDE, 3), np.uint8)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        if row.label:
            top, left = rng.integers(0, SIDE - 10, 2)
            mask[top : top + 10, left : left + 10] = 255
            picture[mask > 0] = (200, 40, 40)
        for path, array in ((row.image, picture), (row.mask, mask)):
            if path:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(folder / path)
    if pictures:
        write_digests(folder / "manifest.csv")


def _invent_training(experiment: Mapping[str, Any], seed: int, folder: Path) -> None:
    epochs = experiment["train"]["epochs"] if experiment["train"] else 0
    folder.mkdir(parents=True, exist_ok=True)
    names = PARTS.get(experiment["method"], OTHER_PARTS)
    with (folder / "history.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            ("epoch", "stage", "images", "loss", *(f"loss_{name}" for name in names), "selection_pixel_f1_max")
        )
        for epoch in range(1, epochs + 1):
            parts = [(1 + _share(experiment["run"], seed, epoch, part)) / epoch for part in range(len(names))]
            writer.writerow([epoch, "only", 100, sum(parts), *parts, ""])
    seconds = (60.0 + 20 * _share(experiment["run"], seed, "training")) * epochs
    cost = {"seconds": seconds, "steps": 100 * epochs, "device": "invented", "peak_gpu_bytes": 2**33}
    _json(folder / "cost.json", {**cost, "parameters": parameters(experiment["method"])})


def parameters(method: str) -> int:
    """How many parameters a method learns."""
    return 1000 + int(9000 * _share(method, "parameters"))


def _invent_evaluation(
    experiment: Mapping[str, Any], seed: int, dataset: Dataset, folder: Path, plan: Mapping[str, Any]
) -> None:
    if (folder / "metrics.json").exists():  # experiments share runs
        return
    has = {level: label in labels_of(dataset) for level, label in LABELS.items()}
    categories: dict[str, Any] = {}
    head = (experiment["method"], experiment["run"], seed, dataset.id)
    for category in categories_of(dataset):
        entry: dict[str, Any] = {
            "images": ANOMALOUS + NORMAL * has["image"],
            "anomalous": ANOMALOUS,
            "undefined": {f"{level}.{m}": REASONS[level] for level in LEVELS if not has[level] for m in LEVELS[level]},
        }
        for level, metrics in LEVELS.items():
            entry[level] = {m: invented(*head, category, level, m) if has[level] else None for m in metrics}
        categories[category] = entry
    means: dict[str, Any] = {}
    for level, metrics in LEVELS.items():
        columns = {m: [entry[level][m] for entry in categories.values()] for m in metrics}
        means[level] = {m: _mean(column) for m, column in columns.items()}
    evaluation = plan["evaluation"]
    smoothing = {
        "published": plan["methods"][experiment["method"]]["smoothing"],
        "common": evaluation["smoothing"],
    }
    protocols: dict[str, Any] = {}
    for protocol in PROTOCOLS:
        found = {category: {"pixel": dict(entry["pixel"])} for category, entry in categories.items()}
        if has["pixel"] and smoothing[protocol] != smoothing[evaluation["protocol"]]:
            for category, entry in found.items():
                entry["pixel"] = {m: under(protocol, *head, category, m) for m in LEVELS["pixel"]}
        mean = {m: _mean([entry["pixel"][m] for entry in found.values()]) for m in LEVELS["pixel"]}
        protocols[protocol] = {"mean": {"pixel": mean}, "categories": found}
    metrics_json = {
        "set": dataset.id,
        "run": experiment["run"],
        "seed": seed,
        "auxiliary": experiment["auxiliary"],
        "selection": experiment["selection"],
        "images": sum(entry["images"] for entry in categories.values()),
        "categories": categories,
        "mean": means,
        "seconds_per_image": 0.2,
        "protocol": evaluation["protocol"],
        "smoothing": smoothing,
        "protocols": protocols,
        "settings": dict(evaluation),
    }
    _json(folder / "metrics.json", metrics_json)
    seconds = (0.2 + 0.1 * _share(experiment["run"], "evaluation")) * metrics_json["images"]
    cost = {"seconds": seconds, "images": metrics_json["images"], "device": "invented", "peak_gpu_bytes": 2**32}
    _json(folder / "cost.json", {**cost, "parameters": parameters(experiment["method"])})


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _invent_pictures(experiment: Mapping[str, Any], seed: int, dataset: Dataset, folder: Path) -> None:
    """scores.csv, curves.json and panels.npz."""
    if (folder / "panels.npz").exists():
        return
    has = {level: label in labels_of(dataset) for level, label in LABELS.items()}
    rows = sorted(_rows(dataset), key=lambda row: (row.category, row.split, row.image))
    scores = [0.3 * row.label + 0.7 * _share(experiment["run"], seed, row.sha256) for row in rows]
    with (folder / "scores.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("set", "category", "image", "label", "defect", "anomaly_score", "map_max", "map_mean"))
        for row, score in zip(rows, scores, strict=True):
            writer.writerow((row.set, row.category, row.image, row.label, row.defect, score, score, score / 2))
    fpr = np.linspace(0, 1, 11)
    bend = 0.1 + 0.3 * _share(experiment["run"], seed, dataset.id)
    curve = {
        "roc": {"fpr": fpr.tolist(), "tpr": (fpr**bend).tolist()},
        "pr": {"recall": fpr.tolist(), "precision": (1 - bend * fpr).tolist()},
    }
    regions = {"pro": {"fpr": fpr.tolist(), "pro": (0.9 * fpr**bend).tolist()}}
    pixel = {category: {**curve, **regions} for category in categories_of(dataset)} if has["pixel"] else {}
    _json(folder / "curves.json", {"image": curve if has["image"] else None, "pixel": pixel})
    chosen = list(range(min(6, len(rows))))
    maps = np.stack([np.full((SIDE, SIDE), scores[index], np.float32) for index in chosen])
    np.savez_compressed(
        folder / "panels.npz",
        image=np.array([rows[index].image for index in chosen]),
        category=np.array([rows[index].category for index in chosen]),
        label=np.array([rows[index].label for index in chosen]),
        score=np.array([scores[index] for index in chosen]),
        role=np.array([("best", "worst", "sample")[place % 3] for place in range(len(chosen))]),
        maps=maps,
        range=np.array((0.0, 1.0)),
    )
