"""What all stages share: the checked configuration, the plan made from it, and where files stand.

Reads: the configuration (config/paper.yaml unless --configfile gives another).
Writes: nothing.

Every rule runs the `adaclip` that is installed beside this Snakemake; environment.yml says with what.
"""

import json
import re
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from adaclip.plan.beforehand import plan_of
from adaclip.cli.snakemake import end, name_of
from adaclip.plan.config import TOGETHER, extend, parse_config, read_configs
from adaclip.system.settings import as_dict
from adaclip.system.cores import processes_of_a_reader, threads_of_a_model
from adaclip.data.fetched import FETCHED, drop_void_receipt, state
from adaclip.data.licences import how_to_accept, not_accepted
from adaclip.data.manifest import has_images
from adaclip.data.registry import fetching_facts, public_facts, reading_facts
from adaclip.data.weights import fetching_facts as release_facts, folder_of, path_of, receipt_of as receipt_of_release
from adaclip.methods.registry import modules_of
from adaclip.errors import AdaclipError, UsageError
from adaclip.system.paths import expand_paths
from adaclip.plan.resolve import part_document, plan_document, targets
from adaclip.system.digests import code_digest
from adaclip.system.records import forget, keep_records
from adaclip.report import series
from adaclip.report.file_names import figure_names, metric_names, panel_names, table_names
from adaclip.upkeep.folder import refuse_other
from adaclip.upkeep.stale import tidy
from adaclip.upkeep.verify import record_diaries

# Snakemake drops the first of two equal keys, and reads numbers in --config as texts: what it read is not used. Every
# file is read again, strictly, with --config on top. Only a workflow that has this one as a module gives its own values.
FILES = [name_of(path) for path in workflow.config_settings.configfiles]
if not FILES and not {"experiments", "extends"} & config.keys():

    # Snakemake's own report names it.
    configfile: workflow.source_path("../../config/paper.yaml")

    FILES = [name_of(workflow.current_basedir.join("../../config/paper.yaml").get_path_or_uri(secret_free=True))]


try:
    if workflow.modifier.is_main_snakefile():
        config = read_configs(FILES, workflow.config_settings.config_args or ())
    else:
        config = expand_paths(extend(config, "configuration"), "configuration")
    CONFIG = parse_config(config, TOGETHER.join(FILES) or "configuration")
    # What only needs to be looked at once is not looked at by every job.
    REGISTRY, PLAN = plan_of(CONFIG, foresee=workflow.is_main_process)
    refuse_other(CONFIG.results, CONFIG.source)
except AdaclipError as error:
    end(error)

DOCUMENT = plan_document(PLAN, {name: public_facts(REGISTRY[name]) for name in PLAN.sets})
DATA, RESULTS = CONFIG.data, CONFIG.results
RUNTIME = CONFIG.runtime
THREADS, READERS = threads_of_a_model(RUNTIME), processes_of_a_reader(RUNTIME)
# The program `adaclip` of this Python, also when its environment was not activated; it ends when this Snakemake does.
# Whether images are checked stands in the environment too: among a rule's params it would plan everything again.
BESIDE = shlex.quote(str(Path(sys.executable).parent))
shell.prefix(
    f"set -euo pipefail; export PATH={BESIDE}:$PATH ADACLIP_WORKFLOW_PID=$PPID"
    f" ADACLIP_VERIFY={int(RUNTIME['verify'])}; "
)
# A GPU is asked for unless the configuration says cpu; the profile says how many there are.
GPU = 0 if RUNTIME["device"] == "cpu" else 1

REPORT = f"{RESULTS}/report/index.html"
SUMMARY = f"{RESULTS}/summary.json"
AVERAGES = [f"{RESULTS}/metrics/{name}" for name in metric_names(DOCUMENT)]
# What every prepared set has, beside its pictures.
PREPARED = ("manifest.csv", "prepared.json", "SHA256SUMS")
TABLES = [f"{RESULTS}/tables/{name}" for name in table_names(DOCUMENT)]
FIGURES = [f"{RESULTS}/figures/{name}" for name in figure_names(DOCUMENT)]


def one_of(names):
    """A pattern that fits these names and nothing else."""
    return "|".join(map(re.escape, names)) or "(?!)"


PARTS = {name: part_document(DOCUMENT, name, "../..") for name in targets(DOCUMENT)}
# Runs whose checkpoint is trained here, whose checkpoint is given, and those that need none.
TRAINED, RELEASED = PLAN.trained_runs(), PLAN.released_runs()
BASELINES = [name for name in PLAN.runs if name not in (*TRAINED, *RELEASED)]
RELEASES = {chosen.release.id: chosen.release for chosen in CONFIG.experiments if chosen.release is not None}


