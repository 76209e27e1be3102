"""The command line: `adaclip <verb>`. Each verb imports what it needs only when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from adaclip.errors import AdaclipError, UsageError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Args:
        argv: arguments without the program's name; default the process's.

    Returns:
        0, 1 for a failure that the user can mend, 2 for wrong arguments or settings, 130 when interrupted. The error is
        one line on standard error.
    """
    # argparse prints its own usage errors and exits with 2.
    arguments = build_parser().parse_args(argv)
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except AdaclipError as error:
        print(f"adaclip: error: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; Python would complain once more while closing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("adaclip: interrupted", file=sys.stderr)
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    from adaclip import __version__

    parser = argparse.ArgumentParser(
        prog="adaclip",
        description="Zero-shot anomaly detection with AdaCLIP: prepare data sets, train, evaluate, report. "
        "Each verb is one step of the workflow; `snakemake --cores all` runs them all.",
        epilog="`adaclip <verb> --help` explains a verb. Settings flags take a YAML or JSON file, or inline JSON.",
    )
    parser.add_argument("--version", action="version", version=f"adaclip-bench {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="<verb>", required=True)
    _add_data(verbs)
    _add_model_verbs(verbs)
    _add_report_verbs(verbs)
    plan = _verb(verbs, "plan", _plan, "resolve a configuration into runs and evaluations, as JSON")
    plan.add_argument("--config", required=True, metavar="SETTINGS", help="the configuration: a file, or inline JSON")
    plan.add_argument("--out", type=Path, required=True, metavar="FILE", help="the JSON file to write")
    check = _verb(verbs, "check", _check, "check a configuration and say what it asks for")
    check.add_argument("config", type=Path, metavar="CONFIG", help="configuration file (YAML)")
    return parser


def _verb(
    verbs: Any, name: str, run: Callable[[argparse.Namespace], None], summary: str, details: str = ""
) -> argparse.ArgumentParser:
    description = summary[0].upper() + summary[1:] + "." + (f" {details}" if details else "")
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=summary, description=description)
    parser.set_defaults(run=run)
    return parser


def _add_data(verbs: Any) -> None:
    data = verbs.add_parser(
        "data", help="list, simulate and prepare data sets", description="List, simulate and prepare data sets."
    )
    parts = data.add_subparsers(title="verbs", metavar="<verb>", required=True)

    listing = _verb(parts, "list", _data_list, "list the data sets: what is here, what is missing, how to get it")
    listing.add_argument("--config", type=Path, metavar="FILE", help="a configuration whose own sets are listed too")
    listing.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help="the data folder (default: %(default)s)"
    )

    simulate = _verb(parts, "simulate", _data_simulate, "draw a small simulated original in a set's raw layout")
    simulate.add_argument("id", metavar="ID", help="a built-in data set's id (see adaclip data list)")
    simulate.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    simulate.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the drawing (default: %(default)s)")
    simulate.add_argument(
        "--images", type=int, default=16, metavar="N", help="test images of a category (default: %(default)s)"
    )
    simulate.add_argument(
        "--size", type=int, default=192, metavar="PX", help="side of the images (default: %(default)s)"
    )

    prepare = _verb(
        parts,
        "prepare",
        _data_prepare,
        "check an original and turn it into a prepared set with a manifest",
        "The layout is recognised by its content. Every file is decoded once; a mask that is missing or does not fit "
        "its image is an error that names it.",
    )
    prepare.add_argument("id", metavar="ID", help="the data set's id: a built-in one, or a name for your own")
    prepare.add_argument("--raw", type=Path, required=True, metavar="PATH", help="the original: a folder or an archive")
    prepare.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    prepare.add_argument(
        "--entry", metavar="SETTINGS", help="registry keys of this set, as under `datasets` in a config"
    )
    prepare.add_argument("--jobs", type=int, metavar="N", help="processes that decode (default: one for each core)")


