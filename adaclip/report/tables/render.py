"""A table document as Markdown and as LaTeX (booktabs)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from tabulate import tabulate

from adaclip.report.document import Cell, Column, TableDoc

#: From this number of rows on, LaTeX may break a table over pages.
LONG = 45
#: From this number of columns on, such a table is set in the smallest size.
WIDE = 9
#: What follows is made narrower when it is wider than the text, and left alone otherwise.
SHRUNK = r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}"
_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "\N{MINUS SIGN}": "$-$",
    "\N{EN DASH}": "--",
    "†": r"$\dagger$",
    "‡": r"$\ddagger$",
    "§": r"\S{}",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
}
_SPECIAL = re.compile("|".join(map(re.escape, _LATEX)))


def latex_text(text: str) -> str:
    r"""Text with every character that means something to LaTeX written out.

    Example:
        >>> latex_text("100 % of metal_nut & R^2 ± 1")
        '100 \\% of metal\\_nut \\& R\\textasciicircum{}2 $\\pm$ 1'
    """
    return _SPECIAL.sub(lambda found: _LATEX[found[0]], text)


def markdown(table: TableDoc) -> str:
    """A pipe table with its heading, caption and footnotes."""
    headers = [f"{column.group}: {column.title}" if column.group else column.title for column in table.columns]
    rows = [[_markdown_cell(cell) for cell in row] for row in table.rows]
    align = ["left" if column.kind == "text" else "right" for column in table.columns]
    body = tabulate(
        rows, [_pipe(header) for header in headers], "pipe", disable_numparse=True, colalign=align if rows else None
    )
    notes = "".join(f"- {key}: {sentence}\n" for key, sentence in table.notes.items())
    runs = f"{from_runs(table.runs)}\n" if table.runs else ""
    told = "\n".join(filter(None, [f"\n{notes}" if notes else "", f"\n{runs}" if runs else ""]))
    return f"# {table.title}\n\n{_said(table)}\n\n{body}\n{told}"


def from_runs(runs: Sequence[str]) -> str:
    """The sentence that names runs.

    Example:
        >>> from_runs(["main"]), from_runs(["main", "plain"])
        ('From run main.', 'From 2 runs: main, plain.')
    """
    return f"From run {runs[0]}." if len(runs) == 1 else f"From {len(runs)} runs: {', '.join(runs)}."


def _said(table: TableDoc) -> str:
    return " ".join(filter(None, [table.caption, table.rules]))


def _pipe(text: str) -> str:
    return text.replace("|", r"\|").replace("<", "&lt;")


def _markdown_cell(cell: Cell) -> str:
    text = _pipe(cell.text)
    if cell.best:
        text = f"**{text}**"
    elif cell.second:
        text = f"<u>{text}</u>"
    if cell.notes:
        text += f"<sup>{','.join(cell.notes)}</sup>"
    return f"[{text}]({cell.href})" if cell.href else text


def latex(table: TableDoc) -> str:
    """A floating table, or from `LONG` rows on a longtable, to be read by a document."""
    spec = "".join("l" if column.kind == "text" else "r" for column in table.columns)
    head = _latex_head(table.columns)
    body = _latex_body(table)
    caption = (
        f"\\caption{{{latex_text(_latex_title(table.title))} {latex_text(_said(table))}}}\\label{{tab:{table.name}}}"
    )
    notes = [f"\\textsuperscript{{{latex_text(key)}}}~{latex_text(text)}" for key, text in table.notes.items()]
    footer = "{\\footnotesize\\raggedright " + " ".join(notes) + "\\par}\n" if notes else ""
    if len(table.rows) >= LONG:
        # A longtable cannot be made narrower as a whole.
        size = "\\tiny" if len(table.columns) > WIDE else "\\scriptsize"
        return (
            "% Needs the packages booktabs and longtable.\n"
            f"{{{size}\\setlength{{\\tabcolsep}}{{3pt}}\n\\begin{{longtable}}{{{spec}}}\n{caption}\\\\\n"
            f"\\toprule\n{head}\\midrule\n\\endfirsthead\n\\toprule\n{head}\\midrule\n\\endhead\n"
            f"\\bottomrule\n\\endlastfoot\n{body}\\end{{longtable}}}}\n{footer}"
        )
    return (
        "% Needs the packages booktabs and graphicx.\n"
        f"\\begin{{table}}[tbp]\n\\centering\n{caption}\n{SHRUNK}{{%\n"
        f"\\begin{{tabular}}{{{spec}}}\n\\toprule\n{head}\\midrule\n{body}\\bottomrule\n\\end{{tabular}}}}\n"
        f"\\par\\smallskip\n{footer}\\end{{table}}\n"
    )


def _latex_title(title: str) -> str:
    """LaTeX numbers tables itself, so the paper's number goes behind."""
    number = re.match(r"((?:Appendix )?Table \d+): (.*)", title)
    return f"{number[2]} (the paper's {number[1]})." if number else f"{title}."


def _latex_head(columns: tuple[Column, ...]) -> str:
    rows = ""
    if any(column.group for column in columns):
        cells, rules, start = [], [], 1
        for group, own in groupby(columns, key=lambda column: column.group):
            width = len(list(own))
            cells.append(f"\\multicolumn{{{width}}}{{c}}{{{latex_text(group)}}}" if group else " & ".join([""] * width))
            if group:
                rules.append(f"\\cmidrule(lr){{{start}-{start + width - 1}}}")
            start += width
        rows = f"{' & '.join(cells)} \\\\\n{''.join(rules)}\n"
    return rows + " & ".join(latex_text(column.title) for column in columns) + " \\\\\n"


def _latex_body(table: TableDoc) -> str:
    """Rows; one that begins as the row above leaves its first cell out, and a new beginning gets some space."""
    first = [row[0].text for row in table.rows]
    grouped = len(set(first)) < len(first)
    lines = ""
    for index, row in enumerate(table.rows):
        cells = [_latex_cell(cell) for cell in row]
        if grouped and index:
            if first[index] == first[index - 1]:
                cells[0] = ""
            else:
                lines += "\\addlinespace\n"
        lines += " & ".join(cells) + " \\\\\n"
    return lines


def _latex_cell(cell: Cell) -> str:
    text = latex_text(cell.text)
    if cell.best:
        text = f"\\textbf{{{text}}}"
    elif cell.second:
        text = f"\\underline{{{text}}}"
    if cell.notes:
        text += f"\\textsuperscript{{{','.join(map(latex_text, cell.notes))}}}"
    # A row that begins with a bracket would be read as an argument of \\ above it.
    return f"{{{text}}}" if text.startswith("[") else text
