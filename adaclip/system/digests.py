"""Digests of what a step depends on besides its input files: the code behind a verb, and a folder of originals."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
#: Names of the folders in which pip installs.
_INSTALLED = ("site-packages", "dist-packages")
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
    exactly the steps again that use the edited module. Of another package every file counts, whatever its kind, and
    what it imports from beside itself.

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
    for package, files in sorted(_foreign(*modules).items()):
        for name, path in sorted(files.items()):
            digest.update(f"{package}\0{name}\0".encode("utf-8", "surrogateescape"))
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


def import_closure(*modules: str) -> set[str]:
    """Modules of this package that `modules` import, themselves included.

    The package's own `__init__` is left out: it imports nothing when it is loaded. Of another package, whatever one of
    its files imports from this one counts.
    """
    found: set[str] = set()
    waiting = [module for module in modules if not _is_foreign(module)]
    for files in _foreign(*modules).values():
        waiting += [name for path in files.values() if path.suffix == ".py" for name in _imports(path)]
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


def _is_foreign(module: str) -> bool:
    return module.partition(".")[0] != "adaclip"


def _foreign(*modules: str) -> dict[str, dict[str, Path]]:
    """Files of other packages by package and by their place in it: those of `modules`, and what lies beside them.

    Modules in a folder of the user's own import each other. What lies where pip installs is not followed, for there
    everything lies beside everything.
    """
    found: dict[str, dict[str, Path]] = {}
    waiting: list[tuple[str, Path | None]] = [(name.partition(".")[0], None) for name in modules]
    while waiting:
        package, beside = waiting.pop()
        if package in found or not _is_foreign(package):
            continue
        folder, files = _files_of(package, beside)
        if not files:
            continue
        found[package] = files
        if folder.name not in _INSTALLED:
            imported = {name for path in files.values() if path.suffix == ".py" for name in _names(_tree(path))}
            waiting += [(name.partition(".")[0], folder) for name in sorted(imported)]
    return found


def _files_of(package: str, beside: Path | None = None) -> tuple[Path, dict[str, Path]]:
    """Where another package or module lies, and its files by their place in it.

    It is found as Python would, the working folder last.

    Args:
        package: the first part of a dotted name.
        beside: the only folder to look in; None for wherever Python finds it.
    """
    find, here = importlib.machinery.PathFinder.find_spec, Path.cwd()
    try:
        spec = find(package, [str(beside)] if beside else [*sys.path, str(here)])
        # A package that is installed as a link to its source has a finder of its own.
        spec = spec or (importlib.util.find_spec(package) if beside is None else None)
    except ValueError:  # how `find_spec` says that a loaded module is none of a file
        spec = None
    if spec is None:
        return here, {}
    if not spec.submodule_search_locations:
        path = Path(spec.origin or "")
        return path.parent, {path.name: path} if path.is_file() else {}
    folders = [Path(place) for place in spec.submodule_search_locations]
    if beside is not None and spec.origin is None:
        # Any folder, such as one of data, would pass for a package without `__init__.py`.
        return beside, {}
    return folders[0].parent, {
        path.relative_to(folder).as_posix(): path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _is_made(path.relative_to(folder))
    }


def _is_made(path: Path) -> bool:
    """Whether Python or an editor made a file: nobody wrote it."""
    return any(part == "__pycache__" or part.startswith(".") for part in path.parts)


def _path(module: str) -> Path | None:
    """The file of a module of this package; None when the name is not a module."""
    base = PACKAGE.joinpath(*module.split(".")[1:])
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _imports(path: Path) -> list[str]:
    """Names that a file imports from this package; `from package import name` gives both possible modules."""
    tree = _tree(path)
    names = _names(tree)
    if PACKAGE not in path.parents:
        names += _lazy(tree)
    return [name for name in names if not _is_foreign(name)]


def _tree(path: Path) -> ast.AST:
    """A file as Python reads it; an empty one where it cannot be read, which whoever imports it is told."""
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        if PACKAGE in path.parents:
            raise
        return ast.Module([], [])


def _names(tree: ast.AST) -> list[str]:
    """Every dotted name that a file imports."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def _lazy(tree: ast.AST) -> list[str]:
    """Modules behind the public names that a file of others takes from `adaclip` itself, which imports them late."""
    homes = _homes()
    called = {
        alias.asname or "adaclip"
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "adaclip" or (alias.asname is None and not _is_foreign(alias.name))
    }
    taken = {name.partition(".")[2] for name in _names(tree) if name.startswith("adaclip.")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in called:
            taken.add(node.attr)
    return list(homes.values()) if "*" in taken else [homes[name] for name in sorted(taken & homes.keys())]


def _homes() -> dict[str, str]:
    """Where the public names of this package come from: `_HOMES` in its `__init__.py`."""
    for node in ast.walk(ast.parse((PACKAGE / "__init__.py").read_bytes())):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "_HOMES" for t in node.targets):
            # The measures alone have no entry: the name is that of a room too.
            return {**ast.literal_eval(node.value), "metrics": "adaclip.metrics.measures"}
    raise AssertionError("adaclip/__init__.py has no _HOMES")


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
