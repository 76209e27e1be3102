"""The report: one page that holds everything and asks nothing of a network or a server.

Pictures are data URIs with their sizes, so that the page does not move; none waits for a window to come near, since a
printer or a picture of the whole page has none. Only the page's own two scripts may run in it, and nothing may be
loaded (Content-Security-Policy).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from adaclip.errors import AdaclipError
from adaclip.report.document import FigureDoc, TableDoc, read_figures_index, read_tables_index
from adaclip.report.page.headline import Headline, headline
from adaclip.report.page.template import template
from adaclip.report.panels import PanelGroup, data_uri, panels_of
from adaclip.report.protocol import protocol_in_full
from adaclip.report.results import Evaluation, Results
from adaclip.report.series import shown
from adaclip.system.files import read_checked, read_json, write_text

#: An SVG above this many bytes is shown as PNG: thousands of shapes would make the page slow.
LARGEST_SVG = 300_000
#: Packages that figures can depend on, shown before all others.
PACKAGES = (
    "torch",
    "torchvision",
    "open_clip_torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "pillow",
    "tifffile",
    "imagecodecs",
    "ImageHash",
    "safetensors",
    "snakemake",
    "matplotlib",
    "seaborn",
)
#: Heading of each section of tables and figures, in the order of the page.
SECTIONS = {
    "paper": "The paper's tables",
    "methods": "Methods",
    "measured": "Measurements",
    "leaderboard": "Leaderboard",
    "data": "Data sets",
    "audit": "Leakage audit",
    "cost": "Cost",
}


@dataclass(frozen=True)
class Picture:
    """A figure, its content as a data URI, and its size."""

    doc: FigureDoc
    uri: str
    width: int
    height: int


@dataclass
class Part:
    """What stands in one section."""

    key: str
    title: str
    tables: list[TableDoc] = field(default_factory=list)
    figures: list[Picture] = field(default_factory=list)

    def say_once(self) -> None:
        """Leave out how to read a kind of table or figure where one above it has said so."""
        said: set[str] = set()
        for index, table in enumerate(self.tables):
            if table.rules in said:
                self.tables[index] = replace(table, rules="")
            said.add(table.rules)
        for index, picture in enumerate(self.figures):
            if picture.doc.rules in said:
                self.figures[index] = replace(picture, doc=replace(picture.doc, rules=""))
            said.add(picture.doc.rules)

    @property
    def settings(self) -> list[str]:
        """Settings that most figures have, to be said once; each figure then says in what it differs."""
        told = Counter(picture.doc.settings for picture in self.figures if picture.doc.settings)
        return list(told.most_common(1)[0][0]) if told.total() > 1 else []


@dataclass(frozen=True)
class Examples:
    """Panels of one set by one experiment."""

    set: str
    title: str
    experiment: str
    seed: int
    group: PanelGroup


def write_page(
    plan_file: Path,
    summary: Path,
    tables: Sequence[Path],
    figures: Sequence[Path],
    overviews: Sequence[Path],
    out: Path,
    provenance: Path,
    third_party: bool = True,
) -> None:
    """Write the page; equal files give an equal page.

    Args:
        plan_file: `results/plan.json`.
        summary: `results/summary.json`.
        tables: indexes of tables (`index.json`).
        figures: indexes of figures; the figures stand beside each.
        overviews: `overview.json` of each set; thumbnails stand beside each.
        out: the HTML file.
        provenance: JSON file of the facts that `adaclip.report.environment` collects.
        third_party: False leaves out pictures of data sets that others own, for a page that may be passed on.

    Raises:
        AdaclipError: a file is missing or damaged.
    """
    results = Results(plan_file)
    plan = results.plan
    parts = {key: Part(key, title) for key, title in SECTIONS.items()}
    for index in tables:
        for table in read_tables_index(index):
            # Nothing to compare, or nothing measured: the file says so, the page has no empty table.
            if table.rows:
                file = f"{Path(os.path.relpath(index.parent / table.csv, out.parent)).as_posix()}" if table.csv else ""
                parts[table.section].tables.append(replace(table, csv=file))
    for index in figures:
        for figure in read_figures_index(index):
            if not all(may_show(name, results, third_party) for name in figure.shows):
                continue
            parts[figure.section].figures.append(_picture(figure, index.parent))
    for part in parts.values():
        part.say_once()
    settings = {key: plan[key] for key in ("backbones", "evaluation", "methods", "experiments")}
    page = template().render(
        plan=plan,
        simulated=_drawn(results),
        protocol=protocol_in_full(plan),
        summary=_summary(results, summary, tables, out),
        parts=parts,
        examples=[_examples(found, results, third_party) for found in shown_evaluations(results)],
        overviews=_overviews(overviews, results, third_party),
        provenance=read_json(provenance),
        packages=PACKAGES,
        settings=yaml.safe_dump(settings, sort_keys=False, allow_unicode=True, width=110),
        third_party=third_party,
    )
    write_text(out, page)


def _summary(results: Results, summary: Path, tables: Sequence[Path], out: Path) -> Headline:
    """The head of the page; its table links the file of averages."""
    found = headline(results, read_json(summary))
    file = os.path.relpath(tables[0].parent / found.table.csv, out.parent) if tables else ""
    return replace(found, table=replace(found.table, csv=Path(file).as_posix() if file else ""))


def _drawn(results: Results) -> str:
    """What the head of the page says of drawn images."""
    return "simulated images" if results.all_simulated else "some images simulated" if results.simulated else ""


def shown_evaluations(results: Results) -> list[Evaluation]:
    """One evaluation of each set: of the first trained experiment that has it, or else the first at all; first seed."""
    return [results.of(experiment, name)[0] for name, experiment in shown(results.plan).items()]


def may_show(name: str, results: Results, third_party: bool) -> bool:
    """Whether pictures of a set may stand on the page: those of built-in sets belong to others, unless drawn."""
    return third_party or name in results.simulated or not results.sets[name]["built_in"]


def _examples(found: Evaluation, results: Results, third_party: bool) -> Examples:
    facts = results.sets[found.set]
    group = panels_of(found, facts, may_show(found.set, results, third_party))
    return Examples(found.set, facts["title"], found.experiment["title"], found.seed, group)


def _picture(figure: FigureDoc, folder: Path) -> Picture:
    drawn, pixels = folder / f"{figure.name}.svg", folder / f"{figure.name}.png"
    try:
        with Image.open(pixels) as image:
            size = image.size
        if drawn.stat().st_size <= LARGEST_SVG:
            return Picture(figure, data_uri("image/svg+xml", read_checked(drawn)), *size)
        return Picture(figure, data_uri("image/png", read_checked(pixels)), *size)
    except OSError as error:
        # Pillow's own error names the file already.
        raise AdaclipError(f"cannot read figure {pixels}: {error.strerror or error}: draw the figures again") from error


def _overviews(paths: Sequence[Path], results: Results, third_party: bool) -> list[dict[str, Any]]:
    """Overviews in the order of the plan."""
    order = list(results.sets)
    found = [_overview(path, results, third_party) for path in paths]
    return sorted(found, key=lambda overview: order.index(overview["set"]))


def _overview(path: Path, results: Results, third_party: bool) -> dict[str, Any]:
    """An overview with its thumbnails as data URIs ("" where they are left out)."""
    overview: dict[str, Any] = read_json(path)
    show = may_show(overview["set"], results, third_party)
    overview["simulated"] = overview["set"] in results.simulated
    for category in overview["categories"]:
        for example in category["examples"]:
            thumbnail = path.parent / example["file"]
            example["uri"] = data_uri("image/webp", read_checked(thumbnail)) if show else ""
    return overview
