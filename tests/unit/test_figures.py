"""Figures of invented results: their names, their words, and what is drawn in them."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from adaclip.data.manifest import has_images
from adaclip.errors import AdaclipError, UsageError
from adaclip.report import series
from adaclip.report.document import read_figures_index
from adaclip.report.figures import _MAKERS, ablation, bars, cost, heatmaps, histograms, ranking, training, write_figures
from adaclip.report.figures.panels import write_panels
from adaclip.report.figures.style import LINES, MARKERS, save, use_theme, wrapped
from adaclip.report.figures.words import listed
from adaclip.report.file_names import figure_names, panel_names, wanted_figures
from adaclip.report.results import Results
from adaclip.report.tables.cells import DASH
from tests.inventing import invent, invented

CONFIG = {
    "title": "Test",
    "sets": ["mvtec", "btad", "headct", "colondb", "tn3k"],
    "backbones": {"small": {"model": "tiny", "pretrained": None, "image_size": 56}},
    "defaults": {"backbone": "small", "seeds": [0, 1], "train": {"epochs": 2}},
    "experiments": {
        "transfer": {"title": "{auxiliary}", "for_each_auxiliary": ["btad", "colondb"]},
        "depth": {
            "title": "J = {value}",
            "auxiliary": ["btad", "colondb"],
            "evaluate": ["mvtec", "headct", "tn3k"],
            "sweep": {"model.prompt_depth": [1, 2, 4]},
        },
        "clip": {"title": "plain CLIP", "method": "clip", "seeds": [0], "evaluate": ["mvtec", "btad", "tn3k"]},
        "oracle": {"title": "ground truth", "method": "oracle", "seeds": [0]},
    },
    "tables": {"main": {"title": "Main", "rows": [{"each": "depth"}, {"experiments": ["clip"]}]}},
    "curves": {
        "fig_5_depth": {
            "title": "Prompt depth J",
            "answers": "Fig. 5",
            "x": "model.prompt_depth",
            "experiments": ["depth"],
        }
    },
}
MINIMAL = {
    "title": "Test",
    "sets": ["headct", "tn3k"],
    "backbones": {"small": {"model": "tiny", "pretrained": None, "image_size": 56}},
    "experiments": {"clip": {"method": "clip", "backbone": "small", "seeds": [0], "evaluate": ["headct", "tn3k"]}},
}


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return invent(CONFIG, tmp_path_factory.mktemp("invented"), pictures=True)


@pytest.fixture(scope="module")
def drawn(plan_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("figures")
    write_figures(plan_file, out)
    return out


@pytest.fixture
def results(plan_file: Path) -> Results:
    use_theme()
    return Results(plan_file)


def test_the_files_are_those_that_the_plan_names(plan_file: Path, drawn: Path) -> None:
    plan = json.loads(plan_file.read_text())
    assert sorted(path.name for path in drawn.iterdir()) == sorted(figure_names(plan))
    stems = [figure.name for figure in read_figures_index(drawn / "index.json")]
    assert stems == [wanted.stem for wanted in wanted_figures(plan)]
    assert {"fig_5_depth", "transfer_pixel_auroc", "roc_image", "categories_mvtec", "scores_clip"} < set(stems)
    # One category: no bars by category.
    assert "categories_headct" not in stems


def test_every_figure_says_what_it_shows_from_what_with_which_settings(drawn: Path) -> None:
    for figure in read_figures_index(drawn / "index.json"):
        assert figure.title, figure.name
        assert len(figure.alt) > 40, figure.name
        assert "Drawn from " in figure.source, figure.name
        assert "backbone tiny (random weights, preset reference) at 56 px" in " ".join(figure.settings), figure.name
        assert "smoothed with sigma = 4 px" in " ".join(figure.settings), figure.name
    depth = next(figure for figure in read_figures_index(drawn / "index.json") if figure.name == "fig_5_depth")
    assert "AdaCLIP: prompt type SD, prompt branch VL, prompt depth 1 / 2 / 4, prompt length 5" in " ".join(
        depth.settings
    )
    assert "metrics.json of 3 runs depth_1, depth_2 and depth_4." in depth.source
    assert "seeds 0 and 1" in depth.settings
    assert "one standard deviation" in depth.rules


def test_svgs_are_whole_small_and_tell_no_time(drawn: Path) -> None:
    for path in drawn.glob("*.svg"):
        root = ElementTree.parse(path).getroot()
        assert root.tag.endswith("svg")
        assert path.stat().st_size < 300_000
        assert b"<dc:date>" not in path.read_bytes()
        with Image.open(path.with_suffix(".png")) as picture:
            # No wider than a page at 200 dots per inch.
            assert 300 < picture.width <= 1400


def test_equal_results_give_equal_bytes(results: Results, drawn: Path, tmp_path: Path) -> None:
    first = {wanted.kind: wanted for wanted in reversed(wanted_figures(results.plan))}
    assert len(first) == 9
    for wanted in first.values():
        save(_MAKERS[wanted.kind](results, *wanted.about).figure, tmp_path, wanted.stem)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (drawn / path.name).read_bytes(), path.name


def test_the_heat_map_shows_the_mean_over_seeds(results: Results) -> None:
    figure = heatmaps.draw_transfer(results, "pixel", "auroc").figure
    axes = figure.axes[0]
    columns = [label.get_text() for label in axes.get_xticklabels()]
    assert columns == ["MVTec AD", "BTAD", "CVC-ColonDB", "TN3K"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["BTAD", "CVC-ColonDB"]
    (category,) = results.categories("transfer_btad", "tn3k")
    expected = 50 * sum(
        invented("adaclip", "transfer_btad", seed, "tn3k", category, "pixel", "auroc") for seed in (0, 1)
    )
    text = {(int(t.get_position()[0]), int(t.get_position()[1])): t.get_text() for t in axes.texts}
    assert text[3, 0] == f"{expected:.1f}"
    # Trained on: hatched, no number.
    assert text.get((1, 0), "") == text.get((2, 1), "") == ""
    hatched = sorted((int(patch.get_x()), int(patch.get_y())) for patch in axes.patches if patch.get_hatch())
    assert hatched == [(1, 0), (2, 1)]


def test_the_heat_map_of_all_has_a_dash_where_nothing_is_evaluated(results: Results) -> None:
    axes = heatmaps.draw_experiments(results, "image", "auroc").figure.axes[0]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    columns = [label.get_text() for label in axes.get_xticklabels()]
    text = {(int(t.get_position()[0]), int(t.get_position()[1])): t.get_text() for t in axes.texts}
    assert text[columns.index("HeadCT"), rows.index("plain CLIP")] == DASH
    assert text[columns.index("HeadCT"), rows.index("ground truth")] == "100.0"


def test_an_ablation_curve_is_the_mean_over_a_domains_sets(results: Results) -> None:
    figure = ablation.draw(results, "fig_5_depth").figure
    axes = next(ax for ax in figure.axes if ax.get_title() == "Image AUROC (%)")
    industrial = next(line for line in axes.lines if line.get_marker() == MARKERS[0])
    assert industrial.get_xdata().tolist() == [1, 2, 4]
    expected = [100 * results.value(f"depth_{depth}", "mvtec", "image", "auroc")[0] for depth in (1, 2, 4)]
    assert industrial.get_ydata() == pytest.approx(expected)
    # A band for each domain: two seeds.
    assert len(axes.collections) == 2


def test_a_curve_over_words_has_them_below(tmp_path: Path) -> None:
    config = {
        **MINIMAL,
        "experiments": {
            "kind": {
                "title": "{value}",
                "backbone": "small",
                "auxiliary": ["tn3k"],
                "seeds": [0],
                "evaluate": ["headct"],
                "sweep": {"model.prompt_type": ["none", "SD"]},
            }
        },
        "curves": {"training": {"title": "Prompts", "x": "model.prompt_type", "experiments": ["kind"]}},
    }
    results = Results(invent(config, tmp_path, pictures=True))
    use_theme()
    drawn = ablation.draw(results, "training")
    assert [label.get_text() for label in drawn.figure.axes[0].get_xticklabels()] == ["none", "SD"]
    assert "one seed" in drawn.rules
    assert not drawn.figure.axes[0].collections
    # HeadCT has no masks.
    pixel = next(ax for ax in drawn.figure.axes if ax.get_title() == "Pixel AUROC (%)")
    assert [text.get_text() for text in pixel.texts] == ["undefined"]
    # Its name is that of another figure.
    assert wanted_figures(results.plan)[0].stem == "curve_training"


def test_ranking_curves_are_means_of_what_was_stored(results: Results) -> None:
    drawn = ranking.draw(results, "roc", "image")
    axes = next(ax for ax in drawn.figure.axes if ax.get_title() == "MVTec AD")
    stored = [
        json.loads((found.folder / "curves.json").read_text())["image"]["roc"]
        for found in results.of(results.by_name["transfer_btad"], "mvtec")
    ]
    first = next(line for line in axes.lines if line.get_linestyle() == LINES[0])
    x, y = first.get_xdata(), first.get_ydata()
    expected = np.mean([np.interp(x, curve["fpr"], curve["tpr"]) for curve in stored], axis=0)
    assert y == pytest.approx(expected, abs=1e-9)
    # A set without normal images has no image curves.
    assert "TN3K" not in [ax.get_title() for ax in drawn.figure.axes]


def test_upright_and_falling_stretches_keep_their_highest_point() -> None:
    roc = {"roc": {"fpr": [0, 0, 0.5, 1], "tpr": [0, 0.5, 1, 1]}}
    mean = ranking.mean_curve([roc, roc], "roc")
    assert mean[0] == 0.5
    assert mean[-1] == 1
    fall = {"pr": {"recall": [0.5, 0.5, 1.0], "precision": [1.0, 0.5, 0.25]}}
    mean = ranking.mean_curve([fall], "precision_recall")
    assert mean[0] == mean[40] == 1
    assert mean[-1] == 0.25


def test_bars_are_means_with_a_point_for_each_seed(results: Results) -> None:
    figure = bars.draw(results, "mvtec").figure
    axes = figure.axes[0]
    compared = [one for one in series.series(results.plan) if "mvtec" in one.by_set]
    categories = results.categories("transfer_btad", "mvtec")
    heights = [bar.get_height() for bar in axes.containers[0]]
    expected = [100 * results.value("transfer_btad", "mvtec", "image", "auroc", category)[0] for category in categories]
    assert heights == pytest.approx(expected)
    points = sum(len(collection.get_offsets()) for collection in axes.collections)
    seeds = sum(len(one.by_set["mvtec"]["seeds"]) for one in compared)
    assert points == seeds * len(categories)


def test_an_undefined_category_has_a_dash(plan_file: Path, tmp_path: Path) -> None:
    shutil.copytree(plan_file.parents[1], tmp_path / "copy")
    copied = tmp_path / "copy" / "results" / "plan.json"
    path = tmp_path / "copy" / "results" / "runs" / "clip" / "seed-0" / "mvtec" / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["categories"]["bottle"]["image"]["auroc"] = None
    metrics["categories"]["bottle"]["undefined"]["image.auroc"] = "one class"
    others = [entry["image"]["auroc"] for name, entry in metrics["categories"].items() if name != "bottle"]
    metrics["mean"]["image"]["auroc"] = sum(others) / len(others)
    path.write_text(json.dumps(metrics))
    use_theme()
    axes = bars.draw(Results(copied), "mvtec").figure.axes
    assert [text.get_text() for text in axes[0].texts] == [DASH]
    assert not axes[1].texts


def test_histograms_hold_every_image(results: Results) -> None:
    figure = histograms.draw(results, "transfer_btad").figure
    axes = next(ax for ax in figure.axes if ax.get_title() == "MVTec AD")
    # Each kind's bins make 100 %; those of TN3K are anomalous alone.
    assert len(axes.collections) == 2
    assert len(next(ax for ax in figure.axes if ax.get_title() == "TN3K").collections) == 1


def test_the_axis_of_a_histogram_says_from_where_to_where_scores_run(results: Results, tmp_path: Path) -> None:
    """Scores of a method without any scale: far from [0, 1], and negative."""
    shutil.copytree(results.root.parent, tmp_path / "copy")
    copied = Results(tmp_path / "copy" / "results" / "plan.json")
    for found in copied.of(copied.by_name["transfer_btad"], "mvtec"):
        frame = pd.read_csv(found.folder / "scores.csv")
        frame["anomaly_score"] = 40 * frame["anomaly_score"] - 90
        frame.loc[0, "anomaly_score"] = -90.5
        frame.loc[1, "anomaly_score"] = 12.25
        frame.to_csv(found.folder / "scores.csv", index=False)
    figure = histograms.draw(copied, "transfer_btad").figure
    axes = next(ax for ax in figure.axes if ax.get_title() == "MVTec AD")
    assert axes.get_xticks().tolist() == pytest.approx([-90.5, 12.25])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["-90.5", "12.2"]
    assert axes.get_xlim()[0] <= -90.5 < 12.25 <= axes.get_xlim()[1]


def test_training_shows_the_mean_loss_of_each_run(results: Results) -> None:
    figure = training.draw(results).figure
    lines = {line for ax in figure.axes for line in ax.lines}
    # Three depths; two auxiliary sets.
    assert len(lines) == 5
    swept = next(ax for ax in figure.axes if ax.get_legend().get_title().get_text() == "prompt depth")
    assert [text.get_text() for text in swept.get_legend().get_texts()] == ["1", "2", "4"]
    histories = [
        np.genfromtxt(results.root / "runs" / "depth_2" / f"seed-{seed}" / "history.csv", delimiter=",", names=True)
        for seed in (0, 1)
    ]
    assert swept.lines[1].get_ydata() == pytest.approx(np.mean([history["loss"] for history in histories], axis=0))


def test_cost_compares_over_shared_sets(results: Results) -> None:
    found = series.configurations(results.plan)
    # Plain CLIP lacks HeadCT, which all others have.
    assert [one.title for one in found] == ["AdaCLIP", "J = 1", "J = 2", "J = 4", "CVC-ColonDB"]
    assert [one.experiments[0]["name"] for one in found[:2]] == ["transfer_btad", "depth_1"]
    assert series.common_sets(found, results.plan) == ["mvtec", "headct", "tn3k"]
    drawn = cost.draw(results)
    axes = drawn.figure.axes[0]
    expected = np.mean([results.value("transfer_btad", name, "image", "auroc")[0] for name in ("mvtec", "headct")])
    heights = [line.get_ydata()[0] for line in axes.lines]
    assert heights[0] == pytest.approx(100 * expected)


def test_the_front_is_what_nothing_beats() -> None:
    assert cost.front([3, 1, 2, 1], [0.9, 0.5, 0.4, 0.6]) == [3, 0]
    assert cost.front([], []) == []


def test_a_plan_with_one_baseline_has_figures(tmp_path: Path) -> None:
    plan_file = invent(MINIMAL, tmp_path, pictures=True)
    out = tmp_path / "figures"
    write_figures(plan_file, out)
    names = figure_names(json.loads(plan_file.read_text()))
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    assert not any(name.startswith(("training", "transfer")) for name in names)


def test_a_level_without_figures_is_said(tmp_path: Path) -> None:
    config = {**MINIMAL, "experiments": {"clip": {**MINIMAL["experiments"]["clip"], "evaluate": ["headct"]}}}
    results = Results(invent(config, tmp_path, pictures=True))
    use_theme()
    assert ranking.draw(results, "roc", "pixel").empty
    assert heatmaps.draw_experiments(results, "pixel", "auroc").empty


def test_many_experiments_are_compared_by_method() -> None:
    experiments = [
        {
            "name": f"e{i}",
            "title": f"E {i}",
            "method": "one",
            "kind": "trained",
            "evaluate": ["b", "a"] if i else ["a"],
        }
        for i in range(series.MANY)
    ]
    methods = {"one": {"title": "First"}, "my.module:Two": {"title": "Second"}, "proof": {"title": "Control"}}
    control = {**experiments[0], "name": "proof", "method": "proof", "kind": "control"}
    few = {"experiments": [*experiments, control], "methods": methods}
    assert [one.key for one in series.series(few)] == [f"e{i}" for i in range(series.MANY)]
    other = {**experiments[0], "name": "other", "method": "my.module:Two", "kind": "training-free"}
    many = {"experiments": [*experiments, other, control], "methods": methods}
    assert [(one.key, one.title) for one in series.series(many)] == [("one", "First"), ("my_module_Two", "Second")]
    assert {name: e["name"] for name, e in series.series(many)[0].by_set.items()} == {"a": "e0", "b": "e1"}


def test_a_damaged_history_is_one_line(plan_file: Path, tmp_path: Path) -> None:
    shutil.copytree(plan_file.parents[1], tmp_path / "copy")
    copied = tmp_path / "copy" / "results" / "plan.json"
    history = tmp_path / "copy" / "results" / "runs" / "depth_1" / "seed-0" / "history.csv"
    for text, said in (
        ("epoch,stage\n1,only\n", "lacks column 'loss'"),
        ("epoch,stage,loss,loss_dice\n1,a,2,\n1,b,2,1\n2,b,2,inf\n", "line 4: loss_dice is inf, no finite number"),
        ("epoch,stage,loss,loss_dice\n1,a,2,\n1,b,2,1\n2,b,2,\n", "line 4: loss_dice is nan, no finite number"),
        # A single stage may have no name.
        ("epoch,stage,loss,loss_dice\n1,,2,1\n2,,2,inf\n", "line 3: loss_dice is inf, no finite number"),
    ):
        history.write_text(text)
        with pytest.raises(AdaclipError, match=said):
            training.draw(Results(copied))


def test_long_titles_are_broken_and_no_formula() -> None:
    assert wrapped("A set with a long name", 12) == "A set with a\nlong name"
    titles = {wrapped(f"one auxiliary set, explained at length: {name}", 30, 1) for name in ("BTAD", "VisA")}
    assert len(titles) == 2
    assert {len(title) for title in titles} == {30}
    assert wrapped("costs 3 $ or 4 $", 40) == r"costs 3 \$ or 4 \$"
    assert listed(["a"]) == "a"


def test_panels_show_the_first_trained_experiments_images(plan_file: Path, tmp_path: Path) -> None:
    write_panels(plan_file, "mvtec", tmp_path / "mvtec")
    plan = json.loads(plan_file.read_text())
    written = {f"mvtec/{path.name}" for path in (tmp_path / "mvtec").iterdir()}
    assert written == set(panel_names("mvtec"))
    (figure,) = read_figures_index(tmp_path / "mvtec" / "index.json")
    assert figure.shows == ("mvtec",)
    assert "panels.npz of run transfer_btad, seed 0" in figure.source
    with np.load(plan_file.parent / "runs" / "transfer_btad" / "seed-0" / "mvtec" / "panels.npz") as kept:
        roles = kept["role"].tolist()
        for role, score in zip(roles, kept["score"], strict=True):
            assert f"{role}: " in figure.alt
            assert f"score {score:.4g}" in figure.alt
    svg = (tmp_path / "mvtec" / "panels_mvtec.svg").read_text()
    # Image, mask, map and overlay; normal images have no mask.
    anomalous = figure.alt.count(", bad, ")
    assert svg.count("<image ") == 3 * len(roles) + anomalous
    assert len(svg) < 300_000
    assert plan["sets"]["mvtec"]["title"] in figure.title


def test_panels_need_the_images(plan_file: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'visa' is not evaluated in"):
        write_panels(plan_file, "visa", tmp_path)
    plan = json.loads(plan_file.read_text())
    manifest = tmp_path / "brought_back" / "manifest.csv"
    manifest.parent.mkdir()
    shutil.copy(plan["sets"]["mvtec"]["manifest"], manifest)
    plan["sets"]["mvtec"]["manifest"] = str(manifest)
    (tmp_path / "plan.json").write_text(json.dumps({**plan, "root": str(plan_file.parent)}))
    with pytest.raises(AdaclipError, match=r"the images of 'mvtec' are not in .*brought_back: prepare the set again"):
        write_panels(tmp_path / "plan.json", "mvtec", tmp_path / "out")
    assert not has_images(manifest)
