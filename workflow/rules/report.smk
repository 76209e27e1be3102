"""Tables, figures, and the page.

Reads: metrics, scores, curves, maps, histories and costs of all evaluations.
Writes: results/plan.json, results/summary.json, results/metrics/*, results/tables/*, results/figures/*, results/report/index.html.
"""

# Snakemake would name each file that is not there, thousands of lines for the paper.
ASKED = any(word.partition("=")[0] == "--report" for word in sys.argv)
MADE = [Path(REPORT), *(Path(f"{RESULTS}/parts/{name}/tables/index.json") for name in PARTS)]
if ASKED and workflow.is_main_process and not any(path.is_file() for path in MADE):
    end(
        UsageError(
            f"{CONFIG.source}: nothing in {RESULTS} is finished that --report could show: run it first, "
            "or name the configuration that was run with --configfile"
        )
    )


rule plan:
    """What the configuration asks for, with titles and sources, for the steps that gather."""
    output:
        f"{RESULTS}/plan.json",
    log:
        f"{RESULTS}/logs/plan.log",
    # First of all: the plan says whose folder it is.
    priority: 100
    threads: 1
    params:
        # Functions, since braces in a plain string would be taken for wildcards. The order of the experiments counts.
        config=lambda wildcards: json.dumps(config),
        name=CONFIG.source,
        document=lambda wildcards: json.dumps(DOCUMENT, sort_keys=True),
        code=code_digest("adaclip.plan.resolve"),
    shell:
        "adaclip plan" " --config {params.config:q}" " --name {params.name:q}" " --out {output:q}" " > {log:q} 2>&1"


rule tables:
    """All tables as CSV in full precision, Markdown and LaTeX, and the summary for dvc metrics."""
    input:
        evaluated("metrics.json", "cost.json"),
        histories(),
        [manifest_of(name) for name in PLAN.used_sets()],
        LEAKAGE,
        plan=f"{RESULTS}/plan.json",
    output:
        shown(TABLES, ".csv", "Tables", "../report/tables.rst"),
        AVERAGES,
        summary=SUMMARY,
    log:
        f"{RESULTS}/logs/tables.log",
    threads: 1
    params:
        out=lambda wildcards, output: str(Path(output.summary).with_name("tables")),
        metrics=lambda wildcards, output: str(Path(output.summary).with_name("metrics")),
        code=code_digest("adaclip.report.tables.write"),
    shell:
        "adaclip tables"
        " --plan {input.plan:q}"
        " --summary {output.summary:q}"
        " --metrics {params.metrics:q}"
        " --out {params.out:q}"
        " > {log:q} 2>&1"


rule figures:
    """All figures, as SVG and PNG."""
    input:
        evaluated("metrics.json", "scores.csv", "curves.json", "cost.json"),
        histories(),
        plan=f"{RESULTS}/plan.json",
    output:
        shown(FIGURES, ".svg", "Figures", "../report/figures.rst"),
    log:
        f"{RESULTS}/logs/figures.log",
    threads: 1
    params:
        out=lambda wildcards, output: str(Path(output[0]).parent),
        code=code_digest("adaclip.report.figures"),
    shell:
        "adaclip figures" " --plan {input.plan:q}" " --out {params.out:q}" " > {log:q} 2>&1"


rule panels:
    """Images of a set beside their maps. They may belong to others: neither stored with DVC nor in Snakemake's report."""
    input:
        manifest=f"{DATA}/prepared/{{set}}/manifest.csv",
        maps=shown_maps,
        plan=ancient(f"{RESULTS}/plan.json"),
    output:
        f"{RESULTS}/figures/panels/{{set}}/panels_{{set}}.svg",
        f"{RESULTS}/figures/panels/{{set}}/panels_{{set}}.png",
        index=f"{RESULTS}/figures/panels/{{set}}/index.json",
    log:
        f"{RESULTS}/logs/panels/{{set}}.log",
    wildcard_constraints:
        set=one_of(SHOWN),
    threads: 1
    params:
        out=lambda wildcards, output: str(Path(output.index).parent),
        facts=shown_facts,
        code=code_digest("adaclip.report.figures.panels"),
    shell:
        "adaclip panels {wildcards.set:q}" " --plan {input.plan:q}" " --out {params.out:q}" " > {log:q} 2>&1"


rule environment:
    """What the results were computed with: machine, devices, versions, commit, checksums."""
    input:
        evaluated("metrics.json", "cost.json"),
        histories(),
        [manifest_of(name) for name in PLAN.used_sets()],
        plan=f"{RESULTS}/plan.json",
    output:
        f"{RESULTS}/report/provenance.json",
    log:
        f"{RESULTS}/logs/environment.log",
    threads: 1
    params:
        code=code_digest("adaclip.report.environment"),
    shell:
        "adaclip environment" " --plan {input.plan:q}" " --out {output:q}" " > {log:q} 2>&1"


rule report:
    """The page: self-contained, opens from a file."""
    input:
        TABLES,
        FIGURES,
        evaluated("metrics.json", "panels.npz"),
        [manifest_of(name) for name in PLAN.used_sets()],
        plan=f"{RESULTS}/plan.json",
        summary=SUMMARY,
        tables=[f"{RESULTS}/tables/index.json", f"{AUDIT}/tables/index.json"],
        figures=[f"{RESULTS}/figures/index.json", f"{AUDIT}/figures/index.json"],
        overviews=OVERVIEWS,
        provenance=f"{RESULTS}/report/provenance.json",
    output:
        page=report(
            REPORT,
            caption="../report/page.rst",
            category="Report",
            labels={"result": "The whole report", "answers": "-"},
        ),
    log:
        f"{RESULTS}/logs/report.log",
    threads: 1
    params:
        code=code_digest("adaclip.report.page.write"),
    shell:
        "adaclip report"
        " --plan {input.plan:q}"
        " --summary {input.summary:q}"
        " --tables {input.tables:q}"
        " --figures {input.figures:q}"
        " --overviews {input.overviews:q}"
        " --provenance {input.provenance:q}"
        " --out {output.page:q}"
        " > {log:q} 2>&1"
