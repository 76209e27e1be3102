"""Frozen features, and checkpoints.

Reads: prepared sets.
Writes: results/features/<backbone>/<set>.safetensors; results/runs/<run>/seed-<seed>/{checkpoint,history,cost}.
"""


rule features:
    """The frozen image embeddings of a prepared set, once for every backbone."""
    input:
        manifest=f"{DATA}/prepared/{{set}}/manifest.csv",
        backbone=lambda wildcards: local_files(PLAN.features[wildcards.backbone]),
    output:
        f"{RESULTS}/features/{{backbone}}/{{set}}.safetensors",
    log:
        f"{RESULTS}/logs/features/{{backbone}}/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/features/{{backbone}}/{{set}}.tsv"
    threads: THREADS
    resources:
        gpu=GPU,
        workers=RUNTIME["workers"],
    params:
        backbone=lambda wildcards: settings(PLAN.features[wildcards.backbone]),
        device=RUNTIME["device"],
        code=code_digest("adaclip.runs.features"),
    shell:
        "adaclip features"
        " --backbone {params.backbone:q}"
        " --manifest {input.manifest:q}"
        " --device {params.device}"
        " --threads {threads}"
        " --workers {resources.workers}"
        " --out {output:q}"
        " > {log:q} 2>&1"


rule train:
    """One checkpoint: a method's parameters after training on the auxiliary sets (or untouched, for a baseline)."""
    input:
        manifests=lambda wildcards: [manifest_of(name) for name in auxiliary_of(wildcards)],
        features=lambda wildcards: run_features(wildcards, auxiliary_of(wildcards)),
        selection_manifest=lambda wildcards: [manifest_of(name) for name in selection_of(wildcards)],
        selection_features=lambda wildcards: run_features(wildcards, selection_of(wildcards)),
        backbone=lambda wildcards: local_files(backbone_of(wildcards.run)),
    output:
        checkpoint=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/checkpoint.safetensors",
        history=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/history.csv",
        cost=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/cost.json",
    log:
        f"{RESULTS}/logs/train/{{run}}/seed-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{run}}/seed-{{seed}}.tsv"
    threads: THREADS
    resources:
        gpu=GPU,
        workers=RUNTIME["workers"],
        # No part of the params: what is kept in memory changes no figure.
        frozen_cache=RUNTIME["frozen_cache"],
    params:
        method=method_of,
        backbone=lambda wildcards: settings(backbone_of(wildcards.run)),
        model=lambda wildcards: settings(experiment_of(wildcards.run).model),
        train=lambda wildcards: (
            ["--train", settings(experiment_of(wildcards.run).train)] if experiment_of(wildcards.run).train else []
        ),
        evaluation=lambda wildcards: (settings(CONFIG.evaluation) if selection_of(wildcards) else "{}"),
        device=RUNTIME["device"],
        code=lambda wildcards: code_of(
            wildcards.run, "adaclip.runs.train", *["adaclip.runs.selection"] * len(selection_of(wildcards))
        ),
    shell:
        "adaclip train"
        " --name {wildcards.run:q}"
        " --method {params.method:q}"
        " --backbone {params.backbone:q}"
        " --model {params.model:q}"
        " {params.train:q}"
        " --evaluation {params.evaluation:q}"
        " --seed {wildcards.seed}"
        " --manifest {input.manifests:q}"
        " --features {input.features:q}"
        " --selection-manifest {input.selection_manifest:q}"
        " --selection-features {input.selection_features:q}"
        " --device {params.device}"
        " --threads {threads}"
        " --workers {resources.workers}"
        " --frozen-cache {resources.frozen_cache}"
        " --history {output.history:q}"
        " --cost {output.cost:q}"
        " --out {output.checkpoint:q}"
        " > {log:q} 2>&1"
