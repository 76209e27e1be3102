"""Who may import whom: docs/design.md shows the house, and no arrow of it leads back up."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from adaclip.system.digests import PACKAGE

#: Rooms from the ground up, and which rooms each may use besides `errors`.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "system": set(),
    "data": {"system"},
    "clip": {"system"},
    "metrics": {"data", "system"},
    "methods": {"clip", "system"},
    "runs": {"methods", "metrics", "clip", "data", "system"},
    "literature": {"metrics", "data", "system"},
    "report": {"literature", "metrics", "data", "system"},
    "audit": {"report", "data", "system"},
    "plan": {"report", "literature", "methods", "metrics", "clip", "data", "system"},
    "upkeep": {"plan", "report", "data", "system"},
    "cli": {"upkeep", "plan", "audit", "report", "literature", "runs", "methods", "metrics", "clip", "data", "system"},
}


def imports_of(path: Path) -> set[str]:
    """Dotted names of this package that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.partition(".")[0] == "adaclip"}


def arrows_up(package: Path) -> list[str]:
    """Every import that a room may not make."""
    wrong = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).parts
        room = parts[0].removesuffix(".py")
        for name in sorted(imports_of(path)) if room != "__init__" else ():
            used = name.split(".")[1]
            if used not in (ROOMS[room] | {room, "errors", "__version__"}):
                wrong.append(f"{'/'.join(parts)} imports {name}")
    return wrong


def test_no_arrow_leads_back_up():
    assert arrows_up(PACKAGE) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("metrics/measures.py", "from adaclip.methods.losses import focal_loss"),
        ("plan/config.py", "import adaclip.runs.train"),
        ("report/results.py", "from adaclip.plan import config"),
    ],
)
def test_an_arrow_up_is_noticed(tmp_path, file, line):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(f"def late() -> None:\n    {line}\n")
    assert len(arrows_up(tmp_path)) == 1


def test_rooms_stand_in_an_order_without_circles():
    rooms = list(ROOMS)
    for room, used in ROOMS.items():
        assert all(rooms.index(name) < rooms.index(room) for name in used), room


def test_every_room_is_in_the_picture():
    """A new room needs a place in the order, and in docs/design.md."""
    there = {
        path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))
    }
    assert there - {"__init__", "__pycache__"} == set(ROOMS)
    text = (PACKAGE.parent / "docs" / "design.md").read_text()
    for room in ROOMS:
        assert re.search(rf"`{room}(/|\.py)`", text), room


def test_only_one_room_knows_open_clip():
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] == "open_clip" for name in names):
                assert path.relative_to(PACKAGE).parts[0] == "clip", path


def test_lints_every_room():
    ruff = subprocess.run(["ruff", "check", "--show-files", "."], cwd=PACKAGE.parent, capture_output=True, text=True)
    linted = {Path(line) for line in ruff.stdout.splitlines()}
    assert set(PACKAGE.rglob("*.py")) - linted == set()
