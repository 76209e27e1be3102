"""What evaluations and trainings stored, read back and checked: a damaged figure is never shown."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from adaclip.errors import AdaclipError
from adaclip.metrics.names import METRICS
from adaclip.report.protocol import PROTOCOLS
from adaclip.system.files import read_checked, read_json

if TYPE_CHECKING:
    import pandas as pd

#: What to do about a file that is not what its verb writes.
MEND = "remove it, and snakemake makes it again"
#: Fractions are exact but for rounding.
ROUNDING = 1e-9
#: Begins the columns of a history that a method's loss is the sum of; which parts there are is the method's.
PART = "loss_"


def read_stored(path: Path) -> dict[str, Any]:
    """A JSON object that a verb wrote.

    Raises:
        AdaclipError: missing, damaged, or no object; the file is named, and what to do.
    """
    try:
        value = read_json(path)
    except AdaclipError as error:
        said = str(error)
        raise AdaclipError(said if "snakemake" in said else f"{said}: {MEND}") from error
    if not isinstance(value, dict):
        _refuse(path, "is no JSON object")
    return value


def read_metrics(path: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """`metrics.json` of an evaluation.

    Args:
        path: of the file.
        about: what it must say of itself: its set, run and seed.

    Raises:
        AdaclipError: missing, damaged, of something else, a figure that is no fraction in [0, 1] nor null with its
            reason, or means and counts that do not follow from those of the categories.
    """
    value = read_stored(path)
    for key, expected in about.items():
        if value.get(key, expected) != expected:
            _refuse(path, f"is of {key} {value[key]!r} and stands in the place of {expected!r}")
    categories, means = value.get("categories"), value.get("mean")
    if not isinstance(categories, dict) or not isinstance(means, dict):
        _refuse(path, "lacks 'categories' or 'mean'")
    for name, entry in categories.items():
        _check_category(path, name, entry)
    for level, metric in METRICS:
        shown = _figure(path, means, level, metric, "mean")
        defined = [entry[level][metric] for entry in categories.values() if entry[level][metric] is not None]
        expected = statistics.fmean(defined) if defined else None
        if (shown is None) != (expected is None) or not _near(shown, expected):
            _refuse(path, f"has mean.{level}.{metric} {shown}, but the mean of its categories is {expected}")
    _check_protocols(path, value)
    images = sum(entry["images"] for entry in categories.values())
    if value.get("images", images) != images:
        _refuse(path, f"counts {value['images']} images, its categories {images}")
    return value


def _check_category(path: Path, name: str, entry: Any) -> None:
    place = f"categories.{name}"
    if not isinstance(entry, dict) or not isinstance(entry.get("undefined"), dict):
        _refuse(path, f"lacks {place}.undefined")
    for level, metric in METRICS:
        figure = _figure(path, entry, level, metric, place)
        if figure is None and not entry["undefined"].get(f"{level}.{metric}"):
            _refuse(path, f"has no {place}.{level}.{metric} and no reason for it")
    images, anomalous = entry.get("images"), entry.get("anomalous")
    if not isinstance(images, int) or not isinstance(anomalous, int) or not 0 <= anomalous <= images:
        _refuse(path, f"counts {anomalous} anomalous of {images} images in {place}")


def _check_protocols(path: Path, value: Mapping[str, Any]) -> None:
    """Pixel figures under both protocols; those of the evaluation's own are the figures themselves."""
    protocols = value.get("protocols")
    if value.get("protocol") not in PROTOCOLS:
        _refuse(path, f"has protocol {value.get('protocol')!r} and not {' or '.join(PROTOCOLS)}")
    for protocol in PROTOCOLS:
        entry = protocols.get(protocol) if isinstance(protocols, dict) else None
        means = entry.get("mean") if isinstance(entry, dict) else None
        if not isinstance(means, dict):
            _refuse(path, f"lacks protocols.{protocol}.mean")
        for level, metric in METRICS:
            if level == "pixel":
                found = _figure(path, means, level, metric, f"protocols.{protocol}.mean")
                shown = value["mean"][level][metric]
                if protocol == value["protocol"] and ((found is None) != (shown is None) or not _near(found, shown)):
                    _refuse(path, f"has mean.{level}.{metric} {shown}, but {found} under its protocol {protocol}")


def _figure(path: Path, entry: Mapping[str, Any], level: str, metric: str, place: str) -> float | None:
    part = entry.get(level)
    if not isinstance(part, dict) or metric not in part:
        _refuse(path, f"lacks {place}.{level}.{metric}")
    figure = part[metric]
    if figure is None:
        return None
    if isinstance(figure, bool) or not isinstance(figure, int | float):
        _refuse(path, f"has {place}.{level}.{metric} {figure!r}, which is no number")
    if not -ROUNDING <= figure <= 1 + ROUNDING:
        _refuse(path, f"has {place}.{level}.{metric} {figure}, which is no fraction in [0, 1]")
    return float(figure)


def _near(one: float | None, other: float | None) -> bool:
    return one is None or other is None or math.isclose(one, other, rel_tol=0, abs_tol=1e-6)


