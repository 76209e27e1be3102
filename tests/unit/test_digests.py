"""Which steps an edit concerns."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from adaclip.methods.registry import modules_of
from adaclip.system import digests as module
from adaclip.system.digests import PACKAGE, code_digest, folder_digest, import_closure

#: Verbs, and whether the code of the run's method counts besides: here that of AdaCLIP.
VERBS = {
    "adaclip.data.prepare": False,
    "adaclip.runs.features": False,
    "adaclip.runs.train": True,
    "adaclip.runs.evaluate": True,
    "adaclip.report.tables.write": False,
}
METHOD = modules_of("adaclip")


def test_closure_has_what_a_step_uses_and_nothing_else():
    train = import_closure("adaclip.runs.train", *METHOD)
    assert {
        "adaclip.runs.train",
        "adaclip.methods.adaclip.model",
        "adaclip.clip.backbone",
        "adaclip.methods.losses",
        "adaclip.data.torchset",
    } <= train
    # An edit of one method trains no other again.
    assert {
        name for name in import_closure("adaclip.runs.train") if name.startswith("adaclip.methods.adaclip")
    } == set()
    # A change of the evaluation or of the metrics must not train everything again.
    assert (
        not {"adaclip.runs.evaluate", "adaclip.metrics.collect", "adaclip.metrics.measures", "adaclip.runs.selection"}
        & train
    )
    assert {"adaclip.metrics.measures", "adaclip.metrics.collect"} <= import_closure("adaclip.runs.evaluate")
    assert "adaclip.metrics.measures" in import_closure("adaclip.runs.selection")
    for verb in ("adaclip.data.prepare", "adaclip.report.tables.write"):
        assert not {"adaclip.methods.adaclip.model", "adaclip.clip.backbone", "adaclip.runs.train"} & import_closure(
            verb
        )
    assert "adaclip.data" in train  # importing a module runs the packages above it


def test_closure_is_what_python_loads():
    """Against the interpreter's own account of what is imported."""
    for verb in ("adaclip.runs.features", "adaclip.report.tables.write"):
        code = f"import sys, {verb}; print(*[m for m in sys.modules if m.startswith('adaclip.')])"
        loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert set(loaded.split()) <= import_closure(verb)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that may be edited."""
    copy = tmp_path / "adaclip"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "PACKAGE", copy)
    return copy


def digests() -> dict[str, str]:
    code_digest.cache_clear()
    return {verb: code_digest(verb, *(METHOD if learns else ())) for verb, learns in VERBS.items()}


@pytest.mark.parametrize(
    ("file", "concerned"),
    [
        ("metrics/measures.py", {"adaclip.runs.evaluate"}),
        ("methods/losses.py", {"adaclip.runs.train", "adaclip.runs.evaluate"}),
        ("methods/adaclip/fusion.py", {"adaclip.runs.train", "adaclip.runs.evaluate"}),
        ("clip/backbone.py", {"adaclip.runs.features", "adaclip.runs.train", "adaclip.runs.evaluate"}),
        ("clip/models/tiny.json", {"adaclip.runs.features", "adaclip.runs.train", "adaclip.runs.evaluate"}),
        ("data/prepare.py", {"adaclip.data.prepare"}),
        ("runs/score.py", set()),
        ("cli/model.py", set()),
        ("system/files.py", set(VERBS)),
    ],
)
def test_an_edit_changes_the_digests_of_the_steps_that_use_it(package, file, concerned):
    before = digests()
    with (package / file).open("a") as stream:
        stream.write("\n")
    after = digests()
    assert {verb for verb in VERBS if before[verb] != after[verb]} == concerned
    code_digest.cache_clear()


def test_a_new_module_counts_once_it_is_imported(package):
    before = digests()
    (package / "extra.py").write_text("X = 1\n")
    assert digests() == before
    with (package / "methods/losses.py").open("a") as stream:
        stream.write("\n\ndef late() -> None:\n    from adaclip.extra import X\n")
    after = digests()
    (package / "extra.py").write_text("X = 2\n")
    assert {verb for verb in VERBS if digests()[verb] != after[verb]} == {"adaclip.runs.train", "adaclip.runs.evaluate"}
    code_digest.cache_clear()


def test_the_package_uses_absolute_imports_alone():
    """The closure follows no others."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path


def test_folder_digest(tmp_path):
    folder = tmp_path / "raw"
    assert folder_digest(folder) is None
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.png").write_bytes(b"abc")
    first = folder_digest(folder)
    assert folder_digest(folder) == first
    facts = (folder / "deep" / "a.png").stat()
    (folder / "deep" / "a.png").write_bytes(b"abd")
    os.utime(folder / "deep" / "a.png", ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    assert folder_digest(folder) != first
    second = folder_digest(folder)
    (folder / "deep" / "a.png").rename(folder / "deep" / "b.png")
    assert folder_digest(folder) != second
    moved = folder_digest(folder)
    folder.rename(tmp_path / "elsewhere")
    assert folder_digest(tmp_path / "elsewhere") == moved


def test_folder_digest_of_an_archive_and_of_a_dangling_link(tmp_path):
    archive = tmp_path / "raw.zip"
    archive.write_bytes(b"x")
    first = folder_digest(archive)
    archive.write_bytes(b"xy")
    assert folder_digest(archive) != first
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert isinstance(folder_digest(Path(tmp_path / "folder")), str)
