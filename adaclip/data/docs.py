"""Pages about the data sets: what the registry knows is written into them, so that it cannot drift from it.

A page holds a marked block, which is replaced; the text around it is written by hand and left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from adaclip.data.registry import Dataset
from adaclip.data.sources import Source
from adaclip.system.files import write_text
from adaclip.system.pages import read_page, replace_block

BEGIN = "<!-- From adaclip/data/datasets.yaml by `adaclip data docs`; edit that file instead. -->"
END = "<!-- End of what the table of data sets says. -->"
KINDS = {"http": "Web", "gdrive": "Google Drive", "kaggle": "Kaggle"}


def write_docs(registry: Mapping[str, Dataset], out: Path) -> list[Path]:
    """Bring the marked blocks of `<id>.md` and of the index `README.md` up to date; pages that are missing are begun.

    Args:
        registry: data sets by id; the built-in ones are written.
        out: folder of the pages.

    Returns:
        The pages that changed.

    Raises:
        AdaclipError: a page without its marks, or one that cannot be read.
    """
    built_in = [dataset for dataset in registry.values() if dataset.built_in]
    blocks = {dataset.id: (f"{dataset.title} (`{dataset.id}`)", facts(dataset)) for dataset in built_in}
    changed = []
    for name, (title, block) in {"README": ("The data sets", index(built_in)), **blocks}.items():
        path = out / f"{name}.md"
        old = read_page(path)
        new = (
            replace_block(old, BEGIN, END, block, path)
            if old is not None
            else f"# {title}\n\n{BEGIN}\n{block}\n{END}\n"
        )
        if new != old:
            write_text(path, new)
            changed.append(path)
    return changed


def facts(dataset: Dataset) -> str:
    """What the registry knows of one set, as Markdown."""
    names = {"image": "image labels", "mask": "pixel masks"}
    licence = f"[{dataset.licence}]({dataset.licence_url})" if dataset.licence_url else dataset.licence or "not stated"
    if dataset.accept:
        licence += "; must be accepted before the first download"
    rows = [
        ("Domain", dataset.domain),
        ("Labels", " and ".join(names[label] for label in dataset.labels)),
        ("Test images", _test_images(dataset)),
        ("Page", " · ".join(f"<{page}>" for page in (dataset.url, *dataset.pages))),
        ("Licence", licence),
        ("Cite", " ".join(dataset.citation.split())),
    ]
    lines = ["", "| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows)]
    lines += ["", "Sources, in the order in which they are tried:", ""]
    for number, source in enumerate(dataset.sources, start=1):
        lines += _source(number, source)
    lines += ["", "| category | words in the text prompts | normal | anomalous |", "|---|---|---:|---:|"]
    for category, words in dataset.categories.items():
        counts = dataset.test_by_category.get(category)
        shown = (f"{counts['normal']:,}", f"{counts['anomalous']:,}") if counts else ("\N{EN DASH}", "\N{EN DASH}")
        lines.append(f"| {category} | {words} | {shown[0]} | {shown[1]} |")
    if dataset.test_in_some_order:
        counts_left = ", ".join(f"{normal} + {anomalous}" for normal, anomalous in dataset.test_in_some_order)
        lines += [
            "",
            f"The categories without counts have {counts_left} (normal + anomalous), in an order that the files have "
            "yet to confirm: a preparation accepts any.",
        ]
    elif not dataset.test_by_category:
        lines += ["", "The counts of each category are not known beforehand; a preparation reports what it finds."]
    return "\n".join([*lines, ""])


def _test_images(dataset: Dataset) -> str:
    def said(test: Mapping[str, int]) -> str:
        return f"{test['normal']:,} normal, {test['anomalous']:,} anomalous"

    if not dataset.test_original:
        return said(dataset.test)
    return (
        f"{said(dataset.test)} in the paper and in the repackaged archive (`arrangement: repackaged`); "
        f"{said(dataset.test_original)} of the original (`arrangement: original`)"
    )


def _source(number: int, source: Source) -> list[str]:
    kind = KINDS[source.kind] + (", repackaged by AdaCLIP's authors" if source.repackaged else ", the original")
    lines = [f"{number}. {kind}:"]
    for file in source.files:
        checksum = f"sha256 `{file.sha256}`" if file.sha256 else "checksum recorded at the first download"
        size = f", {file.size:,} bytes" if file.size is not None else ""
        lines.append(f"   - `{file.name}`: <{file.url}> ({checksum}{size})")
    return lines


def index(datasets: list[Dataset]) -> str:
    """A table of all sets, as Markdown."""
    lines = [
        "",
        "| set | id | domain | categories | normal | anomalous | figures |",
        "|---|---|---|---:|---:|---:|---|",
    ]
    levels = {"image": "image", "mask": "pixel"}
    for dataset in datasets:
        cells = (
            f"[{dataset.title}]({dataset.id}.md)",
            f"`{dataset.id}`",
            dataset.domain,
            str(len(dataset.categories)),
            f"{dataset.test['normal']:,}",
            f"{dataset.test['anomalous']:,}",
            " and ".join(levels[label] for label in dataset.labels),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])