def _add_runtime(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("runtime")
    group.add_argument(
        "--device", default="auto", choices=("auto", "cpu", "cuda"), help="where to compute (default: %(default)s)"
    )
    group.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: PyTorch's choice)")
    group.add_argument(
        "--workers", type=int, default=0, metavar="N", help="processes that decode images (default: %(default)s)"
    )


def _add_model_verbs(verbs: Any) -> None:
    features = _verb(verbs, "features", _features, "compute the frozen image embeddings of a prepared set")
    features.add_argument("--backbone", required=True, metavar="SETTINGS", help="backbone settings")
    features.add_argument("--manifest", type=Path, required=True, metavar="FILE", help="manifest of the prepared set")
    features.add_argument("--out", type=Path, required=True, metavar="FILE", help="the .safetensors file to write")
    _add_runtime(features)

    train = _verb(verbs, "train", _train, "train AdaCLIP on auxiliary data")
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
    _add_runtime(train)

    evaluate = _verb(
        verbs,
        "evaluate",
        _evaluate,
        "evaluate a checkpoint on a prepared set",
        "A set that the checkpoint was trained on is refused.",
    )
    evaluate.add_argument(
        "--checkpoint", type=Path, required=True, metavar="FILE", help="a checkpoint of adaclip train"
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
    _add_runtime(evaluate)

    score = _verb(
        verbs,
        "score",
        _score,
        "score a folder of your own images",
        "No labels are needed: writes scores.csv and one heat map for each image.",
    )
    score.add_argument(
        "--checkpoint",
        type=Path,
        required=True,
        metavar="FILE",
        help="a checkpoint of adaclip train, or a released .pth",
    )
    score.add_argument(
        "--backbone", metavar="SETTINGS", help="backbone settings; needed for a .pth, which does not name its own"
    )
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
    _add_runtime(score)


def _add_report_verbs(verbs: Any) -> None:
    tables = _verb(verbs, "tables", _tables, "gather all metrics into tables")
    tables.add_argument("--plan", type=Path, required=True, metavar="FILE", help="results/plan.json")
    tables.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for CSV and Markdown tables")
    tables.add_argument("--summary", type=Path, required=True, metavar="FILE", help="JSON summary for dvc metrics")

    figures = _verb(verbs, "figures", _figures, "draw all figures")
    figures.add_argument("--plan", type=Path, required=True, metavar="FILE", help="results/plan.json")
    figures.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for SVG and PNG figures")

    report = _verb(verbs, "report", _report, "write the report page")
    report.add_argument("--plan", type=Path, required=True, metavar="FILE", help="results/plan.json")
    report.add_argument("--tables", type=Path, required=True, metavar="DIR", help="folder of adaclip tables")
    report.add_argument("--figures", type=Path, required=True, metavar="DIR", help="folder of adaclip figures")
    report.add_argument("--out", type=Path, required=True, metavar="FILE", help="the HTML file to write")


def _data_list(arguments: argparse.Namespace) -> None:
    from adaclip.config import load_config
    from adaclip.data.registry import load_registry
    from adaclip.data.status import print_status

    extra = load_config(arguments.config).datasets if arguments.config else None
    print_status(load_registry(extra), arguments.data)


def _data_simulate(arguments: argparse.Namespace) -> None:
    from adaclip.data.simulate import simulate

    simulate(arguments.id, arguments.out, seed=arguments.seed, images=arguments.images, size=arguments.size)


def _data_prepare(arguments: argparse.Namespace) -> None:
    from adaclip.config import read_mapping
    from adaclip.data.prepare import prepare
    from adaclip.data.registry import dataset_for

    entry = read_mapping(arguments.entry, "entry") if arguments.entry else None
    summary = prepare(dataset_for(arguments.id, entry), arguments.raw, arguments.out, jobs=arguments.jobs)
    for warning in summary.warnings:
        print(f"adaclip: warning: {warning}", file=sys.stderr)
    print(summary.text())


def _features(arguments: argparse.Namespace) -> None:
    from adaclip.config import BackboneSettings, read_settings

    backbone = read_settings(BackboneSettings, "backbone", arguments.backbone)
    from adaclip.device import take_device
    from adaclip.features import compute_features

    device = take_device(arguments.device, arguments.threads)
    compute_features(backbone, arguments.manifest, arguments.out, device=device, workers=arguments.workers)


def _train(arguments: argparse.Namespace) -> None:
    from adaclip.config import BackboneSettings, EvaluateSettings, ModelSettings, TrainSettings, read_settings

    backbone = read_settings(BackboneSettings, "backbone", arguments.backbone)
    model = read_settings(ModelSettings, "model", arguments.model)
    settings = read_settings(TrainSettings, "train", arguments.train)
    evaluation = read_settings(EvaluateSettings, "evaluation", arguments.evaluation)
    if len(arguments.manifest) != len(arguments.features):
        raise UsageError(
            f"{len(arguments.manifest)} manifests but {len(arguments.features)} feature files: give one for each"
        )
    if (arguments.selection_manifest is None) != (arguments.selection_features is None):
        raise UsageError("give --selection-manifest and --selection-features together")
    from adaclip.device import take_device
    from adaclip.train import Source, train

    train(
        arguments.name,
        arguments.method,
        backbone,
        model,
        settings,
        seed=arguments.seed,
        auxiliary=[Source(m, f) for m, f in zip(arguments.manifest, arguments.features, strict=True)],
        selection=Source(arguments.selection_manifest, arguments.selection_features)
        if arguments.selection_manifest
        else None,
        evaluation=evaluation,
        out=arguments.out,
        history=arguments.history or arguments.out.with_name("history.csv"),
        cost=arguments.cost or arguments.out.with_name("cost.json"),
        device=take_device(arguments.device, arguments.threads),
        workers=arguments.workers,
    )


def _evaluate(arguments: argparse.Namespace) -> None:
    from adaclip.config import EvaluateSettings, read_settings

    settings = read_settings(EvaluateSettings, "evaluation", arguments.evaluation)
    from adaclip.device import take_device
    from adaclip.evaluate import evaluate

    evaluate(
        arguments.checkpoint,
        arguments.manifest,
        arguments.features,
        settings,
        arguments.out,
        device=take_device(arguments.device, arguments.threads),
        workers=arguments.workers,
    )


def _score(arguments: argparse.Namespace) -> None:
    from adaclip.config import BackboneSettings, EvaluateSettings, read_settings

    settings = read_settings(EvaluateSettings, "evaluation", arguments.evaluation)
    backbone = read_settings(BackboneSettings, "backbone", arguments.backbone) if arguments.backbone else None
    from adaclip.device import take_device
    from adaclip.score import score_folder

    score_folder(
        arguments.checkpoint,
        backbone,
        arguments.images,
        arguments.category,
        settings,
        arguments.out,
        device=take_device(arguments.device, arguments.threads),
        workers=arguments.workers,
    )


def _tables(arguments: argparse.Namespace) -> None:
    from adaclip.report.tables import write_tables

    write_tables(arguments.plan, arguments.out, arguments.summary)


def _figures(arguments: argparse.Namespace) -> None:
    from adaclip.report.figures import write_figures

    write_figures(arguments.plan, arguments.out)


def _report(arguments: argparse.Namespace) -> None:
    from adaclip.report.page import write_page

    write_page(arguments.plan, arguments.tables, arguments.figures, arguments.out)


def _plan(arguments: argparse.Namespace) -> None:
    from adaclip.config import parse_config, read_mapping
    from adaclip.data.registry import load_registry, public_facts
    from adaclip.files import write_json
    from adaclip.plan import make_plan, plan_document

    config = parse_config(read_mapping(arguments.config, "configuration"), "configuration")
    registry = load_registry(config.datasets)
    plan = make_plan(config, registry)
    write_json(arguments.out, plan_document(plan, {name: public_facts(registry[name]) for name in plan.sets}))


def _check(arguments: argparse.Namespace) -> None:
    from adaclip.config import load_config
    from adaclip.data.registry import load_registry
    from adaclip.plan import make_plan

    config = load_config(arguments.config)
    plan = make_plan(config, load_registry(config.datasets))
    evaluations = plan.evaluations()
    print(
        f"{arguments.config}: {len(config.experiments)} experiments, {len(plan.runs)} runs, "
        f"{len(evaluations)} evaluations"
    )
    for experiment in config.experiments:
        auxiliary = "+".join(experiment.auxiliary) or "nothing"
        print(f"  {experiment.name}: train on {auxiliary}, evaluate {', '.join(plan.evaluated[experiment.name])}")


if __name__ == "__main__":
    sys.exit(main())
