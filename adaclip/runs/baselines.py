"""Baselines that need no training: plain CLIP."""

from __future__ import annotations

from pathlib import Path

import torch

from adaclip.clip.load import make_backbone
from adaclip.clip.settings import BackboneSettings
from adaclip.methods.clip.model import PlainCLIP
from adaclip.metrics.settings import EvaluateSettings
from adaclip.runs.evaluate import Subject, judge_model


def evaluate_clip(
    run: str,
    backbone: BackboneSettings,
    manifest: Path,
    settings: EvaluateSettings,
    out: Path,
    *,
    seed: int = 0,
    device: torch.device,
    workers: int = 0,
) -> None:
    """Evaluate plain CLIP on the test split of a prepared set.

    Args:
        run: its name, for metrics.json.
        backbone: the CLIP.
        manifest: of the prepared set.
        settings: how to evaluate.
        out: the folder to write, as for `adaclip.runs.evaluate.evaluate`.
        seed: for metrics.json; nothing is drawn.
        device: where to compute.
        workers: processes that decode images.

    Raises:
        AdaclipError: unreadable files.
    """
    model = PlainCLIP(make_backbone(backbone, device)).eval()
    judge_model(model, Subject(run, "clip", seed), manifest, None, settings, out, workers=workers)
