"""Figures, each as SVG and PNG, the same bytes whenever the results are the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from adaclip.report.document import write_figures_index
from adaclip.report.figures import ablation, bars, cost, heatmaps, histograms, ranking, training
from adaclip.report.figures.style import Drawn, mark_simulated, save, use_theme
from adaclip.report.file_names import wanted_figures
from adaclip.report.results import Results
from adaclip.report.stored import read_scores

_MAKERS: dict[str, Callable[..., Drawn]] = {
    "ablation": ablation.draw,
    "transfer": heatmaps.draw_transfer,
    "experiments": heatmaps.draw_experiments,
    "ranking": ranking.draw,
    "bars": bars.draw,
    "histograms": histograms.draw,
    "training": training.draw,
    "training_parts": training.draw_parts,
    "cost": cost.draw,
}


def write_figures(plan_file: Path, out: Path) -> None:
    """Draw every figure of a plan, and write the index of those that show something.

    Args:
        plan_file: `results/plan.json`.
        out: folder for `<name>.svg`, `<name>.png` and `index.json`.

    Raises:
        AdaclipError: a file of a run or of an evaluation is missing or damaged.
    """
    results = Results(plan_file)
    for found in {one.folder: one for one in results.evaluations}.values():
        read_scores(found.folder / "scores.csv", found.images)
    use_theme()
    documents = []
    for wanted in wanted_figures(results.plan):
        drawn = _MAKERS[wanted.kind](results, *wanted.about)
        if results.simulated and not drawn.empty:
            mark_simulated(drawn.figure, results.all_simulated)
        save(drawn.figure, out, wanted.stem)
        if not drawn.empty:
            documents.append(drawn.document(wanted.stem))
    write_figures_index(out / "index.json", documents)
