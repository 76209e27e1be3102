"""Verbs of the configuration: plan and check."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from adaclip.cli.common import verb
from adaclip.system.wording import counted


def add_plan_verbs(verbs: Any) -> None:
    """Add these verbs."""
    plan = verb(verbs, "plan", _plan, "resolve a configuration into runs and evaluations, as JSON")
    plan.add_argument("--config", required=True, metavar="SETTINGS", help="the configuration: a file, or inline JSON")
    plan.add_argument("--name", metavar="FILE", help="the file that inline JSON was read from, for the plan and errors")
    plan.add_argument("--out", type=Path, required=True, metavar="FILE", help="the JSON file to write")
    part = verb(verbs, "part", _part, "take out of a plan what one table or curve needs")
    part.add_argument("target", metavar="TARGET", help="a table, a curve, or what they answer (such as table_1)")
    part.add_argument("--plan", type=Path, required=True, metavar="FILE", help="results/plan.json")
    part.add_argument(
        "--root",
        default=".",
        metavar="PATH",
        help="from the new file's folder to that of the runs (default: %(default)s)",
    )
    part.add_argument("--out", type=Path, required=True, metavar="FILE", help="the JSON file to write")
    check = verb(verbs, "check", _check, "check a configuration and say what it asks for")
    check.add_argument("config", type=Path, metavar="CONFIG", help="configuration file (YAML)")
    clean = verb(
        verbs,
        "clean",
        _clean,
        "list what stands in the results of a configuration that it no longer asks for",
        "Nothing is removed unless --remove or --everything says so.",
    )
    clean.add_argument("config", type=Path, metavar="CONFIG", help="configuration file (YAML)")
    what = clean.add_mutually_exclusive_group()
    what.add_argument("--remove", action="store_true", help="remove what is listed")
    what.add_argument(
        "--everything",
        action="store_true",
        help="remove all results of this configuration, what it drew, and Snakemake's provenance of them",
    )
    finished = verb(verbs, "finished", _finished, "list the results folders that end in a report, the latest first")
    finished.add_argument("folder", type=Path, metavar="DIR", help="where to look, such as results")
    finished.add_argument("--configurations", action="store_true", help="list the configuration files instead")
    keys = verb(verbs, "keys", _keys, "write the table of all configuration keys into a page with marks for it")
    keys.add_argument("page", type=Path, metavar="PAGE", help="Markdown file, such as config/README.md")


def _plan(arguments: argparse.Namespace) -> None:
    from adaclip.data.registry import load_registry, public_facts
    from adaclip.plan.config import extend, parse_config
    from adaclip.plan.resolve import make_plan, plan_document
    from adaclip.system.files import write_json
    from adaclip.system.paths import expand_paths
    from adaclip.system.settings import read_mapping

    value = extend(read_mapping(arguments.config, "configuration"), arguments.config)
    name = arguments.name or _name_of(arguments.config)
    config = parse_config(expand_paths(value, name), name)
    registry = load_registry(config.datasets)
    plan = make_plan(config, registry)
    document = plan_document(plan, {name: public_facts(registry[name]) for name in plan.sets})
    write_json(arguments.out, document)


def _name_of(config: str) -> str:
    return "configuration" if config.lstrip().startswith("{") else config


def _part(arguments: argparse.Namespace) -> None:
    from adaclip.plan.resolve import part_document
    from adaclip.system.files import read_json, write_json

    write_json(arguments.out, part_document(read_json(arguments.plan), arguments.target, arguments.root))


def _check(arguments: argparse.Namespace) -> None:
    from adaclip.data.wording import words_line
    from adaclip.plan.beforehand import plan_of
    from adaclip.plan.config import load_config
    from adaclip.plan.cost import count_images, estimate, planned_jobs
    from adaclip.upkeep.folder import refuse_other

    config = load_config(arguments.config)
    registry, plan = plan_of(config)
    refuse_other(config.results, config.source)
    evaluations = plan.evaluations()
    print(
        f"{arguments.config}: {counted(len(config.experiments), 'experiment')}, {counted(len(plan.runs), 'run')}, "
        f"{counted(len(evaluations), 'evaluation')}"
    )
    for experiment in config.experiments:
        auxiliary = "+".join(experiment.auxiliary) or "nothing"
        learnt = f"train on {auxiliary}" if experiment.checkpoint is None else f"take weights trained on {auxiliary}"
        print(f"  {experiment.name}: {learnt}, evaluate {', '.join(plan.evaluated[experiment.name])}")
    print("words in the text prompts:")
    for name in plan.used_sets():
        print(f"  {words_line(registry[name], config.data)}")
    images = count_images(plan, {name: registry[name].test for name in plan.sets})
    for line in estimate(plan, images, planned_jobs(plan)).lines():
        print(line)


def _clean(arguments: argparse.Namespace) -> None:
    from adaclip.data.registry import load_registry, public_facts
    from adaclip.plan.config import load_config
    from adaclip.plan.resolve import make_plan, plan_document
    from adaclip.upkeep.clean import remove_written
    from adaclip.upkeep.folder import refuse_other
    from adaclip.upkeep.stale import find_stale, remove_all

    config = load_config(arguments.config)
    registry = load_registry(config.datasets)
    plan = make_plan(config, registry)
    if arguments.everything:
        for path in remove_written(plan):
            print(f"removed {path}")
        return
    refuse_other(config.results, config.source)
    document = plan_document(plan, {name: public_facts(registry[name]) for name in plan.sets})
    stale = find_stale(document, Path(config.results))
    if arguments.remove:
        remove_all((*stale.cheap, *stale.costly))
    for path in (*stale.cheap, *stale.costly):
        print(f"removed {path}" if arguments.remove else path)


def _finished(arguments: argparse.Namespace) -> None:
    from adaclip.upkeep.folder import finished

    for one in finished(arguments.folder):
        print(one.configuration if arguments.configurations else one.folder)


def _keys(arguments: argparse.Namespace) -> None:
    from adaclip.plan.reference import write_keys

    print(f"{arguments.page}: {'changed' if write_keys(arguments.page) else 'up to date'}")
