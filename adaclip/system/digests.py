"""Digests of what a step depends on besides its input files: the code behind a verb, and a folder of originals."""

from __future__ import annotations

import ast
import functools
import hashlib
import os
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
#: Files that a module reads beside it.
_DATA = {
    "adaclip.clip.backbone": ("clip/models/*.json",),
    "adaclip.report.page.write": ("report/page/assets/*",),
    "adaclip.literature.published": ("literature/*.csv", "literature/*.yaml"),
}


@functools.cache
def code_digest(*modules: str) -> str:
    """Hexadecimal digest of modules of this package and of every module of it that they import, at any depth.

    Snakemake watches rule files and scripts only; with this digest among a rule's params, an edit to the package plans
    exactly the steps again that use the edited module.

    Args:
        modules: dotted names, such as "adaclip.runs.train".

    Example:
        >>> code_digest("adaclip.runs.train") == code_digest("adaclip.data.prepare")
        False
    """
    digest = hashlib.sha256()
    for name in sorted(import_closure(*modules)):
        paths = [_path(name), *(path for pattern in _DATA.get(name, ()) for path in sorted(PACKAGE.glob(pattern)))]
        for path in paths:
            if path is not None:
                digest.update(f"{name}\0{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def import_closure(*modules: str) -> set[str]:
    """Modules of this package that `modules` import, themselves included.

    The package's own `__init__` is left out: it imports nothing when it is loaded.
    """
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = _path(name)
        if name in found or name == "adaclip" or path is None:
            continue
        found.add(name)
        waiting += _imports(path)
        # Importing a module runs the packages above it.
        waiting.append(name.rpartition(".")[0])
    return found


def _path(module: str) -> Path | None:
    """The file of a module of this package; None when the name is not a module."""
    base = PACKAGE.joinpath(*module.split(".")[1:])
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _imports(path: Path) -> list[str]:
    """Names that a file imports from this package; `from package import name` gives both possible modules."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in names if name.split(".")[0] == "adaclip"]


def folder_digest(path: str | Path) -> str | None:
    """Digest of the names, sizes and times of the files in a folder (or of one file); None when there is none.

    Contents are not read: this is asked of every original whenever a run is planned.
    """
    path = Path(path)
    if not path.exists():
        return None
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(path) if path.is_dir() else [(str(path.parent), [], [path.name])]:
        folders.sort()
        relative = os.path.relpath(folder, path) if path.is_dir() else ""
        for name in sorted(files):
            # Strings, not paths: some originals have tens of thousands of files.
            file = f"{folder}{os.sep}{name}"
            try:
                facts = os.stat(file)  # noqa: PTH116
            except FileNotFoundError:
                facts = os.lstat(file)  # a link may lead nowhere
            place = "." if not relative else name if relative == "." else f"{relative}{os.sep}{name}"
            line = f"{place}\0{facts.st_size}\0{facts.st_mtime_ns}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]
