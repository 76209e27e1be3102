"""Scores and metrics of each checkpoint on each set that it was not trained on, and of baselines and controls.

Reads: checkpoints, prepared sets, features.
Writes: results/runs/<run>/seed-<seed>/<set>/{scores,metrics,curves,panels,cost}.
"""


rule evaluate:
    """Evaluate a checkpoint on a prepared set, zero-shot."""
    input:
        checkpoint=checkpoint_of,
        manifest=f"{DATA}/prepared/{{set}}/manifest.csv",
        features=lambda wildcards: run_features(wildcards, [wildcards.set]),
        backbone=lambda wildcards: local_files(backbone_of(wildcards.run)),
        leakage=[] if CONFIG.leakage == "warn" else LEAKAGE,
    output:
        scores=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/{{set}}/scores.csv",
        metrics=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/{{set}}/metrics.json",
        curves=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/{{set}}/curves.json",
        panels=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/{{set}}/panels.npz",
        cost=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/{{set}}/cost.json",
    log:
        f"{RESULTS}/logs/evaluate/{{run}}/seed-{{seed}}/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{run}}/seed-{{seed}}/{{set}}.tsv"
    wildcard_constraints:
        run=one_of([*TRAINED, *RELEASED]),
    threads: THREADS
    resources:
        gpu=GPU,
        workers=RUNTIME["workers"],
    params:
        out=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/{{set}}",
        evaluation=settings(CONFIG.evaluation),
        overlap=CONFIG.leakage,
        device=RUNTIME["device"],
        checkpoint=lambda wildcards: weights_of(wildcards.run, wildcards.seed),
        said=lambda wildcards: said_of(wildcards.run),
        code=lambda wildcards: code_of(wildcards.run, "adaclip.runs.evaluate"),
    shell:
        "adaclip evaluate"
        " --checkpoint {params.checkpoint:q}"
        " {params.said:q}"
        " --manifest {input.manifest:q}"
        " --features {input.features:q}"
        " --evaluation {params.evaluation:q}"
        " --leakage {input.leakage:q}"
        " --overlap {params.overlap}"
        " --device {params.device}"
        " --threads {threads}"
        " --workers {resources.workers}"
        " --out {params.out:q}"
        " > {log:q} 2>&1"


rule baseline:
    """Evaluate a method that learns nothing, or a control, on a prepared set; no checkpoint is needed."""
    input:
        manifest=f"{DATA}/prepared/{{set}}/manifest.csv",
        backbone=lambda wildcards: (
            local_files(backbone_of(wildcards.run)) if experiment_of(wildcards.run).card.uses_backbone else []
        ),
    output:
        scores=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/{{set}}/scores.csv",
        metrics=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/{{set}}/metrics.json",
        curves=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/{{set}}/curves.json",
        panels=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/{{set}}/panels.npz",
        cost=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/{{set}}/cost.json",
    log:
        f"{RESULTS}/logs/baseline/{{run}}/seed-{{seed}}/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/baseline/{{run}}/seed-{{seed}}/{{set}}.tsv"
    wildcard_constraints:
        run=one_of(BASELINES),
    threads: THREADS
    resources:
        gpu=lambda wildcards: GPU if experiment_of(wildcards.run).card.uses_backbone else 0,
        workers=RUNTIME["workers"],
    params:
        out=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/{{set}}",
        method=method_of,
        backbone=lambda wildcards: (
            [
                "--backbone",
                settings(backbone_of(wildcards.run)),
                "--model",
                settings(experiment_of(wildcards.run).model),
            ]
            if experiment_of(wildcards.run).card.uses_backbone
            else []
        ),
        evaluation=settings(CONFIG.evaluation),
        device=RUNTIME["device"],
        code=lambda wildcards: (
            code_of(wildcards.run, "adaclip.runs.evaluate")
            if experiment_of(wildcards.run).card.uses_backbone
            else code_digest("adaclip.runs.controls")
        ),
    shell:
        "adaclip baseline"
        " --method {params.method:q}"
        " --name {wildcards.run:q}"
        " {params.backbone:q}"
        " --manifest {input.manifest:q}"
        " --evaluation {params.evaluation:q}"
        " --seed {wildcards.seed}"
        " --device {params.device}"
        " --threads {threads}"
        " --workers {resources.workers}"
        " --out {params.out:q}"
        " > {log:q} 2>&1"
