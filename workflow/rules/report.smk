"""Tables, figures, and the page.

Reads: metrics, scores, curves, maps, histories and costs of all evaluations.
Writes: results/plan.json, results/summary.json, results/metrics/*, results/tables/*, results/figures/*, results/report/index.html.
"""


def histories():
    """History and cost of every checkpoint."""
    runs = dict.fromkeys((run, seed) for run, seed, _ in PLAN.evaluations() if run in TRAINED)
    return [f"{run_folder(run, seed)}/{name}" for run, seed in runs for name in ("history.csv", "cost.json")]


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


rule plan:
    """What the configuration asks for, with titles and sources, for the steps that gather."""
    output:
        f"{RESULTS}/plan.json",
    log:
        f"{RESULTS}/logs/plan.log",
    threads: 1
    params:
        # Functions, since braces in a plain string would be taken for wildcards.
        config=lambda wildcards: json.dumps(config, sort_keys=True),
        document=lambda wildcards: json.dumps(DOCUMENT, sort_keys=True),
        code=code_digest("adaclip.plan"),
    shell:
        "adaclip plan" " --config {params.config:q}" " --out {output:q}" " > {log:q} 2>&1"


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
        out=f"{RESULTS}/tables",
        metrics=f"{RESULTS}/metrics",
        code=code_digest("adaclip.report.tables"),
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
        evaluated("metrics.json", "scores.csv", "curves.json"),
        histories(),
        plan=f"{RESULTS}/plan.json",
    output:
        shown(FIGURES, ".svg", "Figures", "../report/figures.rst"),
    log:
        f"{RESULTS}/logs/figures.log",
    threads: 1
    params:
        out=f"{RESULTS}/figures",
        code=code_digest("adaclip.report.figures"),
    shell:
        "adaclip figures" " --plan {input.plan:q}" " --out {params.out:q}" " > {log:q} 2>&1"


rule report:
    """The page: self-contained, opens from a file. Beside it, what it was computed with."""
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
    output:
        page=report(
            REPORT,
            caption="../report/page.rst",
            category="Report",
            labels={"result": "The whole report", "answers": "-"},
        ),
        provenance=f"{RESULTS}/report/provenance.json",
    log:
        f"{RESULTS}/logs/report.log",
    threads: 1
    params:
        code=code_digest("adaclip.report.page"),
    shell:
        "adaclip report"
        " --plan {input.plan:q}"
        " --summary {input.summary:q}"
        " --tables {input.tables:q}"
        " --figures {input.figures:q}"
        " --overviews {input.overviews:q}"
        " --provenance {output.provenance:q}"
        " --out {output.page:q}"
        " > {log:q} 2>&1"
