"""What the demo's figures must say, whatever they are exactly; `.ci/run` asks after `make demo`.

python tests/demo_figures.py results/demo
"""

from __future__ import annotations

import html
import json
import sys
from pathlib import Path
from typing import Any


def faults(results: Path) -> list[str]:
    """Promises that the results do not keep.

    Args:
        results: the folder that the demo wrote.
    """
    summary: dict[str, dict[str, dict[str, float]]] = json.loads((results / "summary.json").read_text())
    plan: dict[str, Any] = json.loads((results / "plan.json").read_text())
    methods = {experiment["name"]: experiment["method"] for experiment in plan["experiments"]}
    found = []
    for name, method in methods.items():
        figures = [(part, key, value) for part, of in summary[name].items() for key, value in of.items()]
        if any(key.endswith("_minus_published") for _, key, _ in figures):
            found.append(f"{name}: drawn images are compared with published figures")
        if not all(of.get("simulated") for of in summary[name].values()):
            found.append(f"{name}: figures of drawn images are not marked")
        figures = [figure for figure in figures if figure[1] != "simulated"]
        wrong = [figure for figure in figures if figure[2] != 100.0]
        if method == "oracle" and (wrong or not figures):
            found.append(f"{name}: the ground truth itself has {wrong or 'no figure'}")
        aurocs = {key: value for key, value in summary[name]["average"].items() if key.endswith("auroc")}
        if method == "random" and not all(40 < value < 60 for value in aurocs.values()):
            found.append(f"{name}: a random score has {aurocs}")
    first = next(e for e in plan["experiments"] if e["kind"] == "trained")
    untrained = next(e for e in plan["experiments"] if e["kind"] == "untrained" and e["backbone"] == first["backbone"])
    shared = [name for name in first["evaluate"] if "pixel_auroc" in summary[untrained["name"]].get(name, {})]
    ours, theirs = (
        sum(summary[e["name"]][name]["pixel_auroc"] for name in shared) / len(shared) for e in (first, untrained)
    )
    if ours < max(50, theirs) + 20:
        found.append(f"{first['name']}: pixel AUROC {ours:.1f} on {shared}, untrained {theirs:.1f}, chance 50")
    # Every method of this package has measured rows.
    rivals = {"adaclip", "april_gan", "anomalyclip", "winclip", "clip", "clip_ac", "clip_adaclip_prompts"}
    shown = {name for table in plan["tables"] for row in table["rows"] for name in row["experiments"]}
    measured = {methods[name] for name in shown if "pixel_auroc" in summary[name]["average"]}
    found += [f"method {name} has no measured row in any table" for name in sorted(rivals - measured)]
    for e in plan["experiments"]:
        both = set(e["auxiliary"]) & set(e["evaluate"])
        if both:
            found.append(f"{e['name']} was evaluated on its own auxiliary data: {both}")
    page = html.unescape((results / "report" / "index.html").read_text())
    found += [f"the page lacks {title!r}" for table in plan["tables"] if (title := table["title"]) not in page]
    print(f"pixel AUROC on {len(shared)} sets never seen: {ours:.1f} trained, {theirs:.1f} untrained")
    return found


if __name__ == "__main__":
    problems = faults(Path(sys.argv[1]))
    print(*problems, sep="\n")
    sys.exit(bool(problems))
