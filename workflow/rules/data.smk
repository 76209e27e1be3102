"""From originals to prepared sets.

Reads: data/raw/<set> (a folder or an archive), or a folder that the configuration names.
Writes: data/prepared/<set>/manifest.csv, images and masks beside it.
"""


def raw_of(name):
    """Where a set's original stands."""
    return REGISTRY[name].raw or f"{DATA}/raw/{name}"


def raw_state(wildcards):
    """Digest of a set's original; of the one that was prepared when it is no longer here."""
    if CONFIG.simulate is not None and REGISTRY[wildcards.set].raw is None:
        return "simulated"
    found = folder_digest(raw_of(wildcards.set))
    if found is None:
        try:
            found = json.loads(Path(manifest_of(wildcards.set)).with_name("prepared.json").read_text())["raw_digest"]
        except (OSError, ValueError, KeyError):
            found = "missing"
    return found


def simulated_original(wildcards):
    """The mark of a drawn original, when the configuration wants it drawn."""
    if CONFIG.simulate is not None and REGISTRY[wildcards.set].raw is None:
        return f"{DATA}/raw/{wildcards.set}.simulated"
    return []


rule simulate:
    """Draw a small original in a set's raw layout."""
    output:
        touch(f"{DATA}/raw/{{set}}.simulated"),
    log:
        f"{RESULTS}/logs/simulate/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate/{{set}}.tsv"
    threads: 1
    params:
        out=f"{DATA}/raw/{{set}}",
        seed=(CONFIG.simulate or {}).get("seed", 0),
        images=(CONFIG.simulate or {}).get("images", 16),
        size=(CONFIG.simulate or {}).get("size", 192),
        code=code_digest("adaclip.data.simulate"),
    shell:
        "adaclip data simulate {wildcards.set:q}"
        " --out {params.out:q}"
        " --seed {params.seed}"
        " --images {params.images}"
        " --size {params.size}"
        " --tree"
        " > {log:q} 2>&1"


rule prepare:
    """Check an original, decode every file once, and write its manifest."""
    input:
        simulated_original,
    output:
        f"{DATA}/prepared/{{set}}/manifest.csv",
        f"{DATA}/prepared/{{set}}/prepared.json",
    log:
        f"{RESULTS}/logs/prepare/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/prepare/{{set}}.tsv"
    threads: RUNTIME["threads"]
    params:
        raw=lambda wildcards: raw_of(wildcards.set),
        out=f"{DATA}/prepared/{{set}}",
        entry=lambda wildcards: json.dumps(CONFIG.datasets.get(wildcards.set, {}), sort_keys=True),
        facts=lambda wildcards: json.dumps(public_facts(REGISTRY[wildcards.set]), sort_keys=True),
        state=raw_state,
        code=code_digest("adaclip.data.prepare"),
    shell:
        "adaclip data prepare {wildcards.set:q}"
        " --raw {params.raw:q}"
        " --entry {params.entry:q}"
        " --jobs {threads}"
        " --out {params.out:q}"
        " > {log:q} 2>&1"
