"""Scores and metrics of each checkpoint on each set that it was not trained on.

Reads: checkpoints, prepared sets, features.
Writes: results/runs/<run>/seed-<seed>/<set>/{scores,metrics,curves,panels,cost}.
"""


rule evaluate:
    """Evaluate a checkpoint on a prepared set, zero-shot."""
    input:
        checkpoint=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/checkpoint.safetensors",
        manifest=f"{DATA}/prepared/{{set}}/manifest.csv",
        features=lambda wildcards: run_features(wildcards, [wildcards.set]),
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
    params:
        out=f"{RESULTS}/runs/{{run}}/seed-{{seed}}/{{set}}",
        evaluation=settings(CONFIG.evaluation),
        device=RUNTIME["device"],
        workers=RUNTIME["workers"],
        code=code_digest("adaclip.evaluate"),
    threads: RUNTIME["threads"]
    resources:
        gpu=GPU,
    shell:
        "adaclip evaluate"
        " --checkpoint {input.checkpoint:q}"
        " --manifest {input.manifest:q}"
        " --features {input.features:q}"
        " --evaluation {params.evaluation:q}"
        " --device {params.device}"
        " --threads {threads}"
        " --workers {params.workers}"
        " --out {params.out:q}"
        " > {log:q} 2>&1"
