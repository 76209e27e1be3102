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

    train = verb(verbs, "train", _train, "train a method on auxiliary data", epilog=SETTINGS)
    train.add_argument("--name", default="run", metavar="NAME", help="name of the run (default: %(default)s)")
    train.add_argument(
        "--method",
        default="adaclip",
        metavar="METHOD",
        help="id of the method, or module:Name (adaclip methods; default: %(default)s); "
        "untrained saves AdaCLIP's initial parameters",
    )
    train.add_argument("--backbone", required=True, metavar="SETTINGS", help="backbone settings")
    train.add_argument("--model", metavar="SETTINGS", help="settings of the method itself (default: its paper's)")
    train.add_argument("--train", metavar="SETTINGS", help="training settings (default: its paper's)")
    train.add_argument("--evaluation", metavar="SETTINGS", help="evaluation settings, for the selection set")
    train.add_argument("--seed", type=int, default=0, metavar="N", help="seed (default: %(default)s)")
    train.add_argument(
        "--manifest", type=Path, nargs="*", default=[], metavar="FILE", help="manifests of the auxiliary sets"
    )
    train.add_argument(
        "--features",
        type=Path,
        nargs="*",
        default=[],
        metavar="FILE",
        help="their features, in the same order, for a method that stores some (adaclip)",
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
    train.add_argument(
        "--frozen-cache",
        type=float,
        default=0.0,
        metavar="GIB",
        help="memory for frozen features that are kept from epoch to epoch (default: %(default)s)",
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
    evaluate.add_argument(
        "--name", metavar="NAME", help="name of the run of a released checkpoint (default: its file's)"
    )
    evaluate.add_argument("--manifest", type=Path, required=True, metavar="FILE", help="manifest of the prepared set")
    evaluate.add_argument(
        "--features", type=Path, nargs="?", metavar="FILE", help="its features (default: computed on the way)"
    )
    evaluate.add_argument(
        "--evaluation",
        metavar="SETTINGS",
        help="evaluation settings (default: at 518 px, smoothed as the method has it)",
    )
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
        "evaluate a method that learns nothing, or a control: no checkpoint is needed",
        "random is a seeded random score and map, oracle the ground truth itself; adaclip methods lists the others.",
        epilog=SETTINGS,
    )
    baseline.add_argument("--method", required=True, metavar="METHOD", help="what to evaluate")
    baseline.add_argument("--name", metavar="NAME", help="name of the run (default: the method)")
    baseline.add_argument("--backbone", metavar="SETTINGS", help="backbone settings; a control has none")
    baseline.add_argument("--model", metavar="SETTINGS", help="settings of the method itself (default: its paper's)")
    baseline.add_argument("--manifest", type=Path, required=True, metavar="FILE", help="manifest of the prepared set")
    baseline.add_argument(
        "--evaluation",
        metavar="SETTINGS",
        help="evaluation settings (default: at 518 px, smoothed as the method has it)",
    )
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
    parser.add_argument("--method", metavar="METHOD", help="method of a released checkpoint (default: adaclip)")
    parser.add_argument("--model", metavar="SETTINGS", help="its method's settings (default: its paper's)")


def _backbone(text: str | None) -> Any:
    from adaclip.clip.settings import BackboneSettings
    from adaclip.system.settings import read_settings

    return read_settings(BackboneSettings, "backbone", text) if text is not None else None


def _evaluation(text: str | None) -> Any:
    from adaclip.metrics.settings import EvaluateSettings
    from adaclip.system.settings import read_settings

    return read_settings(EvaluateSettings, "evaluation", text)


def _of_method(kind: type | None, text: str | None, what: str, method: str) -> Any:
    """Settings of a method from the command line, or None for one that has none of these."""
    from adaclip.system.annotated import read
    from adaclip.system.settings import read_mapping

    if kind is None:
        if text is not None:
            raise UsageError(f"method {method} is not trained: leave --train out")
        return None
    return read(kind, read_mapping(text, what) if text is not None else {}, what)


def _features(arguments: argparse.Namespace) -> None:
    from adaclip.methods.load import resolved
    from adaclip.methods.registry import find_card

    # What the settings leave open is as AdaCLIP computes.
    backbone = resolved(find_card("adaclip"), _backbone(arguments.backbone), "reference")
    start_model(arguments)
    from adaclip.runs.device import decoders, take_device
    from adaclip.runs.features import compute_features

    device = take_device(arguments.device, arguments.threads)
    workers = decoders(arguments.workers, device)
    compute_features(backbone, arguments.manifest, arguments.out, device=device, workers=workers)


def _train(arguments: argparse.Namespace) -> None:
    from adaclip.clip.architectures import check_backbone
    from adaclip.methods.registry import find_card

    card = find_card(arguments.method)
    if card.kind not in ("trained", "untrained"):
        raise UsageError(f"method {arguments.method} is {card.kind}: it has no checkpoint (adaclip baseline)")
    given = _backbone(arguments.backbone)
    backbone = card.numerics("reference").of(given, check_backbone(given).image_size)
    model = _of_method(card.settings, arguments.model, "model settings", arguments.method)
    settings = _of_method(card.training, arguments.train, "train settings", arguments.method)
    evaluation = _evaluation(arguments.evaluation)
    manifests = arguments.manifest
    if card.features and card.trained and len(manifests) != len(arguments.features):
        raise UsageError(f"{len(manifests)} manifests but {len(arguments.features)} feature files: give one for each")
    if arguments.selection_features is not None and arguments.selection_manifest is None:
        raise UsageError("give --selection-manifest and --selection-features together")
    if card.features and arguments.selection_manifest is not None and arguments.selection_features is None:
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
    features = arguments.features or [None] * len(manifests)
    train(
        arguments.name,
        arguments.method,
        backbone,
        model,
        settings,
        seed=arguments.seed,
        auxiliary=[Source(m, f) for m, f in zip(manifests, features, strict=True)],
        choose=choose,
        out=arguments.out,
        history=arguments.history or arguments.out.with_name("history.csv"),
        cost=arguments.cost or arguments.out.with_name("cost.json"),
        device=device,
        workers=workers,
        cache=arguments.frozen_cache,
    )


def _evaluate(arguments: argparse.Namespace) -> None:
    from adaclip.system.settings import read_mapping

    settings, backbone = _evaluation(arguments.evaluation), _backbone(arguments.backbone)
    model = read_mapping(arguments.model, "model settings") if arguments.model else None
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
        method=arguments.method,
        model=model,
        name=arguments.name,
    )


