"""From originals to prepared sets.

Reads: data/raw/<set> (the user's folder or archives), or what the configuration names; else sources on the network, or
drawn archives that are served on this machine.
Writes: data/raw/<set>/*, data/prepared/<set>/manifest.csv, images and masks beside it.
"""


onstart:
    # What is written from now on is recorded, so that damage to it is found. Nothing is written into a folder that is
    # closed to us; if something should be, the job that cannot says so.
    for folder in (RESULTS, DATA):
        try:
            keep_records(folder)
        except AdaclipError as error:
            snakemake_logger.warning(f"no digests are recorded: {error}")
    # Logs and benchmarks are not written by us: they are recorded at the end, and what is going to change is not.
    for job in workflow.dag.needrun_jobs():
        for diary in [*job.log, *([job.benchmark] if job.benchmark else [])]:
            forget(diary)
    # Tables, figures and metrics of an earlier plan would stand beside those of this one.
    try:
        for line in tidy(DOCUMENT, Path(RESULTS), CONFIG.source):
            snakemake_logger.info(line)
    except AdaclipError as error:
        raise WorkflowError(str(error)) from None
    # Before the first download, and for all sets at once; a dry run needs no consent. `fetch` asks nobody again.
    to_fetch = {job.wildcards.set for job in workflow.dag.needrun_jobs() if job.rule.name == "fetch"}
    asked = [REGISTRY[name] for name in PLAN.sets if name in to_fetch and CONFIG.simulate is None]
    refused = not_accepted(asked, CONFIG.licences)
    if refused:
        raise WorkflowError(f"Data sets are {how_to_accept(refused)}")


onsuccess:
    record_diaries(RESULTS)


onerror:
    record_diaries(RESULTS)


rule simulate:
    """Draw a small original, packed as the real one is, with the checksums of its archives."""
    output:
        ensure(f"{DATA}/mirror/{{set}}/SHA256SUMS", non_empty=True),
    log:
        f"{RESULTS}/logs/simulate/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/simulate/{{set}}.tsv"
    threads: 1
    params:
        out=f"{DATA}/mirror/{{set}}",
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
        " > {log:q} 2>&1"


rule fetch:
    """Bring a set's archives here, checked; what is here already is not asked for again."""
    input:
        lambda wildcards: f"{mirror_of(wildcards.set)}/SHA256SUMS" if mirror_of(wildcards.set) else [],
    output:
        ensure(f"{DATA}/raw/{{set}}.fetched.json", non_empty=True),
    log:
        f"{RESULTS}/logs/fetch/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fetch/{{set}}.tsv"
    retries: 2
    threads: 1
    resources:
        downloads=1,
    # No digest of our code here: an edit of it is no reason to ask a server again.
    params:
        out=f"{DATA}/raw/{{set}}",
        checksums=f"{DATA}/checksums.lock.yaml",
        mirror=lambda wildcards: ["--mirror", mirror_of(wildcards.set)] if mirror_of(wildcards.set) else [],
        entry=lambda wildcards: entry_of(wildcards.set, ["raw", "sources"]),
        sources=lambda wildcards: json.dumps(fetching_facts(REGISTRY[wildcards.set]), sort_keys=True),
    shell:
        "adaclip data fetch {wildcards.set:q}"
        " --out {params.out:q}"
        " --entry {params.entry:q}"
        " {params.mirror:q}"
        " --checksums {params.checksums:q}"
        " --accept-licence"
        " --receipt {output:q}"
        " > {log:q} 2>&1"


rule prepare:
    """Check an original, decode every file once, and write its manifest."""
    input:
        receipt_of,
    output:
        f"{DATA}/prepared/{{set}}/manifest.csv",
        f"{DATA}/prepared/{{set}}/prepared.json",
        f"{DATA}/prepared/{{set}}/SHA256SUMS",
    log:
        f"{RESULTS}/logs/prepare/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/prepare/{{set}}.tsv"
    threads: READERS
    params:
        raw=lambda wildcards: raw_of(wildcards.set),
        out=f"{DATA}/prepared/{{set}}",
        entry=lambda wildcards: entry_of(wildcards.set, reading_keys(wildcards.set)),
        facts=lambda wildcards: json.dumps(reading_facts(REGISTRY[wildcards.set]), sort_keys=True),
        state=lambda wildcards: state_of(wildcards.set),
        code=code_digest("adaclip.data.prepare"),
    shell:
        "adaclip data prepare {wildcards.set:q}"
        " --raw {params.raw:q}"
        " --entry {params.entry:q}"
        " --jobs {threads}"
        " --out {params.out:q}"
        " > {log:q} 2>&1"


rule weights:
    """Bring released weights here, checked, as the archives of a set are."""
    output:
        ensure(f"{DATA}/weights/{{release}}.fetched.json", non_empty=True),
    log:
        f"{RESULTS}/logs/weights/{{release}}.log",
    retries: 2
    threads: 1
    resources:
        downloads=1,
    # No digest of our code here: an edit of it is no reason to ask a server again.
    params:
        out=f"{DATA}/weights/{{release}}",
        checksums=f"{DATA}/checksums.lock.yaml",
        entry=lambda wildcards: json.dumps(CONFIG.weights.get(wildcards.release, {}), sort_keys=True),
        sources=lambda wildcards: json.dumps(release_facts(RELEASES[wildcards.release]), sort_keys=True),
    shell:
        "adaclip weights fetch {wildcards.release:q}"
        " --out {params.out:q}"
        " --entry {params.entry:q}"
        " --checksums {params.checksums:q}"
        " --receipt {output:q}"
        " > {log:q} 2>&1"