wildcard_constraints:
    set=one_of(PLAN.sets),
    run=one_of(PLAN.runs),
    backbone=one_of(PLAN.features),
    release=one_of(RELEASES),
    part=one_of(targets(DOCUMENT)),
    seed=r"\d+",


def manifest_of(name):
    """Manifest of a prepared set."""
    return f"{DATA}/prepared/{name}/manifest.csv"


def has_pictures(name):
    """Whether the images of a set are here or will be: with results that were brought back come manifests alone."""
    return not Path(manifest_of(name)).is_file() or has_images(manifest_of(name))


SHOWN = series.shown(DOCUMENT)
PANELS = [f"{RESULTS}/figures/panels/{file}" for name in SHOWN if has_pictures(name) for file in panel_names(name)]


def features_of(backbone, name):
    """Frozen embeddings of a prepared set."""
    return f"{RESULTS}/features/{backbone}/{name}.safetensors"


def run_folder(run, seed):
    """Where a run's files stand."""
    return f"{RESULTS}/runs/{run}/seed-{seed}"


def evaluated(*names):
    """These files of every evaluation."""
    return [f"{run_folder(run, seed)}/{dataset}/{name}" for run, seed, dataset in PLAN.evaluations() for name in names]


def settings(value):
    """Settings as JSON for a command line; a change of them is a change of the rule's params."""
    return json.dumps(as_dict(value), sort_keys=True)


def local_files(backbone):
    """Files of the user's own that a backbone is made from."""
    return [path for path in (backbone.model, backbone.pretrained or "") if Path(path).is_file()]


def experiment_of(run):
    """The settings of a run."""
    return PLAN.runs[run].experiment


def backbone_of(run):
    """The backbone of a run, with nothing left open."""
    return PLAN.computed[experiment_of(run).name]


def method_of(wildcards):
    """The method of a run."""
    return experiment_of(wildcards.run).method


def code_of(run, *modules):
    """A digest of the code behind a step, that of the run's method included."""
    chosen = experiment_of(run)
    return code_digest(*modules, *(modules_of(chosen.method) if chosen.card.uses_backbone else ()))


def auxiliary_of(wildcards):
    """Auxiliary sets of a run, in a fixed order: its seed gives the same numbers however the config lists them."""
    return sorted(experiment_of(wildcards.run).auxiliary)


def selected_on(chosen):
    """The set on which an experiment chooses its epoch, as a list of none or one."""
    return [chosen.selection] if chosen.selection else []


def selection_of(wildcards):
    """The same of a run."""
    return selected_on(experiment_of(wildcards.run))


def run_features(wildcards, names):
    """Stored features of sets for a run, if its method uses some."""
    folder = PLAN.features_of(experiment_of(wildcards.run))
    return [features_of(folder, name) for name in names] if folder is not None else []


def checkpoint_of(wildcards):
    """The checkpoint of a run: trained here, fetched, or a file of the user's."""
    chosen = experiment_of(wildcards.run)
    if chosen.release is not None:
        receipt = receipt_of_release(chosen.release, DATA)
        drop_void_receipt(receipt, folder_of(chosen.release, DATA))
        return receipt
    return chosen.checkpoint or f"{run_folder(wildcards.run, wildcards.seed)}/checkpoint.safetensors"


def weights_of(run, seed):
    """Where the weights of a run lie."""
    chosen = experiment_of(run)
    if chosen.release is not None:
        return str(path_of(chosen.release, DATA))
    return chosen.checkpoint or f"{run_folder(run, seed)}/checkpoint.safetensors"


def said_of(run):
    """What a checkpoint that is not trained here does not say of itself, as flags of `adaclip evaluate`."""
    chosen = experiment_of(run)
    if chosen.checkpoint is None:
        return []
    backbone, model = settings(backbone_of(run)), settings(chosen.model)
    flags = ["--name", run, "--method", chosen.method, "--backbone", backbone, "--model", model]
    return [*flags, "--auxiliary", *sorted(chosen.auxiliary)]


def histories():
    """History and cost of every checkpoint."""
    runs = dict.fromkeys((run, seed) for run, seed, _ in PLAN.evaluations() if run in TRAINED)
    return [f"{run_folder(run, seed)}/{name}" for run, seed in runs for name in ("history.csv", "cost.json")]


