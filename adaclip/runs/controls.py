"""Two controls that prove the metrics: a random score, and the ground truth itself. Neither needs a model.

The oracle reaches 100 % in every metric that is defined. The random control's AUROC is about 50 %; its average
precision is about the share of anomalies, its AUPRO about half the false-positive limit.
"""

from __future__ import annotations

import time
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from adaclip.data.decode import open_mask
from adaclip.data.manifest import read_prepared
from adaclip.data.masks import mask_array
from adaclip.data.rows import Row, read_rows
from adaclip.metrics.collect import Judge
from adaclip.metrics.settings import EvaluateSettings
from adaclip.system.progress import progress
from adaclip.system.settings import as_dict

Control = Literal["random", "oracle"]


def evaluate_control(
    run: str,
    method: Control,
    manifest: Path,
    settings: EvaluateSettings,
    out: Path,
    *,
    seed: int = 0,
) -> None:
    """Evaluate a control on the test split of a prepared set.

    Its maps are not smoothed: a smoothed ground truth is no longer the ground truth.

    Args:
        run: its name, for metrics.json.
        method: `random` draws score and map uniformly from [0, 1); `oracle` answers with label and mask.
        manifest: of the prepared set.
        settings: how to evaluate.
        out: the folder to write, as for `adaclip.runs.evaluate.evaluate`.
        seed: of the random control; each image of each set has a draw of its own.

    Raises:
        AdaclipError: unreadable files.
    """
    started = time.monotonic()
    rows = read_rows(manifest)
    size, labels = settings.size, read_prepared(manifest)["labels"]
    judge = Judge(rows, labels, settings, dict.fromkeys(("published", "common"), 0.0), (0.0, 1.0))
    with progress(len(rows), f"{run} on {rows[0].dataset}") as bar:
        for index, row in enumerate(rows):
            mask = _mask(row, size)
            if method == "oracle":
                score, values = float(row.label), mask.astype(np.float32)
            else:
                rng = np.random.default_rng([seed, zlib.crc32(row.dataset.encode()), index])
                score, values = rng.random(), rng.random((size, size), dtype=np.float32)
            maps = dict.fromkeys(("published", "common"), values[None])
            judge.update([index], mask[None], maps, np.array([score]))
            bar.update(1)
    head = {"run": run, "method": method, "seed": seed, "auxiliary": [], "selection": None}
    cost = {"seconds": time.monotonic() - started, "images": len(rows), "parameters": 0, "device": "CPU"}
    cost["peak_gpu_bytes"] = None
    judge.write(out, head, as_dict(settings), cost)


def _mask(row: Row, image_size: int) -> npt.NDArray[np.bool_]:
    if row.mask is None:
        return np.zeros((image_size, image_size), dtype=bool)
    return mask_array(open_mask(row.mask, row.mask_sha256), image_size)
