"""What configurations cost: learned parameters, seconds an image, time of training."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from adaclip.errors import AdaclipError
from adaclip.report.methods import Experiment, has_given_weights, is_trained, learns
from adaclip.report.results import Results
from adaclip.report.stored import MEND, read_cost


def seconds_per_image(results: Results, by_set: Mapping[str, Experiment]) -> float:
    """Seconds that the evaluation of an image took, over all images and seeds; 0 where nothing was evaluated.

    Args:
        results: of the plan.
        by_set: the experiment that is evaluated on each set.

    Raises:
        AdaclipError: a file of a cost is missing or damaged.
    """
    seconds = images = 0.0
    for name, experiment in by_set.items():
        for found in results.of(experiment, name):
            seconds += _number(found.folder, "seconds")
            images += _number(found.folder, "images")
    return seconds / images if images else 0.0


def training_minutes(results: Results, experiments: Iterable[Experiment]) -> float | None:
    """Minutes that the checkpoints of a configuration took to train, one after the other, means over the seeds.

    Args:
        results: of the plan.
        experiments: of the configuration; those that share a run count once.

    Returns:
        0 where nothing is learned, None where weights were trained elsewhere.

    Raises:
        AdaclipError: a file of a cost is missing or damaged.
    """
    members = list(experiments)
    if any(map(has_given_weights, members)):
        return None
    runs = {experiment["run"]: experiment for experiment in members if learns(experiment)}
    return sum(
        statistics.fmean(_number(results.run_folder(one, seed), "seconds") for seed in one["seeds"]) / 60
        for one in runs.values()
    )


def learned_parameters(results: Results, by_set: Mapping[str, Experiment]) -> int | None:
    """How many numbers one checkpoint of a configuration has learned: 0 without training, None where no file says it.

    Args:
        results: of the plan.
        by_set: the experiment that is evaluated on each set.

    Raises:
        AdaclipError: a file of a cost is missing or damaged.
    """
    if not any(map(is_trained, by_set.values())):
        return 0
    folders = []
    for name, experiment in by_set.items():
        if learns(experiment):
            folders += [results.run_folder(experiment, seed) for seed in experiment["seeds"]]
        folders += [found.folder for found in results.of(experiment, name)]
    for folder in dict.fromkeys(folders):
        learned = read_cost(folder / "cost.json").get("parameters")
        if learned is not None:
            return int(learned)
    return None


def _number(folder: Path, key: str) -> float:
    cost: dict[str, Any] = read_cost(folder / "cost.json")
    try:
        return float(cost[key])
    except (KeyError, TypeError, ValueError) as error:
        raise AdaclipError(f"{folder / 'cost.json'} lacks '{key}': {MEND}") from error
