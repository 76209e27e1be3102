"""Several methods beside each other: which configuration stands for each, its figures, ranks, cost, and fairness."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

from adaclip.errors import AdaclipError
from adaclip.methods.card import Kind
from adaclip.methods.registry import BUILT_IN
from adaclip.report.document import read_figures_index, read_tables_index
from adaclip.report.environment import write_environment
from adaclip.report.figures import training, write_figures
from adaclip.report.figures.style import use_theme
from adaclip.report.file_names import MAPPED, method_tables, table_names
from adaclip.report.mains import mains, shared_combinations
from adaclip.report.page.write import write_page
from adaclip.report.results import Results
from adaclip.report.tables.write import write_tables
from adaclip.system.digests import PACKAGE
from adaclip.upkeep.stale import find_stale
from tests.inventing import invent, invented, labels_of, other_method, parameters, under
from tests.tables_anew import METRICS, REGISTRY

SETS = ["mvtec", "btad", "headct", "tn3k"]
LEVEL = {"image": "image", "pixel": "mask"}
FACTS = ("trained_on", "class_names", "test_statistics", "selected_on", "code_and_paper")
FAIRNESS = {key: {"text": f"what is said of {key}", "source": f"page of {key}"} for key in FACTS}
CONFIG: dict[str, Any] = {
    "sets": SETS,
    "backbones": {"tiny": {"model": "tiny", "image_size": 56}},
    "defaults": {"seeds": [0, 1], "train": {"epochs": 2}},
    "experiments": {
        "ours_first": {"auxiliary": ["isic"], "evaluate": ["mvtec", "btad", "headct"]},
        "ours_second": {"auxiliary": ["colondb"], "evaluate": ["tn3k"]},
        "ours_visa": {"auxiliary": ["visa"], "evaluate": SETS},
        "ours_dagm": {"auxiliary": ["dagm"], "evaluate": SETS},
        "depth": {"auxiliary": ["visa"], "evaluate": ["mvtec"], "sweep": {"model.prompt_depth": [1, 2]}},
        "rival_first": {"auxiliary": ["isic"], "evaluate": ["mvtec", "btad", "headct"], "train": {"epochs": 3}},
        # How long a checkpoint is trained may depend on its data.
        "rival_second": {"auxiliary": ["colondb"], "evaluate": ["tn3k"], "train": {"epochs": 4}},
        "rival_visa": {"auxiliary": ["visa"], "evaluate": SETS, "train": {"epochs": 3}},
        "free": {"method": "clip", "evaluate": SETS, "seeds": [0]},
        "oracle": {"method": "oracle", "evaluate": SETS, "seeds": [0]},
    },
    "tables": {
        "main": {
            "title": "Main",
            "rows": [
                {"title": "Ours", "experiments": ["ours_first", "ours_second"]},
                {"title": "Theirs", "experiments": ["rival_first", "rival_second"]},
            ],
        }
    },
}
#: The same with one experiment of each method, one seed, and two sets.
SMALL: dict[str, Any] = {
    **CONFIG,
    "sets": ["btad", "headct"],
    "defaults": {**CONFIG["defaults"], "seeds": [0]},
    "experiments": {
        name: {**CONFIG["experiments"][name], "evaluate": ["btad", "headct"]}
        for name in ("ours_visa", "rival_visa", "free", "oracle")
    },
    "tables": {"main": {"title": "Main", "rows": [{"experiments": ["ours_visa"]}, {"experiments": ["rival_visa"]}]}},
}
#: Main configurations: title, (method, run of each set), seeds.
HALVES = {"mvtec": "first", "btad": "first", "headct": "first", "tn3k": "second"}
MAIN = {
    "AdaCLIP": ("adaclip", {name: f"ours_{half}" for name, half in HALVES.items()}, (0, 1)),
    "Rival": ("rival", {name: f"rival_rival_{half}" for name, half in HALVES.items()}, (0, 1)),
    "Free": ("free", dict.fromkeys(SETS, "free_free"), (0,)),
}


def with_rivals(document: dict[str, Any]) -> None:
    """A trained method with a smoothing and facts of its own, and one that is not trained."""
    rivals = ("rival_first", "rival_second", "rival_visa")
    other_method(document, "rival", rivals, smoothing=0.0, fairness=FAIRNESS, paper="They, 2025", licence="MIT")
    other_method(document, "free", ["free"], kind="training-free", smoothing=8.0)


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return invent(CONFIG, tmp_path_factory.mktemp("methods"), pictures=True, change=with_rivals)


@pytest.fixture(scope="module")
def plan(plan_file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(plan_file.read_text())
    return found


@pytest.fixture(scope="module")
def written(plan_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("written")
    write_tables(plan_file, out / "tables", out / "summary.json")
    return out


@pytest.fixture(scope="module")
def documents(written: Path) -> dict[str, Any]:
    return {document.name: document for document in read_tables_index(written / "tables" / "index.json")}


def cells(document: Any, **chosen: str) -> list[dict[str, Any]]:
    """Rows by column title, those whose cells have these texts (by column key)."""
    keys = [column.key for column in document.columns]
    rows = [dict(zip(keys, row, strict=True)) for row in document.rows]
    return [row for row in rows if all(row[key].text == text for key, text in chosen.items())]


def of_seeds(title: str, name: str, level: str, metric: str) -> list[float]:
    """Percent of each seed, from the invention; empty where the set lacks the labels."""
    method, runs, seeds = MAIN[title]
    if LEVEL[level] not in labels_of(REGISTRY[name]):
        return []
    return [
        100 * np.mean([invented(method, runs[name], s, name, c, level, metric) for c in REGISTRY[name].categories])
        for s in seeds
    ]


def test_no_id_of_a_method_stands_in_the_report() -> None:
    """A method that is told by its id would be wrong for every method that comes later."""
    # The kind of untrained parameters has the name of the one method that is of it.
    ids = set(BUILT_IN) - set(get_args(Kind))
    quoted = re.compile(rf"[\"'](?:{'|'.join(ids)})[\"']")
    files = [
        *(PACKAGE / "report").rglob("*.py"),
        *(PACKAGE / "literature").glob("*.py"),
        *(PACKAGE / "upkeep").glob("*.py"),
    ]
    found = [
        f"{path.relative_to(PACKAGE)}: {line.strip()}"
        for path in files
        for line in path.read_text().splitlines()
        # The salt of SVG ids is no method.
        if quoted.search(line) and "svg.hashsalt" not in line
    ]
    assert found == []


def test_a_method_is_shown_by_its_first_row(plan: dict[str, Any]) -> None:
    found = mains(plan)
    assert [(one.title, one.auxiliary) for one in found] == [
        ("AdaCLIP", "ISIC 2016 / CVC-ColonDB"),
        ("Rival", "ISIC 2016 / CVC-ColonDB"),
        ("Free", "nothing"),
    ]
    assert [e["name"] for e in found[1].experiments] == ["rival_first", "rival_second"]
    # DAGM trained one method alone; the main configurations are not repeated; a sweep is none.
    shared = shared_combinations(plan)
    assert {data: [one.experiments[0]["name"] for one in own] for data, own in shared.items()} == {
        "VisA": ["ours_visa", "rival_visa"]
    }


def test_released_weights_are_compared_with_what_was_trained_on_the_same_data(plan: dict[str, Any]) -> None:
    given = json.loads(json.dumps(plan))
    for experiment in given["experiments"]:
        if experiment["name"] == "ours_visa":
            experiment |= {"released": "weights", "train": None}
    ((data, own),) = shared_combinations(given).items()
    assert data == "VisA"
    assert [one.auxiliary for one in own] == ["VisA, released weights", "VisA"]


def test_a_row_of_other_settings_does_not_join_a_main_configuration(plan: dict[str, Any]) -> None:
    mixed = json.loads(json.dumps(plan))
    second = next(e for e in mixed["experiments"] if e["name"] == "ours_second")
    second["model"]["prompt_depth"] += 1
    assert [e["name"] for e in mains(mixed)[0].experiments] == ["ours_first"]
    assert [e["name"] for e in mains({**plan, "tables": []})[1].experiments] == ["rival_first"]


def test_the_new_tables_are_promised_by_the_plan_alone(plan: dict[str, Any], written: Path) -> None:
    assert method_tables(plan) == ["comparison", "protocols", "fairness"]
    assert sorted(path.name for path in (written / "tables").iterdir()) == sorted(table_names(plan))
    alike = json.loads(json.dumps(plan))
    for facts in alike["methods"].values():
        facts["smoothing"] = alike["evaluation"]["smoothing"] if facts["kind"] != "control" else 0.0
    assert method_tables(alike) == ["comparison", "fairness"]
    controls = [e for e in plan["experiments"] if e["kind"] == "control"]
    assert method_tables({**plan, "experiments": controls, "tables": []}) == []


def test_the_comparison_has_mean_spread_rank_and_average(documents: dict[str, Any]) -> None:
    document = documents["comparison"]
    assert document.section == "methods"
    assert "A method counts once, by its main configuration" in document.caption
    for level, metric in MAPPED:
        title = next(name for name, key in METRICS.items() if key == (level, metric))
        found = {row["method"].text: row for row in cells(document, group="main configurations", metric=title)}
        assert list(found) == list(MAIN)
        ranks: dict[str, list[float]] = {name: [] for name in MAIN}
        for name in SETS:
            values = {one: of_seeds(one, name, level, metric) for one in MAIN}
            if not values["Rival"]:
                assert {row[f"at_{name}"].text for row in found.values()} == {"\N{EN DASH}"}
                continue
            means = {one: round(float(np.mean(own)), 1) for one, own in values.items()}
            for one, own in values.items():
                rank = 1 + sum(other > means[one] for other in means.values())
                ranks[one].append(rank)
                spread = f" ± {np.std(own, ddof=1):.1f}" if len(own) > 1 else ""
                assert found[one][f"at_{name}"].text == f"{np.mean(own):.1f}{spread} ({rank})"
                assert found[one][f"at_{name}"].best == (rank == 1)
        for one, row in found.items():
            assert row["rank"].value == pytest.approx(np.mean(ranks[one]))
            own = [of_seeds(one, name, level, metric) for name in SETS if of_seeds(one, name, level, metric)]
            assert row["average"].value == pytest.approx(np.mean(own))


def test_the_comparison_has_the_cost(plan_file: Path, documents: dict[str, Any], written: Path) -> None:
    rows = {row["method"].text: row for row in cells(documents["comparison"], group="main configurations")}
    assert rows["AdaCLIP"]["parameters"].value == parameters("adaclip")
    assert rows["Rival"]["parameters"].value == parameters("rival")
    assert (rows["Free"]["parameters"].value, rows["Free"]["training"].text) == (0, "none")
    runs = plan_file.parent / "runs"
    seconds = [
        np.mean([json.loads((runs / run / f"seed-{seed}" / "cost.json").read_text())["seconds"] for seed in (0, 1)])
        for run in ("rival_rival_first", "rival_rival_second")
    ]
    assert rows["Rival"]["training"].value == pytest.approx(sum(seconds) / 60)
    costs = [json.loads(path.read_text()) for path in runs.glob("free_free/*/*/cost.json")]
    expected = sum(cost["seconds"] for cost in costs) / sum(cost["images"] for cost in costs)
    assert rows["Free"]["seconds"].value == pytest.approx(expected)
    frame = pd.read_csv(written / "tables" / "comparison.csv")
    assert set(frame["group"]) == {"main configurations", "trained on VisA"}
    own = frame[(frame["group"] == "trained on VisA") & (frame["set"] == "mvtec") & (frame["metric"] == "aupro")]
    assert own["row"].tolist() == ["AdaCLIP", "Rival"]
    assert sorted(own["rank"]) == [1, 2]
    assert own["parameters"].tolist() == [parameters("adaclip"), parameters("rival")]


def test_given_weights_have_no_time_of_training(tmp_path: Path) -> None:
    def given(document: dict[str, Any]) -> None:
        with_rivals(document)
        for experiment in document["experiments"]:
            if experiment["method"] == "rival":
                experiment |= {"released": "rival_2025", "train": None, "selection": None, "seeds": [0]}

    plan_file = invent(SMALL, tmp_path, pictures=True, change=given)
    write_tables(plan_file, tmp_path / "tables", tmp_path / "summary.json")
    tables = {document.name: document for document in read_tables_index(tmp_path / "tables" / "index.json")}
    row = cells(tables["comparison"], method="Rival")[0]
    assert row["trained_on"].text == "VisA, released weights"
    assert (row["training"].text, row["parameters"].value) == ("\N{EN DASH}", parameters("rival"))
    # No training of theirs is asked for: neither its cost nor its history is there.
    assert not any(row["run"].text.startswith("rival") for row in cells(tables["cost"], job="train"))
    write_figures(plan_file, tmp_path / "figures")
    figures = {figure.name: figure for figure in read_figures_index(tmp_path / "figures" / "index.json")}
    assert "trained elsewhere" in figures["accuracy_cost"].caption
    assert "Rival" not in figures["training"].alt


def test_both_protocols_stand_side_by_side(documents: dict[str, Any], written: Path) -> None:
    document = documents["protocols"]
    found = {(row["method"].text, row["place"].text): row for row in cells(document)}
    assert {row["sigma"].text for (method, _), row in found.items() if method == "Rival"} == {"none"}
    assert {row["sigma"].text for (method, _), row in found.items() if method == "Free"} == {"8"}
    # The plan's protocol is published: those are the figures that all other tables have.
    values = [of_seeds("Rival", name, "pixel", "aupro") for name in ("mvtec", "btad", "tn3k")]
    own = found["Rival", "MVTec AD"]
    assert own["aupro_published"].value == pytest.approx(np.mean(values[0]))
    other = [
        100 * np.mean([under("common", "rival", "rival_rival_first", s, "mvtec", c, "aupro") for c in categories])
        for s in (0, 1)
        for categories in [REGISTRY["mvtec"].categories]
    ]
    assert own["aupro_common"].text == f"{np.mean(other):.1f} ± {np.std(other, ddof=1):.1f}"
    assert own["aupro_gap"].value == pytest.approx(np.mean(other) - np.mean(values[0]))
    assert found["Rival", "Average"]["aupro_published"].value == pytest.approx(np.mean(values))
    # AdaCLIP's own smoothing is the common one; HeadCT has no masks.
    assert found["AdaCLIP", "MVTec AD"]["aupro_gap"].text == "0.0"
    assert ("Rival", "HeadCT") not in found
    frame = pd.read_csv(written / "tables" / "protocols.csv").set_index(["method", "place"])
    assert math.isnan(frame.loc[("rival", "HeadCT"), "pixel_aupro_published"])
    assert frame.loc[("rival", "MVTec AD"), "pixel_aupro_common"] == pytest.approx(np.mean(other) / 100)
    assert (frame.loc["rival", "sigma_published"] == 0).all()


def test_fairness_has_each_fact_with_its_source(documents: dict[str, Any]) -> None:
    document = documents["fairness"]
    rows = {row["method"].text: row for row in cells(document)}
    assert list(rows) == ["AdaCLIP", "Rival", "Free"]
    for key in FACTS:
        cell = rows["Rival"][key]
        assert cell.text == f"what is said of {key}"
        assert [document.notes[note] for note in cell.notes] == [f"Source: page of {key}."]
        assert rows["Free"][key].text == "not stated"
    about = " ".join(document.notes[note] for note in rows["Rival"]["method"].notes)
    assert about == "They, 2025. Licence of its published code: MIT."


def test_untrained_parameters_have_no_row_of_facts(tmp_path: Path) -> None:
    config = {
        "backbones": CONFIG["backbones"],
        "experiments": {"start": {"method": "untrained", "evaluate": ["headct"]}},
    }
    plan_file = invent(config, tmp_path)
    assert method_tables(json.loads(plan_file.read_text())) == ["comparison"]


@pytest.mark.parametrize("protocol", ["published", "common"])
def test_the_protocol_is_printed_with_every_figure(tmp_path: Path, protocol: str) -> None:
    config = {**SMALL, "defaults": {**SMALL["defaults"], "evaluate_with": {"protocol": protocol, "size": 72}}}
    plan_file = invent(config, tmp_path, pictures=True, change=with_rivals)
    root = plan_file.parent
    write_tables(plan_file, root / "tables", root / "summary.json")
    write_figures(plan_file, root / "figures")
    write_environment(plan_file, root / "provenance.json")
    said = {
        "published": "rotocol published (figures at 72 px, maps smoothed as each method's authors did)",
        "common": "rotocol common (figures at 72 px, maps of all methods smoothed with sigma = 4 px)",
    }[protocol]
    for table in read_tables_index(root / "tables" / "index.json"):
        if table.section in ("paper", "methods", "measured", "leaderboard") and table.name != "fairness":
            assert said in table.caption, table.name
            assert said in (root / "tables" / f"{table.name}.md").read_text(), table.name
    figures = read_figures_index(root / "figures" / "index.json")
    assert {figure.name for figure in figures if said not in figure.caption} == {"training", "training_parts"}
    indexes = [root / "tables" / "index.json"], [root / "figures" / "index.json"]
    write_page(plan_file, root / "summary.json", *indexes, [], root / "index.html", root / "provenance.json")
    page = (root / "index.html").read_text()
    header = page[page.index("<header>") : page.index("</header>")].replace("&#39;", "'")
    assert said in header
    own = "Smoothing of maps: sigma = 4 px (AdaCLIP), none (Rival), sigma = 8 px (Free)."
    assert (own in header) == (protocol == "published")
    assert 'id="methods"' in page
    assert page.index('id="table-comparison"') > page.index('<section id="methods"')
    assert page.index('id="figure-accuracy_cost"') < page.index('<section id="measured"')


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"protocol": "common"}, "is of protocol 'common' and stands in the place of 'published'"),
        ({"protocols": {"published": {}}}, r"lacks protocols\.published\.mean"),
        ({"protocol": None}, "is of protocol None and stands in the place of 'published'"),
    ],
)
def test_figures_of_another_protocol_are_refused(
    plan_file: Path, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = plan_file.parent / "runs" / "free_free" / "seed-0" / "mvtec" / "metrics.json"
    before = path.read_text()
    try:
        path.write_text(json.dumps({**json.loads(before), **change}))
        with pytest.raises(AdaclipError, match=said):
            Results(plan_file).evaluations  # noqa: B018
    finally:
        path.write_text(before)


def test_a_figure_that_differs_from_that_of_its_protocol_is_refused(plan_file: Path) -> None:
    path = plan_file.parent / "runs" / "free_free" / "seed-0" / "mvtec" / "metrics.json"
    before = path.read_text()
    changed = json.loads(before)
    changed["protocols"]["published"]["mean"]["pixel"]["ap"] = 0.125
    try:
        path.write_text(json.dumps(changed))
        with pytest.raises(AdaclipError, match=r"has mean\.pixel\.ap 0\.\d+, but 0\.125 under its protocol published"):
            Results(plan_file).evaluations  # noqa: B018
    finally:
        path.write_text(before)


def test_parts_of_the_loss_are_those_of_each_method(plan_file: Path) -> None:
    use_theme()
    results = Results(plan_file)
    drawn = training.draw_parts(results)
    lines = {ax.get_title(): len(ax.lines) for ax in drawn.figure.axes if ax.get_title()}
    # Both methods have a focal part, one has a margin, the other an image and a Dice part.
    assert set(lines) == {"Loss", "Image part", "Focal part", "Dice part", "Margin part"}
    assert lines["Loss"] == lines["Focal part"] == lines["Image part"] + lines["Margin part"]
    assert lines["Image part"] == lines["Dice part"] > 0
    panels = [ax.get_title().replace("\n", " ") for ax in training.draw(results).figure.axes]
    assert all(title.startswith(("AdaCLIP, ", "Rival, ")) for title in panels), panels
    history = results.run_folder(results.by_name["rival_visa"], 1) / "history.csv"
    values = [float(row["loss_margin"]) for row in csv.DictReader(history.open())]
    assert not any(map(math.isnan, values))


def test_stored_features_are_asked_for_by_their_own_name(plan: dict[str, Any], tmp_path: Path) -> None:
    changed = json.loads(json.dumps(plan))
    for experiment in changed["experiments"]:
        experiment["features"] = {"adaclip": "tiny", "rival": "tiny-quick_gelu-bilinear"}.get(experiment["method"])
    for name in ("tiny", "tiny-quick_gelu-bilinear", "large"):
        (tmp_path / "features" / name).mkdir(parents=True)
        (tmp_path / "features" / name / "visa.safetensors").touch()
        (tmp_path / "features" / name / "dagm.safetensors").touch()
    stale = {path.relative_to(tmp_path).as_posix() for path in find_stale(changed, tmp_path).costly}
    # DAGM trains one method alone.
    assert stale == {"features/large", "features/tiny-quick_gelu-bilinear/dagm.safetensors"}


def test_weights_whose_own_sets_are_not_here_are_shown(tmp_path: Path) -> None:
    large = {"model": "ViT-L-14-336", "pretrained": "openai", "image_size": 518}
    theirs = {"checkpoint": "april_gan_visa", "evaluate": ["btad"]}
    path = invent({"backbones": {"large": large}, "experiments": {"theirs": theirs}}, tmp_path)
    audit = {"sets": {"btad": {}}, "overlaps": {"btad": {}}}
    (path.parent / "audit").mkdir()
    (path.parent / "audit" / "leakage.json").write_text(json.dumps(audit))
    results = Results(path)
    assert set(results.sets) == {"btad"}
    assert [one.auxiliary for one in mains(results.plan)] == ["VisA, released weights"]
    assert results.overlap("theirs", "btad") == 0
