"""Markdown and LaTeX of a table document, checked for structure and, where pdflatex is there, compiled."""

import re

import pytest

from adaclip.report.document import Cell, Column, TableDoc
from adaclip.report.tables.cells import DASH, MINUS, Notes, points, signed
from adaclip.report.tables.render import LONG, latex, latex_text, markdown
from tests.latex import check_latex, compile_latex, needs_pdflatex

TABLE = TableDoc(
    name="table_1",
    title="Sets & methods",
    caption="In percent (100 %), of metal_nut and R&D #1.",
    section="paper",
    columns=(
        Column("method", "Method"),
        Column("kind", "Figures"),
        Column("a", "AUROC", "percent", group="Image"),
        Column("b", "F1_max", "percent", group="Image"),
        Column("c", "AUROC", "percent", group="Pixel"),
        Column("rank", "Rank", "number"),
    ),
    rows=(
        (Cell("A|B"), Cell("published"), Cell("89.2 ± 0.3", 89.2, best=True, notes=("a", "†")), *[Cell(DASH)] * 3),
        (Cell("A|B"), Cell("difference"), Cell(f"{MINUS}0.3"), Cell("80.0", second=True), Cell("[1]"), Cell("1.5")),
        (Cell("[x]"), Cell("$5_{a}^b~\\"), Cell("<1>"), Cell("2"), Cell("3"), Cell("4", href="#x")),
    ),
    notes={"a": "A caution: 50 % & more.", "†": "Chosen on it."},
)


def test_latex_is_well_formed():
    text = latex(TABLE)
    check_latex(text, 6)
    assert r"\textbf{89.2 $\pm$ 0.3}\textsuperscript{a,$\dagger$}" in text
    assert r"\underline{80.0}" in text
    assert "$-$0.3" in text
    assert r"{[1]}" in text
    assert r"\cmidrule(lr){3-4}\cmidrule(lr){5-5}" in text
    assert r"\caption{Sets \& methods. In percent (100 \%), of metal\_nut and R\&D \#1.}\label{tab:table_1}" in text
    assert r"\textsuperscript{a}~A caution: 50 \% \& more." in text
    # The method is not said twice.
    assert len(re.findall(r"^A\|B", text, re.M)) == 1
    assert r"\addlinespace" in text


def test_the_papers_number_goes_behind_the_title():
    text = latex(TableDoc(**{**vars(TABLE), "title": "Appendix Table 9: MVTec AD"}))
    assert r"\caption{MVTec AD (the paper's Appendix Table 9). In percent" in text


def test_every_special_sign_is_written_out():
    assert latex_text(r"a%b_c&d$e#f{g}h~i^j\k") == (
        r"a\%b\_c\&d\$e\#f\{g\}h\textasciitilde{}i\textasciicircum{}j\textbackslash{}k"
    )


def test_a_long_table_breaks_over_pages():
    rows = tuple((Cell(f"m{index}"), Cell("x"), *[Cell("1")] * 4) for index in range(LONG))
    text = latex(TableDoc(**{**vars(TABLE), "rows": rows}))
    check_latex(text, 6)
    assert r"\begin{longtable}" in text
    assert r"\endhead" in text
    assert r"\begin{table}" not in text


@needs_pdflatex
@pytest.mark.parametrize("count", [3, LONG + 5])
def test_latex_compiles(tmp_path, count):
    rows = (TABLE.rows * (count // 3 + 1))[:count]
    compile_latex(tmp_path, latex(TableDoc(**{**vars(TABLE), "rows": rows})))


def test_markdown_keeps_its_columns():
    lines = markdown(TABLE).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + 3
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {7}
    assert "Image: F1_max" in table[0]
    assert "**89.2 ± 0.3**<sup>a,†</sup>" in table[2]
    assert "<u>80.0</u>" in table[3]
    assert "&lt;1>" in table[4]
    assert "[4](#x)" in table[4]
    assert "- a: A caution: 50 % & more." in lines


def test_a_table_without_rows():
    empty = TableDoc(**{**vars(TABLE), "rows": (), "notes": {}})
    assert "Method" in markdown(empty)
    assert r"\bottomrule" in latex(empty)


def test_how_figures_are_written():
    assert points(89.25, 0.04) == "89.3 ± 0.0"
    assert points(84.55) == "84.6"
    assert points(float("nan"), 1) == points(None) == DASH
    assert points(5.0, float("nan")) == "5.0"
    assert (signed(1.04), signed(-0.26), signed(None)) == ("+1.0", f"{MINUS}0.3", DASH)
    assert signed(-0.04) == "0.0"


def test_notes_are_lettered_in_the_order_of_appearance():
    notes = Notes()
    assert notes.keys(["first", "second"], selected=True) == ("a", "b", "†")
    assert notes.keys(["second", "first"], overlap=True) == ("a", "b", "‡")
    many = [notes.key(f"sentence {index}") for index in range(26)]
    assert many[-3:] == ["z", "aa", "ab"]
    assert list(notes.ordered())[:2] == ["a", "b"]
    assert list(notes.ordered())[-2:] == ["†", "‡"]
    assert notes.ordered()["b"] == "second"
