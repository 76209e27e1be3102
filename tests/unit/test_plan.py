"""Plans: which runs are shared, what is evaluated, which experiments answer a table, and what is refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from adaclip.data.registry import load_registry
from adaclip.errors import UsageError
from adaclip.plan.config import load_config, parse_config
from adaclip.plan.resolve import Plan, make_plan, part_document, plan_document, targets

BASE: dict[str, Any] = {
    "sets": ["mvtec", "visa", "headct", "isic", "colondb"],
    "backbones": {"small": {"model": "tiny", "image_size": 56}, "other": {"model": "tiny", "image_size": 112}},
    "defaults": {"backbone": "small"},
    "protocols": {
        "paper": [{"auxiliary": ["mvtec", "colondb"]}, {"auxiliary": ["visa"], "evaluate": ["mvtec", "colondb"]}]
    },
}


def plan_of(experiments: dict[str, Any], **changes: Any) -> Plan:
    config = parse_config({**copy.deepcopy(BASE), "experiments": experiments, **changes}, "c.yaml")
    return make_plan(config, load_registry(config.datasets))


def document_of(experiments: dict[str, Any], **changes: Any) -> dict[str, Any]:
    plan = plan_of(experiments, **changes)
    return plan_document(plan, {name: {"title": name.upper()} for name in plan.sets})


def test_others_are_all_sets_but_the_auxiliary_ones():
    plan = plan_of({"a": {"auxiliary": ["mvtec", "colondb"]}})
    assert plan.evaluated["a"] == ("visa", "headct", "isic")


def test_without_sets_the_benchmark_has_those_that_are_named():
    value = {key: item for key, item in BASE.items() if key not in ("sets", "protocols")}
    config = parse_config({**value, "experiments": {"a": {"auxiliary": ["isic"], "evaluate": ["tn3k"]}}}, "c")
    assert make_plan(config, load_registry()).sets == ("isic", "tn3k")


def test_equal_settings_share_a_run_and_its_evaluations():
    plan = plan_of(
        {
            "a": {"auxiliary": ["mvtec", "colondb"], "seeds": [0, 1], "evaluate": ["isic", "visa"]},
            "b": {"auxiliary": ["colondb", "mvtec"], "seeds": [0], "evaluate": ["isic", "headct"]},
            "c": {"auxiliary": ["mvtec", "colondb"], "model": {"clusters": 3}, "evaluate": ["isic"]},
        }
    )
    assert plan.run_of == {"a": "a", "b": "a", "c": "c"}
    assert sorted(plan.evaluations()) == sorted(
        [("a", 0, "visa"), ("a", 0, "isic"), ("a", 1, "visa"), ("a", 1, "isic"), ("a", 0, "headct"), ("c", 0, "isic")]
    )


def test_a_baseline_ignores_the_settings_that_it_does_not_use():
    clip = {"method": "clip_adaclip_prompts"}
    plan = plan_of(
        {
            "clip": clip,
            "clip_again": clip,
            "clip_other": {**clip, "backbone": "other"},
            "untrained": {"method": "untrained"},
            "untrained_again": {"method": "untrained"},
            "untrained_other": {"method": "untrained", "model": {"clusters": 3}},
        }
    )
    assert plan.run_of["clip_again"] == "clip"
    assert plan.run_of["clip_other"] == "clip_other"
    assert plan.run_of["untrained_again"] == "untrained"
    assert plan.run_of["untrained_other"] == "untrained_other"
    assert plan.trained_runs() == ["untrained", "untrained_other"]


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        ({"auxiliary": ["mvtec"], "evaluate": ["mvtec"]}, "'mvtec' is part of the auxiliary data"),
        ({"auxiliary": ["mvtec"], "evaluate": ["mvtek"]}, "unknown data set 'mvtek'"),
        ({"auxiliary": []}, "give auxiliary data to train on"),
        ({"auxiliary": ["headct"], "evaluate": ["isic"]}, "the auxiliary data .headct. has no masks"),
        ({"method": "winclp"}, "did you mean 'winclip'"),
        ({"method": "clip", "auxiliary": ["mvtec"]}, "method clip takes no auxiliary data"),
        ({"auxiliary": ["mvtec"], "train": {"selection": "mvtec"}}, "selection on 'mvtec', which is auxiliary data"),
        ({"auxiliary": ["mvtec"], "train": {"selection": "headct"}}, "selection on 'headct', which has no masks"),
        (
            {"auxiliary": ["mvtec"], "model": {"prompt_type": "none"}, "train": {"freeze_projections": True}},
            "nothing to train",
        ),
        (
            {"auxiliary": ["mvtec"], "model": {"prompt_branch": "none"}, "train": {"freeze_projections": True}},
            "nothing to train",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(experiment, message):
    with pytest.raises(UsageError, match=message):
        plan_of({"a": experiment})


def test_the_document_names_experiments_by_their_auxiliary_sets():
    document = document_of({"main": {"title": "ours", "protocol": "paper", "train": {"selection": "isic"}}})
    first, second = document["experiments"]
    assert first["title"] == "ours: MVTec AD + CVC-ColonDB"
    assert second["title"] == "ours: VisA"
    assert (first["selection"], first["value"], first["swept"]) == ("isic", None, None)
    assert document["root"] == "."


def test_a_baseline_has_neither_training_nor_selection_in_the_document():
    document = document_of({"clip": {"method": "clip"}}, defaults={"backbone": "small", "train": {"selection": "isic"}})
    [clip] = document["experiments"]
    assert (clip["model"], clip["train"], clip["selection"]) == ({}, None, None)


SWEPT = {
    "main": {"title": "AdaCLIP", "protocol": "paper"},
    "k": {"title": "K = {value}", "protocol": "paper", "sweep": {"model.clusters": [10, 20]}},
    "from": {"title": "{auxiliary}", "for_each_auxiliary": ["mvtec", "isic"]},
}


def test_a_row_stands_for_the_members_of_its_families():
    published = {"method": "AdaCLIP", "source": [f"arXiv:2407.15795v1 Table {number}" for number in (1, 2)]}
    rows = [
        {"experiments": ["main"], "published": published},
        {"published": {**published, "method": "WinCLIP"}},
        {"each": "k"},
    ]
    [table] = document_of(SWEPT, tables={"t": {"answers": "Table 1", "domain": "industrial", "rows": rows}})["tables"]
    assert table["sets"] == ["mvtec", "visa"]
    assert table["target"] == "table_1"
    ours, winclip, ten, twenty = table["rows"]
    assert ours["title"] == "AdaCLIP"
    assert ours["experiments"] == ["main_mvtec+colondb", "main_visa"]
    assert ours["published"] == {**published, "method": ["AdaCLIP"]}
    assert (winclip["title"], winclip["experiments"]) == ("WinCLIP", [])
    assert (ten["title"], ten["experiments"]) == ("K = 10", ["k_10_mvtec+colondb", "k_10_visa"])
    assert twenty["title"] == "K = 20"


def test_each_makes_a_row_of_every_auxiliary_set():
    [table] = document_of(SWEPT, tables={"t": {"rows": [{"each": "from"}]}})["tables"]
    assert [(row["title"], row["experiments"]) for row in table["rows"]] == [
        ("MVTec AD", ["from_mvtec"]),
        ("ISIC 2016", ["from_isic"]),
    ]
    assert table["sets"] == BASE["sets"]


def test_a_curve_groups_its_experiments_by_value():
    curves = {"c": {"answers": "Fig. 5", "x": "model.clusters", "experiments": ["k"], "metrics": ["pixel.auroc"]}}
    [curve] = document_of(SWEPT, curves=curves)["curves"]
    assert curve["target"] == "fig_5"
    assert curve["points"] == [
        {"value": 10, "experiments": ["k_10_mvtec+colondb", "k_10_visa"]},
        {"value": 20, "experiments": ["k_20_mvtec+colondb", "k_20_visa"]},
    ]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"rows": [{"experiments": ["nobody"]}]}, "table 't', row 1: unknown experiment 'nobody'"),
        ({"rows": [{"experiments": ["main"]}], "sets": ["tn3k"]}, "unknown set 'tn3k'"),
        (
            {"rows": [{"experiments": ["main", "from_isic"]}]},
            "row 'AdaCLIP': both 'main_visa' and 'from_isic' evaluate 'mvtec'",
        ),
        ({"rows": [{"title": "x"}]}, "give experiments, each or published"),
        ({"rows": [{"each": "main"}]}, "'main' has neither a sweep nor for_each_auxiliary"),
        ({"rows": [{"each": "k", "title": "x"}]}, "take out title and published"),
        ({"rows": [{"experiments": ["main"]}], "domain": "custom"}, "no set is left"),
        ({"rows": [{"published": {"source": "S1"}}]}, "give a title"),
    ],
)
def test_a_table_that_cannot_be_filled_is_refused(table, message):
    with pytest.raises(UsageError, match=message) as raised:
        plan_of(SWEPT, tables={"t": table})
    assert "\n" not in str(raised.value)


def test_two_evaluations_of_a_set_outside_the_table_are_no_fault():
    rows = [{"experiments": ["main", "from_isic"]}]
    with pytest.raises(UsageError, match="ambiguous"):
        plan_of(SWEPT, tables={"t": {"rows": rows, "sets": ["mvtec"]}})
    plan_of(SWEPT, tables={"t": {"rows": rows, "sets": ["isic"]}})


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        ({"x": "model.clusters", "experiments": ["main"]}, "'main_mvtec.colondb' does not sweep model.clusters"),
        ({"x": "model.prompt_depth", "experiments": ["k"]}, "does not sweep model.prompt_depth"),
        ({"x": "model.clusters", "experiments": ["k", "twice"]}, "model.clusters = 10: both"),
    ],
)
def test_a_curve_that_cannot_be_drawn_is_refused(curve, message):
    twice = {"auxiliary": ["isic"], "sweep": {"model.clusters": [10]}}
    with pytest.raises(UsageError, match=message):
        plan_of({**SWEPT, "twice": twice}, curves={"c": curve})


def test_a_part_has_what_its_target_needs_and_no_more():
    document = document_of(
        {**SWEPT, "selected": {"auxiliary": ["mvtec"], "evaluate": ["visa"], "train": {"selection": "colondb"}}},
        tables={
            "table_1_a": {"answers": "Table 1", "domain": "industrial", "rows": [{"experiments": ["main"]}]},
            "table_1_b": {"answers": "Table 1", "sets": ["headct"], "rows": [{"experiments": ["main"]}]},
            "chosen": {"rows": [{"experiments": ["selected"]}]},
        },
        curves={"fig_5_k": {"answers": "Fig. 5", "x": "model.clusters", "experiments": ["k"], "sets": ["isic"]}},
    )
    assert targets(document) == {
        "table_1_a": ["table_1_a"],
        "table_1": ["table_1_a", "table_1_b"],
        "table_1_b": ["table_1_b"],
        "chosen": ["chosen"],
        "fig_5_k": ["fig_5_k"],
        "fig_5": ["fig_5_k"],
    }
    part = part_document(document, "table_1", "../..")
    assert part["root"] == "../.."
    assert [table["name"] for table in part["tables"]] == ["table_1_a", "table_1_b"]
    assert part["curves"] == []
    assert [(e["name"], e["evaluate"]) for e in part["experiments"]] == [
        ("main_mvtec+colondb", ["visa", "headct"]),
        ("main_visa", ["mvtec"]),
    ]
    assert list(part["sets"]) == ["mvtec", "visa", "headct", "colondb"]
    assert list(part_document(document, "chosen", ".")["sets"]) == ["mvtec", "visa", "colondb"]
    assert list(part_document(document, "fig_5", ".")["sets"]) == ["mvtec", "visa", "isic", "colondb"]
    with pytest.raises(UsageError, match="unknown target 'table_9'"):
        part_document(document, "table_9", ".")


def test_released_weights_say_on_which_set_their_epoch_was_chosen():
    """Nothing is chosen here, but a figure on that set is no more zero-shot than one that we chose for."""
    config = load_config(Path(__file__).parents[2] / "config" / "released.yaml")
    plan = make_plan(config, load_registry(config.datasets))
    document = plan_document(plan, {name: {} for name in plan.sets})
    chosen = {one["name"]: one["selection"] for one in document["experiments"]}
    assert chosen.pop("adaclip_mvtec_colondb") == "visa"
    assert chosen.pop("adaclip_visa_clinicdb") == "mvtec"
    assert set(chosen.values()) == {None}
