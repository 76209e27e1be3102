"""The page about released weights: what the table knows is written into it, so that it cannot drift from it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from adaclip.data.docs import KINDS
from adaclip.data.weights import Release
from adaclip.system.files import write_text
from adaclip.system.pages import read_page, replace_block

BEGIN = "<!-- From adaclip/data/weights.yaml by `adaclip weights docs`; edit that file instead. -->"
END = "<!-- End of what the table of released weights says. -->"


def write_weights_page(releases: Iterable[Release], path: Path) -> bool:
    """Bring the marked block of the page up to date; a page that is missing is begun.

    Returns:
        Whether it changed.

    Raises:
        AdaclipError: the page lacks its marks, or cannot be read.
    """
    block = "\n".join(line for one in releases for line in _entry(one))
    old = read_page(path)
    new = replace_block(old or f"# Released weights\n\n{BEGIN}\n{END}\n", BEGIN, END, block, path)
    if new == old:
        return False
    write_text(path, new)
    return True


def _entry(release: Release) -> list[str]:
    known = release.backbone
    licence = f"[{release.licence}]({release.licence_url})" if release.licence_url else release.licence or "not stated"
    settings = ", ".join(f"{key} {value}" for key, value in release.settings.items()) or "the method's defaults"
    rows = [
        ("Method", f"`{release.method}`, {settings}"),
        ("Trained on, and refused there", ", ".join(f"`{name}`" for name in release.auxiliary)),
        ("Backbone", f"{known['model']}, {known['pretrained']}, {known['image_size']} px"),
        ("Page", f"<{release.page}>"),
        ("Licence", licence),
        ("Cite", " ".join(release.citation.split())),
        ("Note", release.note),
    ]
    lines = ["", f"### `{release.id}`", f"{release.title}.", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in rows if value]
    lines += ["", "Places, in the order in which they are tried:", ""]
    for number, source in enumerate(release.sources, start=1):
        for file in source.files:
            checksum = f"sha256 `{file.sha256}`" if file.sha256 else "checksum recorded at the first download"
            size = f", {file.size:,} bytes" if file.size is not None else ""
            lines.append(f"{number}. {KINDS[source.kind]}: `{file.name}`: <{file.url}> ({checksum}{size})")
    return [*lines, ""]
