"""What an audit found, written for people and for the steps behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from adaclip.audit.compare import Audit, compare
from adaclip.audit.fingerprint import read_fingerprints
from adaclip.audit.matching import RULE
from adaclip.report.document import Cell, Column, TableDoc, write_figures_index, write_tables_index
from adaclip.system.files import write_json, write_whole
from adaclip.system.wording import counted, noun

#: Names that a cell lists before it counts the others.
LISTED = 3


def write_audit(
    fingerprints: Sequence[Path], out: Path, titles: Mapping[str, str] | None = None, prepared: Path | None = None
) -> dict[str, dict[str, int]]:
    """Compare sets, and write what was found into `out`.

    `pairs.csv` and `groups.csv` hold everything (see `Audit`), `tables/` and `figures/` what the report shows, and
    `leakage.json` what `adaclip.data.leakage` reads:
    ```json
    {"rule": "...",
     "sets": {"br35h": {"images": 3000, "identical_groups": 9, "identical_images": 18, "near_groups": 4,
                        "near_images": 9, "mixed_groups": 0, "elsewhere": 230}},
     "overlaps": {"br35h": {"brain_mri": {"identical": ["images/br35h/test/no/no1.jpg"], "near": []}}}}
    ```
    `overlaps` lists the images of the first set that the second one holds too. `mixed_groups` counts the groups of a
    set that hold normal and anomalous images; `elsewhere` its images that another set holds.

    Args:
        fingerprints: files of `adaclip audit fingerprint`, one for each set.
        out: folder to write.
        titles: of sets by id.
        prepared: folder with the prepared sets by id, for a figure of examples; None for no such figure.

    Returns:
        `sets` of leakage.json.

    Raises:
        AdaclipError: a file is missing or damaged.
    """
    audit = compare(read_fingerprints(fingerprints))
    titles = {name: (titles or {}).get(name, name) for name in audit.sets}
    sets = {name: _facts(audit, name) for name in audit.sets}
    for frame, name in ((audit.pairs, "pairs.csv"), (audit.groups, "groups.csv")):
        with write_whole(out / name) as part:
            frame.to_csv(part, index=False, lineterminator="\n")
    tables = [_sets_table(sets, titles), _overlaps_table(audit, sets, titles), _mixed_table(audit, titles)]
    write_tables_index(out / "tables" / "index.json", [table for table in tables if table.rows])
    # Loads Matplotlib; whoever asks for tables alone need not.
    from adaclip.audit.examples import draw_examples
    from adaclip.audit.overlaps import draw_overlaps

    figures = [draw_overlaps(audit, sets, titles, out / "figures")]
    if prepared is not None:
        figures += filter(None, [draw_examples(audit, titles, prepared, out / "figures")])
    write_figures_index(out / "figures" / "index.json", figures)
    write_json(out / "leakage.json", {"rule": RULE, "sets": sets, "overlaps": _overlaps(audit)})
    return sets


def _facts(audit: Audit, name: str) -> dict[str, int]:
    frame = audit.frame[audit.frame["set"] == name]
    groups = audit.groups_within(name)
    copies = frame.groupby("content")["image"].transform("size")
    near = groups[groups["kind"] == "near"]
    other = audit.pairs[(audit.pairs["set"] == name) & (audit.pairs["other_set"] != name)]
    return {
        "images": len(frame),
        "identical_groups": int(frame.loc[copies > 1, "content"].nunique()),
        "identical_images": int((copies > 1).sum()),
        "near_groups": int(near["group"].nunique()),
        "near_images": len(near),
        "mixed_groups": int((groups.groupby("group")["label"].nunique() > 1).sum()),
        "elsewhere": int(other["image"].nunique()),
    }


def _overlaps(audit: Audit) -> dict[str, dict[str, dict[str, list[str]]]]:
    across = audit.pairs[audit.pairs["set"] != audit.pairs["other_set"]]
    found: dict[str, dict[str, dict[str, list[str]]]] = {}
    for (name, other), own in across.groupby(["set", "other_set"], sort=False):
        lists = {kind: sorted(own.loc[own["kind"] == kind, "image"]) for kind in ("identical", "near")}
        found.setdefault(str(name), {})[str(other)] = lists
    return found


def _number(value: int) -> Cell:
    return Cell(f"{value:,}", value)


def _sets_table(sets: Mapping[str, Mapping[str, int]], titles: Mapping[str, str]) -> TableDoc:
    columns = (
        Column("set", "Set"),
        Column("images", "Images", "number"),
        Column("identical_groups", "Groups", "number", group="Identical"),
        Column("identical_images", "Images", "number", group="Identical"),
        Column("near_groups", "Groups", "number", group="Near-identical"),
        Column("near_images", "Images", "number", group="Near-identical"),
        Column("mixed_groups", "Both labels", "number"),
        Column("elsewhere", "In other sets", "number"),
    )
    shared = sum(facts["elsewhere"] > 0 for facts in sets.values())
    verdict = "No two sets share images."
    if shared:
        verdict = f"{shared} of {counted(len(sets), 'set')} {noun(shared, 'shares', 'share')} images with another one."
    return TableDoc(
        "audit_sets",
        "Copies in each set",
        f"Copies among the test images of each set, and what it shares with the others. {verdict} {RULE} "
        "A group is near-identical when its images are not all identical; it may hold identical ones. Both labels "
        "counts groups of which some images are labelled normal and others anomalous; in other sets counts images.",
        "audit",
        columns,
        tuple((Cell(titles[name]), *(_number(facts[c.key]) for c in columns[1:])) for name, facts in sets.items()),
        csv="../groups.csv",
    )


def _overlaps_table(audit: Audit, sets: Mapping[str, Mapping[str, int]], titles: Mapping[str, str]) -> TableDoc:
    rows = []
    for name, others in _overlaps(audit).items():
        for other, lists in others.items():
            identical, near = len(lists["identical"]), len(lists["near"])
            share = (identical + near) / sets[name]["images"]
            rows.append(
                (
                    Cell(titles[name]),
                    Cell(titles[other]),
                    _number(identical),
                    _number(near),
                    Cell(f"{100 * share:.1f}", share),
                )
            )
    return TableDoc(
        "audit_overlaps",
        "Sets that share images",
        "How many test images of the first set the second one holds too. A checkpoint that was trained on the second "
        "has seen these images, so that its figures on the first are not zero-shot for them.",
        "audit",
        (
            Column("set", "Images of", filter=True),
            Column("other", "found in", filter=True),
            Column("identical", "Identical", "number"),
            Column("near", "Near-identical", "number"),
            Column("share", "Share of the first (%)", "percent"),
        ),
        tuple(rows),
        csv="../pairs.csv",
    )


def _mixed_table(audit: Audit, titles: Mapping[str, str]) -> TableDoc:
    rows = []
    for name in audit.sets:
        for _, group in audit.groups_within(name).groupby("group"):
            if group["label"].nunique() > 1:
                kind = {"identical": "identical", "near": "near-identical"}[group["kind"].iloc[0]]
                listed = [_listed(group.loc[group["label"] == label, "image"]) for label in (0, 1)]
                rows.append((Cell(titles[name]), Cell(kind), *(Cell(text) for text in listed)))
    return TableDoc(
        "audit_labels",
        "Copies with different labels",
        "Groups of copies within one set of which some are labelled normal and others anomalous. Only one of the two "
        "labels can be right, unless the defect is too small for the comparison to see.",
        "audit",
        (
            Column("set", "Set", filter=True),
            Column("kind", "Copies", filter=True),
            Column("normal", "Labelled normal"),
            Column("anomalous", "Labelled anomalous"),
        ),
        tuple(rows),
        csv="../groups.csv",
    )


def _listed(images: pd.Series[Any]) -> str:
    names = [image.removeprefix("images/") for image in images]
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")
