"""What can be known before the first job: offline, without weights and without PyTorch.

A job that fails after hours for a reason that stood in the configuration is a fault of the configuration.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from adaclip.clip.architectures import Architecture, check_backbone
from adaclip.data.fetched import own_files
from adaclip.data.registry import Dataset, load_registry
from adaclip.errors import AdaclipError, UsageError
from adaclip.plan.config import Config
from adaclip.plan.resolve import Plan, make_plan, plan_document, targets
from adaclip.report.file_names import table_names
from adaclip.system.foreign import kind_of_checkpoint

#: Rules of the workflow, which Snakemake takes for targets before it takes them for tables.
RULES = frozenset(
    "all audit baseline environment evaluate features fetch figures fingerprint overview panels part plan prepare "
    "prepared report simulate tables train weights".split()
)
#: Bytes of a file's name; a run's name is one, and names of files are made with it.
_LONGEST = 200


def plan_of(config: Config, foresee: bool = True) -> tuple[dict[str, Dataset], Plan]:
    """The data sets and the plan of a configuration.

    Args:
        config: a checked configuration.
        foresee: whether to look at models, folders and names too (`check_beforehand`); a job of a plan need not.

    Raises:
        UsageError: one line that names the configuration, the place and the fault.
    """
    try:
        registry = load_registry(config.datasets)
        plan = make_plan(config, registry)
        if foresee:
            check_beforehand(plan, registry)
    except UsageError as error:
        text = str(error)
        raise UsageError(text if text.startswith(config.source) else f"{config.source}: {text}") from None
    except OSError as error:
        # Such as a name that no file system takes.
        name = str(error.filename or "")[:80]
        raise UsageError(f"{config.source}: cannot look at {name or 'a path'}: {error.strerror or error}") from None
    return registry, plan


def check_beforehand(plan: Plan, registry: Mapping[str, Dataset]) -> None:
    """Refuse a plan that some job is sure to fail for.

    Args:
        plan: of a checked configuration.
        registry: every data set by id, the user's own included.

    Raises:
        UsageError: one line that names the place, the fault and what would help.
    """
    _check_models(plan)
    _check_names(plan, registry)
    _check_folders(plan)
    _check_originals(plan, registry)


def _check_models(plan: Plan) -> None:
    config, where = plan.config, plan.config.source
    architectures: dict[str, Architecture] = {}
    for name, backbone in config.backbones.items():
        with _place(f"{where}: backbones.{name}"):
            architectures[name] = check_backbone(backbone)
    on_cpu = config.runtime["device"] == "cpu"
    if on_cpu and config.evaluation.precision == "fp16":
        raise UsageError(
            f"{where}: defaults.evaluate_with: precision fp16 needs a GPU, and runtime.device is cpu: use bf16 or fp32"
        )
    for experiment in config.experiments:
        with _place(f"{where}: experiments.{experiment.name}"):
            card = experiment.card
            if card.uses_backbone:
                card.check(architectures[experiment.backbone], experiment.model)
            precision = experiment.train.precision if experiment.train is not None else None
            if on_cpu and precision == "fp16":
                raise UsageError("precision fp16 needs a GPU, and runtime.device is cpu: use bf16 or fp32")
            checkpoint = experiment.checkpoint
            if checkpoint is not None and experiment.release is None and not Path(checkpoint).exists():
                raise UsageError(f"checkpoint {checkpoint}: no such file or folder")
            if checkpoint is not None and Path(checkpoint).is_file():
                _refuse_others(Path(checkpoint))


def _refuse_others(checkpoint: Path) -> None:
    try:
        kind_of_checkpoint(checkpoint)
    except AdaclipError as error:
        raise UsageError(str(error)) from None


def _check_names(plan: Plan, registry: Mapping[str, Dataset]) -> None:
    config, where = plan.config, plan.config.source
    document = plan_document(plan, {name: _titles(registry[name]) for name in plan.sets})
    for target, asked in targets(document).items():
        if target in RULES:
            raise UsageError(
                f"{where}: '{asked[0]}' would be the target '{target}', which is a step of the workflow: "
                "choose another name (or other words for `answers`)"
            )
    twice = [name for name, count in Counter(table_names(document)).items() if count > 1]
    own = {table.name for table in config.tables}
    for name in (*twice, *(f"{name}." for name in own & {"index"})):
        raise UsageError(
            f"{where}: tables.{name.partition('.')[0]}: every report has files of that name: choose another name"
        )
    for name in (*plan.run_of, *config.backbones, *plan.sets):
        if len(name) > _LONGEST:
            raise UsageError(f"{where}: the name {name[:40]}... has {len(name)} letters: at most {_LONGEST} fit a file")
    for experiment in config.experiments:
        for dataset in experiment.train.mosaic_sets if experiment.train is not None else ():
            _known(dataset, registry, f"{where}: experiments.{experiment.name}: train.mosaic_sets")
    for dataset in config.licences:
        if dataset != "all":
            _known(dataset, registry, f"{where}: licences.accept")


def _known(dataset: str, registry: Mapping[str, Dataset], place: str) -> None:
    if dataset not in registry:
        raise UsageError(f"{place}: unknown data set '{dataset}' (adaclip data list)")


def _titles(dataset: Dataset) -> dict[str, object]:
    return {"title": dataset.title, "domain": dataset.domain, "labels": list(dataset.labels), "categories": []}


def _check_folders(plan: Plan) -> None:
    """Data and results are folders of their own that can be written."""
    where = plan.config.source
    folders = {"data": Path(plan.config.data), "results": Path(plan.config.results)}
    for key, folder in folders.items():
        strange = [sign for sign in "{}" if sign in str(folder)]
        if strange or str(folder).startswith("-"):
            raise UsageError(f"{where}: {key}: {folder}: a folder's name here has no {{ or }}, and no - in front")
        if any(part != part.strip() for part in folder.parts):
            # Snakemake warns of every single file.
            raise UsageError(f"{where}: {key}: '{folder}': a folder's name here has no white space at its ends")
        if any(len(part.encode()) > _LONGEST for part in folder.parts):
            raise UsageError(
                f"{where}: {key}: {str(folder)[:40]}... is too long a name: use one of at most {_LONGEST} bytes"
            )
        made = next(one for one in (folder, *folder.absolute().parents) if os.path.lexists(one))
        if not made.is_dir():
            raise UsageError(f"{where}: {key}: {made} is not a folder: name another one")
        if not os.access(made, os.W_OK | os.X_OK):
            raise UsageError(f"{where}: {key}: {made} cannot be written: name another one, or mend its permissions")
    data, results = (folder.resolve() for folder in folders.values())
    if data == results or results in data.parents or data in results.parents:
        raise UsageError(
            f"{where}: data ({folders['data']}) and results ({folders['results']}) lie in one another: "
            "what removes results would remove data, so name two folders"
        )


def _check_originals(plan: Plan, registry: Mapping[str, Dataset]) -> None:
    """Every set of the user's own is here, or was prepared before."""
    config, missing = plan.config, []
    for name in plan.used_sets():
        dataset = registry[name]
        place = Path(dataset.raw or f"{config.data}/raw/{name}")
        if dataset.raw is None and (dataset.sources or (config.simulate is not None and dataset.built_in)):
            continue
        if dataset.raw is not None:
            _refuse_ours(plan, name, place)
        if (Path(config.data) / "prepared" / name / "manifest.csv").is_file():
            continue
        if not place.exists():
            missing.append(f"{name}: no such file or folder: {place}")
        elif place.is_dir() and not own_files(dataset, place):
            missing.append(f"{name}: {place} is empty")
    if missing:
        others = ", ".join(one.partition(":")[0] for one in missing[1:])
        raise UsageError(
            f"{config.source}: datasets.{missing[0]}{f' (and {others})' if others else ''}: "
            "say where the original is (raw: PATH, from the working folder)"
        )


def _refuse_ours(plan: Plan, name: str, place: Path) -> None:
    """An original is neither in a folder that we write, nor around one: results would become data."""
    original = place.resolve()
    for folder in (Path(plan.config.data) / "prepared", Path(plan.config.results)):
        written = folder.resolve()
        if original == written or written in original.parents or original in written.parents:
            raise UsageError(
                f"{plan.config.source}: datasets.{name}.raw: {place} and {folder}, which is written by the workflow, "
                "lie in one another: name a folder with nothing but the original"
            )


@contextlib.contextmanager
def _place(where: str) -> Iterator[None]:
    """Puts a place in front of an error."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
