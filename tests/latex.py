"""Whether LaTeX is well formed, and whether it compiles where there is a pdflatex."""

import re
import shutil
import subprocess

import pytest

needs_pdflatex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")


def cells_of(line):
    """Cells of a LaTeX row, wide ones counted for what they span."""
    parts = re.split(r"(?<!\\)&", line.removesuffix(r"\\").strip())
    return sum(int(found[1]) if (found := re.match(r"\s*\\multicolumn\{(\d+)\}", part)) else 1 for part in parts)


def check_latex(text, columns):
    """Environments nest, braces balance, every row has all columns, and nothing special is left bare."""
    code = "\n".join(line.removesuffix("%") for line in text.splitlines() if not line.startswith("%"))
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", code):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", code):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert not re.search(r"(?<!\\)[%#]", code)
    assert code.count("$") % 2 == code.count(r"\$") % 2
    outside_math = re.sub(r"(?<!\\)\$[^$]*\$", "", code)
    assert not re.search(r"(?<!\\)[_^~]", re.sub(r"\\label\{[^}]*\}|\}~", "", outside_math))
    assert outside_math.isascii()
    rows = [line for line in code.splitlines() if line.endswith(r"\\") and not line.startswith(r"\caption")]
    assert rows
    for line in rows:
        assert cells_of(line) == columns, line
        assert not line.lstrip().startswith("[")
    assert all(code.count(rule) == 1 for rule in (r"\bottomrule",))
    assert r"\toprule" in code
    assert r"\midrule" in code


def compile_latex(folder, *tables):
    """Compile a document that consists of tables."""
    for index, table in enumerate(tables):
        (folder / f"table-{index}.tex").write_text(table, encoding="utf-8")
    body = "\\clearpage".join(f"\\input{{table-{index}}}\n" for index in range(len(tables)))
    (folder / "main.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs,longtable,graphicx}\n"
        f"\\begin{{document}}\n{body}\\end{{document}}\n"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
