"""What is in the prepared sets: an overview of each, and images that occur twice within or across them.

Reads: prepared sets.
Writes: results/overview/<set>/*, results/audit/*.
"""

AUDIT = f"{RESULTS}/audit"
LEAKAGE = f"{AUDIT}/leakage.json"
OVERVIEWS = [f"{RESULTS}/overview/{name}/overview.json" for name in PLAN.used_sets()]


rule overview:
    """Counts, sizes, and an example of each category with its mask."""
    input:
        manifest=f"{DATA}/prepared/{{set}}/manifest.csv",
        prepared=f"{DATA}/prepared/{{set}}/prepared.json",
    output:
        f"{RESULTS}/overview/{{set}}/overview.json",
    log:
        f"{RESULTS}/logs/overview/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/overview/{{set}}.tsv"
    threads: READERS
    params:
        out=f"{RESULTS}/overview/{{set}}",
        code=code_digest("adaclip.report.overview"),
    shell:
        "adaclip overview"
        " --manifest {input.manifest:q}"
        " --jobs {threads}"
        " --out {params.out:q}"
        " > {log:q} 2>&1"


rule fingerprint:
    """Digests of the pixels and perceptual hashes of a set's test images."""
    input:
        f"{DATA}/prepared/{{set}}/manifest.csv",
    output:
        f"{AUDIT}/fingerprints/{{set}}.csv",
    log:
        f"{RESULTS}/logs/fingerprint/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fingerprint/{{set}}.tsv"
    threads: READERS
    params:
        code=code_digest("adaclip.audit.fingerprint"),
    shell:
        "adaclip audit fingerprint" " --manifest {input:q}" " --jobs {threads}" " --out {output:q}" " > {log:q} 2>&1"


rule audit:
    """Images that occur twice, as tables, a figure, and the list that evaluations ask."""
    input:
        [f"{AUDIT}/fingerprints/{name}.csv" for name in PLAN.used_sets()],
    output:
        report(
            f"{AUDIT}/pairs.csv",
            caption="../report/audit_pairs.rst",
            category="Leakage audit",
            labels={"result": "Copies of each image", "kind": "table"},
        ),
        report(
            f"{AUDIT}/groups.csv",
            caption="../report/audit_groups.rst",
            category="Leakage audit",
            labels={"result": "Groups of copies", "kind": "table"},
        ),
        f"{AUDIT}/tables/index.json",
        f"{AUDIT}/figures/index.json",
        report(
            f"{AUDIT}/figures/audit_overlaps.svg",
            caption="../report/audit_overlaps.rst",
            category="Leakage audit",
            labels={"result": "Images that sets share", "kind": "figure"},
        ),
        f"{AUDIT}/figures/audit_overlaps.png",
        leakage=LEAKAGE,
    log:
        f"{RESULTS}/logs/audit.log",
    benchmark:
        f"{RESULTS}/benchmarks/audit.tsv"
    threads: 1
    params:
        # A function, since braces in a plain string would be taken for wildcards.
        titles=lambda wildcards: json.dumps({name: REGISTRY[name].title for name in PLAN.used_sets()}),
        prepared=f"{DATA}/prepared",
        out=lambda wildcards, output: str(Path(output.leakage).parent),
        code=code_digest("adaclip.audit.publish"),
    shell:
        "adaclip audit compare"
        " {input:q}"
        " --titles {params.titles:q}"
        " --prepared {params.prepared:q}"
        " --out {params.out:q}"
        " > {log:q} 2>&1"
