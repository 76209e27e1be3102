"""Verbs that compute figures: features, train, evaluate, baseline, score."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from adaclip.cli.common import add_runtime, verb
from adaclip.cli.start import start_model
from adaclip.errors import UsageError

#: At the end of the help of every verb that takes settings.
SETTINGS = (
    "SETTINGS is a YAML or JSON file, or inline JSON such as "
    """'{"model": "ViT-L-14-336", "pretrained": "openai", "image_size": 518}'; config/README.md explains every key."""
)


def add_model_verbs(verbs: Any) -> None:
    """Add these verbs."""
    features = verb(
        verbs, "features", _features, "compute the frozen image embeddings of a prepared set", epilog=SETTINGS
    )
    features.add_argument("--backbone", required=True, metavar="SETTINGS", help="backbone settings")
    features.add_argument("--manifest", type=Path, required=True, metavar="FILE", help="manifest of the prepared set")
    features.add_argument("--out", type=Path, required=True, metavar="FILE", help="the .safetensors file to write")
    add_runtime(features)

    train = verb(verbs, "train", _train, "train AdaCLIP on auxiliary data", epilog=SETTINGS)
    train.add_argument("--name", default="run", metavar="NAME", help="name of the run (default: %(default)s)")
    train.add_argument(
        "--method",
        default="adaclip",
        choices=("adaclip", "untrained"),
        help="untrained saves the initial parameters (default: %(default)s)",
    )
    train.add_argument("--backbone", required=True, metavar="SETTINGS", help="backbone settings")
    train.add_argument("--model", metavar="SETTINGS", help="settings of AdaCLIP itself (default: the paper's)")
    train.add_argument("--train", metavar="SETTINGS", help="training settings (default: the paper's)")
    train.add_argument("--evaluation", metavar="SETTINGS", help="evaluation settings, for the selection set")
    train.add_argument("--seed", type=int, default=0, metavar="N", help="seed (default: %(default)s)")
    train.add_argument(
        "--manifest", type=Path, nargs="*", default=[], metavar="FILE", help="manifests of the auxiliary sets"
    )
    train.add_argument(
        "--features", type=Path, nargs="*", default=[], metavar="FILE", help="their features, in the same order"
    )
    train.add_argument(
        "--selection-manifest", type=Path, nargs="?", metavar="FILE", help="manifest of the selection set"
    )
    train.add_argument("--selection-features", type=Path, nargs="?", metavar="FILE", help="its features")
    train.add_argument("--out", type=Path, required=True, metavar="FILE", help="the checkpoint to write, .safetensors")
    train.add_argument(
        "--history", type=Path, metavar="FILE", help="CSV of the epochs (default: history.csv beside the checkpoint)"
    )
    train.add_argument(
        "--cost", type=Path, metavar="FILE", help="JSON of time and memory (default: cost.json beside the checkpoint)"
    )
    add_runtime(train)

    evaluate = verb(
        verbs,
        "evaluate",
        _evaluate,
        "evaluate a checkpoint on a prepared set",
        "A set that the checkpoint was trained on is refused.",
        epilog=SETTINGS,
    )
    _add_checkpoint(evaluate)
    evaluate.add_argument(
        "--auxiliary",
        nargs="+",
        default=(),
        metavar="ID",
        help="sets that a released checkpoint was trained on; needed for one, which names none",
    )
    evaluate.add_argument("--manifest", type=Path, required=True, metavar="FILE", help="manifest of the prepared set")
    evaluate.add_argument("--features", type=Path, metavar="FILE", help="its features (default: computed on the way)")
    evaluate.add_argument("--evaluation", metavar="SETTINGS", help="evaluation settings (default: the paper's)")
    evaluate.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for scores.csv, metrics.json, curves.json, panels.npz and cost.json",
    )
    evaluate.add_argument(
        "--leakage", type=Path, nargs="?", metavar="FILE", help="leakage.json of adaclip audit compare, for --overlap"
    )
    evaluate.add_argument(
        "--overlap",
        default="refuse",
        choices=("warn", "refuse", "deduplicate"),
        help="what to do when images of the set are in the auxiliary data too: nothing, end with an error, "
        "or leave them out (default: %(default)s)",
    )
    add_runtime(evaluate)

    baseline = verb(
        verbs,
        "baseline",
        _baseline,
        "evaluate a baseline or a control that needs no checkpoint",
        "clip is plain CLIP with the same text ensemble, random a seeded random score and map, "
        "oracle the ground truth itself.",
        epilog=SETTINGS,
    )
    baseline.add_argument("--method", required=True, choices=("clip", "random", "oracle"), help="what to evaluate")
    baseline.add_argument("--name", metavar="NAME", help="name of the run (default: the method)")
    baseline.add_argument(
        "--backbone", required=True, metavar="SETTINGS", help="backbone settings; a control takes its image_size"
    )
    baseline.add_argument("--manifest", type=Path, required=True, metavar="FILE", help="manifest of the prepared set")
    baseline.add_argument("--evaluation", metavar="SETTINGS", help="evaluation settings (default: the paper's)")
    baseline.add_argument("--seed", type=int, default=0, metavar="N", help="seed (default: %(default)s)")
    baseline.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder to write, the same files as adaclip evaluate"
    )
    add_runtime(baseline)

    score = verb(
        verbs,
        "score",
        _score,
        "score a folder of your own images",
        "No labels are needed: writes scores.csv and one heat map for each image.",
        epilog=SETTINGS,
    )
    _add_checkpoint(score)
    score.add_argument(
        "--images", type=Path, required=True, metavar="DIR", help="folder of images, searched with its subfolders"
    )
    score.add_argument(
        "--category", required=True, metavar="WORDS", help="what the images show, in words, such as 'metal nut'"
    )
    score.add_argument(
        "--evaluation", metavar="SETTINGS", help="evaluation settings (batch size, precision, smoothing)"
    )
    score.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    add_runtime(score)


def _add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint",
        type=Path,
        required=True,
        metavar="FILE",
        help="a checkpoint of adaclip train, or a released one (.pth, .pt)",
    )
    parser.add_argument(
        "--backbone", metavar="SETTINGS", help="backbone settings; needed for a released checkpoint, which names none"
    )


def _features(arguments: argparse.Namespace) -> None:
    from adaclip.clip.settings import BackboneSettings
    from adaclip.system.settings import read_settings

    backbone = read_settings(BackboneSettings, "backbone", arguments.backbone)
    start_model(arguments)
    from adaclip.runs.device import decoders, take_device
    from adaclip.runs.features import compute_features

    device = take_device(arguments.device, arguments.threads)
    workers = decoders(arguments.workers, device)
    compute_features(backbone, arguments.manifest, arguments.out, device=device, workers=workers)


def _train(arguments: argparse.Namespace) -> None:
    from adaclip.clip.settings import BackboneSettings
    from adaclip.methods.adaclip.settings import AdaCLIPSettings, AdaCLIPTraining
    from adaclip.metrics.settings import EvaluateSettings
    from adaclip.system.settings import read_settings

    backbone = read_settings(BackboneSettings, "backbone", arguments.backbone)
    model = read_settings(AdaCLIPSettings, "model", arguments.model)
    settings = read_settings(AdaCLIPTraining, "train", arguments.train)
    evaluation = read_settings(EvaluateSettings, "evaluation", arguments.evaluation)
    if len(arguments.manifest) != len(arguments.features):
        raise UsageError(
            f"{len(arguments.manifest)} manifests but {len(arguments.features)} feature files: give one for each"
        )
    if (arguments.selection_manifest is None) != (arguments.selection_features is None):
        raise UsageError("give --selection-manifest and --selection-features together")
    start_model(arguments)
    from adaclip.runs.device import decoders, take_device
    from adaclip.runs.train import Source, train

    device = take_device(arguments.device, arguments.threads, training=True)
    workers = decoders(arguments.workers, device)
    choose = None
    if arguments.selection_manifest:
        from adaclip.runs.selection import Selection

        choose = Selection(arguments.selection_manifest, arguments.selection_features, backbone, evaluation, workers)
    train(
        arguments.name,
        arguments.method,
        backbone,
        model,
        settings,
        seed=arguments.seed,
        auxiliary=[Source(m, f) for m, f in zip(arguments.manifest, arguments.features, strict=True)],
        choose=choose,
        out=arguments.out,
        history=arguments.history or arguments.out.with_name("history.csv"),
        cost=arguments.cost or arguments.out.with_name("cost.json"),
        device=device,
        workers=workers,
    )


def _evaluate(arguments: argparse.Namespace) -> None:
    from adaclip.clip.settings import BackboneSettings
    from adaclip.metrics.settings import EvaluateSettings
    from adaclip.system.settings import read_settings

    settings = read_settings(EvaluateSettings, "evaluation", arguments.evaluation)
    backbone = read_settings(BackboneSettings, "backbone", arguments.backbone) if arguments.backbone else None
    start_model(arguments)
    from adaclip.runs.device import decoders, take_device
    from adaclip.runs.evaluate import evaluate

    device = take_device(arguments.device, arguments.threads)
    evaluate(
        arguments.checkpoint,
        arguments.manifest,
        arguments.features,
        settings,
        arguments.out,
        device=device,
        workers=decoders(arguments.workers, device),
        leakage=arguments.leakage,
        overlap=arguments.overlap,
        backbone=backbone,
        auxiliary=arguments.auxiliary,
    )


def _baseline(arguments: argparse.Namespace) -> None:
    from adaclip.clip.settings import BackboneSettings
    from adaclip.metrics.settings import EvaluateSettings
    from adaclip.system.settings import read_settings

    backbone = read_settings(BackboneSettings, "backbone", arguments.backbone)
    settings = read_settings(EvaluateSettings, "evaluation", arguments.evaluation)
    name = arguments.name or arguments.method
    if arguments.method == "clip":
        start_model(arguments)
        from adaclip.runs.baselines import evaluate_clip
        from adaclip.runs.device import decoders, take_device

        device = take_device(arguments.device, arguments.threads)
        evaluate_clip(
            name,
            backbone,
            arguments.manifest,
            settings,
            arguments.out,
            seed=arguments.seed,
            device=device,
            workers=decoders(arguments.workers, device),
        )
        return
    from adaclip.runs.controls import evaluate_control

    evaluate_control(
        name, arguments.method, backbone.image_size, arguments.manifest, settings, arguments.out, seed=arguments.seed
    )


def _score(arguments: argparse.Namespace) -> None:
    from adaclip.clip.settings import BackboneSettings
    from adaclip.metrics.settings import EvaluateSettings
    from adaclip.system.settings import read_settings

    settings = read_settings(EvaluateSettings, "evaluation", arguments.evaluation)
    backbone = read_settings(BackboneSettings, "backbone", arguments.backbone) if arguments.backbone else None
    start_model(arguments)
    from adaclip.runs.device import decoders, take_device
    from adaclip.runs.score import score_folder

    device = take_device(arguments.device, arguments.threads)
    score_folder(
        arguments.checkpoint,
        backbone,
        arguments.images,
        arguments.category,
        settings,
        arguments.out,
        device=device,
        workers=decoders(arguments.workers, device),
        say=lambda text: print(f"adaclip: note: {text}", file=sys.stderr),
    )
