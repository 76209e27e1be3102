"""Digests of what a step depends on besides its input files: the code behind a verb, and a folder of originals."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.machinery
import importlib.util
import os
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
#: Files that a module reads beside it.
_DATA = {
    "adaclip.clip.load": ("clip/models/*.json",),
    "adaclip.report.page.write": ("report/page/assets/*",),
    "adaclip.literature.published": ("literature/*.csv", "literature/*.yaml"),
}


@functools.cache
def code_digest(*modules: str) -> str:
    """Hexadecimal digest of modules and of every module of this package that they import, at any depth.

    Snakemake watches rule files and scripts only; with this digest among a rule's params, an edit to the package plans
    exactly the steps again that use the edited module. Of a module of another package, every file of that package
    counts.

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
    for package in sorted({name.partition(".")[0] for name in modules} - {"adaclip"}):
        for path in _foreign_files(package):
            digest.update(f"{package}\0{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def import_closure(*modules: str) -> set[str]:
    """Modules of this package that `modules` import, themselves included.

    The package's own `__init__` is left out: it imports nothing when it is loaded. Of another package, whatever one of
    its files imports from this one counts.
    """
    found: set[str] = set()
    waiting = []
    for module in modules:
        foreign = module.partition(".")[0] != "adaclip"
        waiting += (
            [name for path in _foreign_files(module.partition(".")[0]) for name in _imports(path)]
            if foreign
            else [module]
        )
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


def _foreign_files(package: str) -> list[Path]:
    """Python files of another package, or its one file; found as Python would, the working folder last."""
    spec = importlib.util.find_spec(package) or importlib.machinery.PathFinder.find_spec(package, [str(Path.cwd())])
    if spec is None or (spec.origin is None and not spec.submodule_search_locations):
        return []
    if not spec.submodule_search_locations:
        return [Path(str(spec.origin))]
    return [path for folder in spec.submodule_search_locations for path in sorted(Path(folder).rglob("*.py"))]


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
    # What `import adaclip` gives is imported when it is used.
    homes = {"adaclip": "adaclip.methods.base"} if PACKAGE not in path.parents else {}
    return [homes.get(name, name) for name in names if name.split(".")[0] == "adaclip"]


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
