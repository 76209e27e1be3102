"""Parts of the whole: one table or curve, or all that answer one table of the paper, with nothing but the jobs behind them.

Reads: metrics, scores, curves, histories and costs of the evaluations that a part needs.
Writes: results/parts/<part>/plan.json, summary.json, tables/*, figures/*.
"""


rule part:
    """The tables and figures of a part."""
    input:
        part_evaluated,
        part_histories,
        lambda wildcards: [manifest_of(name) for name in PARTS[wildcards.part]["sets"]],
        LEAKAGE,
        plan=f"{RESULTS}/plan.json",
    output:
        plan=f"{RESULTS}/parts/{{part}}/plan.json",
        summary=f"{RESULTS}/parts/{{part}}/summary.json",
        tables=f"{RESULTS}/parts/{{part}}/tables/index.json",
        figures=f"{RESULTS}/parts/{{part}}/figures/index.json",
    log:
        f"{RESULTS}/logs/parts/{{part}}.log",
    threads: 1
    params:
        document=lambda wildcards: json.dumps(PARTS[wildcards.part], sort_keys=True),
        tables=lambda wildcards, output: str(Path(output.tables).parent),
        figures=lambda wildcards, output: str(Path(output.figures).parent),
        code=code_digest("adaclip.plan.resolve", "adaclip.report.tables.write", "adaclip.report.figures"),
    shell:
        "( adaclip part {wildcards.part:q}"
        " --plan {input.plan:q}"
        " --root ../.."
        " --out {output.plan:q}"
        " && adaclip tables"
        " --plan {output.plan:q}"
        " --summary {output.summary:q}"
        " --out {params.tables:q}"
        " && adaclip figures"
        " --plan {output.plan:q}"
        " --out {params.figures:q}"
        " ) > {log:q} 2>&1"


# A target of its own for each: `snakemake table_1`, `snakemake fig_5`, `snakemake transfer`.
for part_name in PARTS:

    rule:
        name:
            part_name
        input:
            f"{RESULTS}/parts/{part_name}/tables/index.json",
        localrule: True