def between():
    """Every file between the prepared sets and what `all` shows, and those of the prepared sets."""
    runs = dict.fromkeys((run, seed) for run, seed, _ in PLAN.evaluations() if run in TRAINED)
    needed = [
        (folder, [*(experiment.auxiliary if run in TRAINED else ()), *selected_on(experiment), dataset])
        for run, _, dataset in PLAN.evaluations()
        if run not in BASELINES
        for experiment in [experiment_of(run)]
        for folder in [PLAN.features_of(experiment)]
        if folder is not None
    ]
    return [
        *evaluated("metrics.json", "scores.csv", "curves.json", "panels.npz", "cost.json"),
        *histories(),
        *(f"{run_folder(run, seed)}/checkpoint.safetensors" for run, seed in runs),
        *dict.fromkeys(features_of(folder, name) for folder, names in needed for name in names),
        *(f"{DATA}/prepared/{name}/{file}" for name in PLAN.used_sets() for file in PREPARED),
        *(f"{RESULTS}/audit/fingerprints/{name}.csv" for name in PLAN.used_sets()),
        *(f"{RESULTS}/audit/{name}" for name in ("pairs.csv", "groups.csv", "tables/index.json", "figures/index.json")),
        *(f"{RESULTS}/audit/figures/audit_overlaps.{suffix}" for suffix in ("svg", "png")),
        *AVERAGES,
        f"{RESULTS}/plan.json",
        f"{RESULTS}/report/provenance.json",
    ]


BETWEEN = between()


def part_evaluated(wildcards):
    """Files of every evaluation of a part."""
    return [
        f"{run_folder(experiment['run'], seed)}/{dataset}/{name}"
        for experiment in PARTS[wildcards.part]["experiments"]
        for seed in experiment["seeds"]
        for dataset in experiment["evaluate"]
        for name in ("metrics.json", "cost.json", "scores.csv", "curves.json")
    ]


def part_histories(wildcards):
    """History and cost of every checkpoint of a part."""
    return [
        f"{run_folder(experiment['run'], seed)}/{name}"
        for experiment in PARTS[wildcards.part]["experiments"]
        if experiment["run"] in TRAINED
        for seed in experiment["seeds"]
        for name in ("history.csv", "cost.json")
    ]


def shown(paths, suffix, kind, caption):
    """Those files with this suffix marked for Snakemake's own report, under what they answer in the paper."""
    asked = {entry["name"]: entry for entry in (*DOCUMENT["tables"], *DOCUMENT["curves"])}
    marked = []
    for path in paths:
        stem = Path(path).stem
        entry = asked.get(stem, {"title": stem.replace("_", " "), "answers": ""})
        labels = {"result": entry["title"], "answers": entry["answers"] or "-"}
        marked.append(report(path, caption=caption, category=kind, labels=labels) if path.endswith(suffix) else path)
    return marked


def shown_maps(wildcards):
    """The maps of the evaluation whose images are drawn."""
    experiment = SHOWN[wildcards.set]
    return f"{run_folder(experiment['run'], experiment['seeds'][0])}/{wildcards.set}/panels.npz"


def shown_facts(wildcards):
    """What a set's figure of images says: it is drawn again when this changes, not whenever the plan does."""
    experiment = SHOWN[wildcards.set]
    facts = [experiment, DOCUMENT["sets"][wildcards.set], DOCUMENT["backbones"][experiment["backbone"]]]
    return json.dumps([*facts, DOCUMENT["evaluation"]], sort_keys=True)


def raw_of(name):
    """Where a set's original stands."""
    return REGISTRY[name].raw or f"{DATA}/raw/{name}"


def state_of(name):
    """A digest of the user's own original, or FETCHED for one that comes from a source.

    A set whose original was removed after it was prepared stays what it was, so that it is not fetched again.
    """
    return state(REGISTRY[name], Path(raw_of(name)), Path(manifest_of(name)))


def mirror_of(name):
    """The folder of a set's drawn archives, when the configuration wants it drawn."""
    return f"{DATA}/mirror/{name}" if CONFIG.simulate is not None else ""


def receipt_of(wildcards):
    """The receipt of a set that is fetched; nothing for the user's own original."""
    if state_of(wildcards.set) != FETCHED:
        return []
    receipt = f"{DATA}/raw/{wildcards.set}.fetched.json"
    drop_void_receipt(Path(receipt), Path(raw_of(wildcards.set)))
    return receipt


def entry_of(name, keys):
    """These registry keys of a set, where the configuration gives them: a change of another one plans nothing again."""
    entry = CONFIG.datasets.get(name, {})
    return json.dumps({key: entry[key] for key in sorted(keys) if key in entry})


def reading_keys(name):
    """Registry keys that a preparation asks; where a set is fetched from matters only when it is fetched."""
    return [*reading_facts(REGISTRY[name]), "raw", *(["sources"] if state_of(name) == FETCHED else [])]
