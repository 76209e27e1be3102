"""Cautions: each stands at figures that exist, and its numbers follow from the published figures and the counts."""

import re

import pytest

from adaclip.data.registry import load_registry
from adaclip.errors import UsageError
from adaclip.literature.cautions import cautions, facts_of, family, measured_facts, read_cautions
from adaclip.literature.published import literature

FIGURES = (*literature().figures, *literature().by_category)
BY_ID = {caution.id: caution for caution in cautions()}


def concerned(name):
    return [figure for figure in literature().figures if BY_ID[name].fits(facts_of(figure))]


def value(method, source, name, level, metric):
    (found,) = (
        figure.value
        for figure in literature().figures
        if (figure.method, figure.source, figure.set, figure.level, figure.metric)
        == (method, f"arXiv:2407.15795v1 {source}", name, level, metric)
    )
    return found


def constant_f1(name):
    """F1-max of a constant score: everything is called anomalous."""
    counts = load_registry()[name].test
    normal, anomalous = counts["normal"], counts["anomalous"]
    return 100 * 2 * anomalous / (2 * anomalous + normal)


@pytest.mark.parametrize("caution", cautions(), ids=lambda caution: caution.id)
def test_each_caution_concerns_something(caution):
    kinds = {key for selector in caution.concerns for key in selector}
    if kinds & {"table", "swept"}:
        return
    published = [figure for figure in FIGURES if caution.fits(facts_of(figure))]
    measured = [
        (name, level, metric)
        for name in load_registry()
        for level, metric in (("image", "auroc"), ("pixel", "aupro"))
        if caution.fits(measured_facts(name, level, metric))
    ]
    assert published or measured
    # And it is selective.
    assert len(published) < len(FIGURES) / 5


def test_every_selector_fits_something_by_itself():
    """A selector with a slip in a name would never be seen."""
    for caution in cautions():
        for selector in caution.concerns:
            if {"table", "swept", "kind"} & selector.keys():
                continue
            single = type(caution)(caution.id, caution.text, caution.source, True, (selector,))
            assert any(single.fits(facts_of(figure)) for figure in FIGURES), (caution.id, selector)


def test_the_spread_of_reruns_is_that_of_the_leaderboard():
    numbers = [float(number) for number in re.findall(r"\d\d\.\d", BY_ID["spread_of_reruns"].text)]
    ranges = []
    for level in ("image", "pixel"):
        values = [
            figure.value
            for figure in literature().figures
            if family(figure.method) == "AdaCLIP"
            and (figure.set, figure.level, figure.metric) == ("mvtec", level, "auroc")
        ]
        ranges += [min(values), max(values)]
    assert numbers == pytest.approx(ranges, abs=0.051)


def test_what_a_constant_score_gets():
    assert constant_f1("ksdd") == pytest.approx(45.0, abs=0.05)
    assert constant_f1("headct") == pytest.approx(66.7, abs=0.05)
    assert constant_f1("br35h") == pytest.approx(66.7, abs=0.05)
    assert constant_f1("brain_mri") > 66.7
    assert {figure.value for figure in concerned("ksdd_constant")} == {37.6, 37.9}
    assert len(concerned("below_constant")) == 5
    assert all(figure.value < 66.7 for figure in concerned("below_constant"))


def test_figures_quoted_in_cautions_are_the_published_ones():
    one = "AdaCLIP (AnomalyCLIP's protocol)"
    table_5 = {figure.value for figure in concerned("industrial_only") if figure.source.endswith(" Table 5")}
    assert {68.8, 86.4, 78.2} <= table_5
    for name, level, said in (("br35h", "image", 97.7), ("brain_mri", "image", 94.8), ("clinicdb", "pixel", 84.4)):
        assert value(one, "Appendix Table 7", name, level, "auroc") == said
        assert str(said) in BY_ID["industrial_only"].text
    for table, name, ours, theirs in (
        ("Appendix Table 6", "average-industrial", 94.1, 94.5),
        ("Appendix Table 7", "average-medical", 82.3, 84.0),
    ):
        assert value(one, table, name, "pixel", "auroc") == ours
        assert value("AnomalyCLIP", table, name, "pixel", "auroc") == theirs
    assert value("WinCLIP", "Table 1", "visa", "image", "f1_max") == 80.7
    assert {(figure.level, figure.value) for figure in concerned("visa_auroc")} == {("image", 85.8), ("pixel", 95.5)}
    winclip = {
        (f.set, f.level): f.value
        for f in FIGURES
        if f.source.startswith("zqhang/Accurate-WinCLIP-pytorch") and f.metric == "auroc"
    }
    quoted = {
        (f.set, f.level): f.value
        for f in FIGURES
        if (f.method, f.source) == ("WinCLIP", "arXiv:2407.15795v1 Table 1") and f.metric == "auroc"
    }
    said = [float(number) for number in re.findall(r"\d\d\.\d", BY_ID["winclip_no_code"].text)]
    places = [(name, level) for name in ("mvtec", "visa") for level in ("image", "pixel")]
    assert said == [values[place] for values in (winclip, quoted) for place in places]
    bao = {f.set: f.value for f in FIGURES if f.method == "AdaCLIP (BaoIAD re-run)" and f.metric == "aupro"}
    assert bao == pytest.approx({"mvtec": 78.1, "visa": 88.5}, abs=0.05)


def test_full_shot_and_transductive_figures_are_not_ranked():
    unranked = {figure.method for name, caution in BY_ID.items() if not caution.ranked for figure in concerned(name)}
    assert unranked == {"PatchCore", "CDO", "MuSc"}


def test_a_key_that_the_facts_lack_cannot_fit():
    assert not BY_ID["time"].fits(facts_of(FIGURES[0]))
    assert BY_ID["time"].fits({"table": "cost"})
    assert not BY_ID["time"].fits({"table": "results"})
    assert BY_ID["curves_only"].fits({"swept": "model.prompt_depth"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one: {text: T, source: S, concerns: [{metod: X}]}", "unknown key 'metod'"),
        ("one: {text: T, concerns: [{method: X}]}", "'source' is a required property"),
        ("One: {text: T, source: S, concerns: [{method: X}]}", "'One' does not fit: small letters"),
        ("one: {text: T, source: S, concerns: [{}]}", "one.concerns.0"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, text, message):
    path = tmp_path / "cautions.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as error:
        read_cautions(path)
    assert "\n" not in str(error.value)