def check_images(path: Path, metrics: Mapping[str, Any], manifest: Path) -> None:
    """Raise unless an evaluation has every test image of its set, but for those that were left out.

    Args:
        path: of its metrics.json.
        metrics: the content.
        manifest: of the set; nothing is compared where it is not here.

    Raises:
        AdaclipError: naming both numbers.
    """
    expected = _test_images(manifest)
    left_out = metrics.get("left_out") or {}
    without = int(left_out.get("identical", 0)) + int(left_out.get("near", 0))
    images = sum(entry["images"] for entry in metrics["categories"].values())
    if expected is not None and images + without != expected:
        but = f" and {without} left out" if without else ""
        _refuse(path, f"is of {images} images{but}, but {manifest} has {expected}")


def _test_images(manifest: Path) -> int | None:
    try:
        with manifest.open(newline="", encoding="utf-8") as stream:
            return sum(1 for row in csv.DictReader(stream) if row.get("split") == "test")
    except (OSError, UnicodeDecodeError, csv.Error):
        return None


def read_scores(path: Path, images: int) -> pd.DataFrame:
    """Labels and anomaly scores of an evaluation's `scores.csv`, one row for each image.

    Args:
        path: of the file.
        images: how many its metrics.json counts.

    Raises:
        AdaclipError: missing, damaged, another number of rows, a label but 0 and 1, or a score that is not finite.
    """
    frame = _read_table(path, ("label", "anomaly_score"))
    if len(frame) != images:
        _refuse(path, f"has {len(frame)} rows, but {images} images were evaluated")
    if not frame["label"].isin((0, 1)).all():
        _refuse(path, "has labels other than 0 and 1")
    _check_finite(path, frame, ("anomaly_score",))
    return frame


def read_history(path: Path) -> pd.DataFrame:
    """`history.csv` of a training: one row for each epoch of each stage; parts of the loss are columns `loss_<part>`.

    Raises:
        AdaclipError: missing, damaged, or a loss that is not finite. A part that a stage does not have is empty in all
            of its rows.
    """
    frame = _read_table(path, ("epoch", "stage", "loss"))
    _check_finite(path, frame, ("epoch", "loss"))
    for column in loss_parts(frame):
        for _, own in frame.groupby("stage", sort=False, dropna=False):
            if own[column].notna().any():
                _check_finite(path, own, (column,))
    return frame


def loss_parts(history: pd.DataFrame) -> list[str]:
    """Columns of a history that are parts of the loss, in its order."""
    return [str(column) for column in history if str(column).startswith(PART)]


def read_cost(path: Path) -> dict[str, Any]:
    """`cost.json` of a training or an evaluation.

    Raises:
        AdaclipError: missing, damaged, or seconds or parameters that are no such number.
    """
    value = read_stored(path)
    seconds = value.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        _refuse(path, f"has seconds {seconds!r}")
    learned = value.get("parameters")
    if learned is not None and (isinstance(learned, bool) or not isinstance(learned, int) or learned < 0):
        _refuse(path, f"has parameters {learned!r}, which is no number of them")
    if "device" not in value or "peak_gpu_bytes" not in value:
        _refuse(path, "lacks 'device' or 'peak_gpu_bytes'")
    return value


def read_curves(path: Path) -> dict[str, Any]:
    """`curves.json` of an evaluation: the points of its ROC and precision-recall curves.

    Raises:
        AdaclipError: missing, damaged, or a point that is no fraction.
    """
    value = read_stored(path)
    image, pixel = value.get("image"), value.get("pixel")
    if "image" not in value or not isinstance(pixel, dict):
        _refuse(path, "lacks 'image' or 'pixel'")
    for curves in (image, *pixel.values()):
        if curves is not None:
            _check_curves(path, curves)
    return value


def _check_curves(path: Path, curves: Any) -> None:
    for kind, axes in (("roc", ("fpr", "tpr")), ("pr", ("recall", "precision"))):
        try:
            points = [curves[kind][axis] for axis in axes]
            good = all(0 <= value <= 1 for axis in points for value in axis) and len(points[0]) == len(points[1]) > 0
        except (KeyError, TypeError):
            _refuse(path, f"lacks the points of {kind}")
        if not good:
            _refuse(path, f"has points of {kind} that are no fractions in [0, 1]")


def _read_table(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    import pandas as pd

    try:
        frame = pd.read_csv(io.BytesIO(read_checked(path)))
    except ValueError as error:
        _refuse(path, f"cannot be read: {' '.join(str(error).split())}")
    for column in columns:
        if column not in frame:
            _refuse(path, f"lacks column '{column}'")
    return frame


def _check_finite(path: Path, frame: pd.DataFrame, columns: Iterable[str]) -> None:
    import numpy as np
    import pandas as pd

    for column in columns:
        numbers = pd.to_numeric(frame[column], errors="coerce")
        wrong = np.flatnonzero(~np.isfinite(numbers.to_numpy(dtype=float)))
        if len(wrong):
            # The first line is the header.
            _refuse(
                path, f"line {frame.index[wrong[0]] + 2}: {column} is {frame[column].iloc[wrong[0]]}, no finite number"
            )


def _refuse(path: Path, fault: str) -> NoReturn:
    raise AdaclipError(f"{path} {fault}: {MEND}")