def _baseline(arguments: argparse.Namespace) -> None:
    from adaclip.methods.registry import find_card

    settings, name = _evaluation(arguments.evaluation), arguments.name or arguments.method
    card = find_card(arguments.method)
    if card.kind == "control":
        from adaclip.runs.controls import evaluate_control

        evaluate_control(name, arguments.method, arguments.manifest, settings, arguments.out, seed=arguments.seed)
        return
    backbone = _backbone(arguments.backbone) or card.backbone
    model = _of_method(card.settings, arguments.model, "model settings", arguments.method)
    start_model(arguments)
    from adaclip.runs.device import decoders, take_device
    from adaclip.runs.evaluate import evaluate_method

    device = take_device(arguments.device, arguments.threads)
    evaluate_method(
        name,
        arguments.method,
        backbone,
        model,
        arguments.manifest,
        settings,
        arguments.out,
        seed=arguments.seed,
        device=device,
        workers=decoders(arguments.workers, device),
    )


def _score(arguments: argparse.Namespace) -> None:
    from adaclip.system.settings import read_mapping

    settings, backbone = _evaluation(arguments.evaluation), _backbone(arguments.backbone)
    model = read_mapping(arguments.model, "model settings") if arguments.model else None
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
        method=arguments.method,
        model=model,
    )
