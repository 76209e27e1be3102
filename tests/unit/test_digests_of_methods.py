"""The digest of a step follows the code of a method that is another package's, and a user's own module."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

import pytest

from adaclip.system import digests as module
from adaclip.system.digests import code_digest, import_closure


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which pip installs, with a package in it and another one beside."""
    folder = tmp_path / "site-packages"
    write(folder / "guest/__init__.py", "")
    write(folder / "guest/card.py", "from adaclip.methods.card import Card\n")
    write(folder / "guest/deep/model.py", "import neighbour\nfrom adaclip.methods.losses import dice_loss\n")
    write(folder / "guest/sentences.txt", "a photo of a {}\n")
    write(folder / "neighbour.py", "X = 1\n")
    monkeypatch.syspath_prepend(str(folder))
    return folder


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def digest(*modules: str) -> str:
    code_digest.cache_clear()
    importlib.invalidate_caches()
    return code_digest(*modules)


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("guest/card.py", True),
        ("guest/deep/model.py", True),
        ("guest/sentences.txt", True),
        ("guest/new.yaml", True),
        ("guest/__pycache__/card.pyc", False),
        ("guest/.card.py.swp", False),
        ("neighbour.py", False),
    ],
)
def test_every_file_of_an_installed_package_counts_and_nothing_beside_it(installed, file, counts):
    before = digest("adaclip.runs.evaluate", "guest.card")
    write(installed / file, "X = 2\n")
    assert (digest("adaclip.runs.evaluate", "guest.card") != before) == counts


def test_a_file_that_moves_within_its_package_counts(installed):
    before = digest("guest.card")
    (installed / "guest/deep/model.py").rename(installed / "guest/model.py")
    moved = digest("guest.card")
    assert moved != before
    write(installed / "guest/other/model.py", "")
    (installed / "guest/model.py").rename(installed / "guest/other/model.py")
    assert digest("guest.card") not in (before, moved)


def test_what_a_package_imports_from_here_counts(installed):
    found = import_closure("guest.card")
    assert {"adaclip.methods.losses", "adaclip.methods.card", "adaclip.methods"} <= found
    assert "adaclip.methods.adaclip.model" not in found
    # A package of others says nothing about what lies in this one.
    assert "guest.card" not in found


def test_modules_of_the_working_folder_count_with_those_that_they_import(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "my_module.py", "import my_helpers.words\nimport data\nimport numpy\n")
    write(tmp_path / "my_helpers/__init__.py", "")
    write(tmp_path / "my_helpers/words.py", "import deeper\n")
    write(tmp_path / "deeper.py", "from adaclip.methods.smoothing import Smoother\n")
    write(tmp_path / "unrelated.py", "")
    write(tmp_path / "data/image.txt", "")
    before = digest("my_module")
    for file, counts in (
        ("my_module.py", True),
        ("my_helpers/words.py", True),
        ("deeper.py", True),
        ("unrelated.py", False),
        ("data/image.txt", False),
    ):
        path = tmp_path / file
        old = path.read_text()
        path.write_text(old + "\n# Edited.\n")
        assert (digest("my_module") != before) == counts, file
        path.write_text(old)
    assert digest("my_module") == before
    assert "adaclip.methods.smoothing" in import_closure("my_module")


@pytest.mark.parametrize(
    ("code", "wanted", "unwanted"),
    [
        ("import adaclip\nclass Mine(adaclip.AdaCLIP): ...", "methods.adaclip.model", "runs.checkpoint"),
        ("import adaclip as a\nx = a.load_model", "runs.checkpoint", "methods.adaclip.prompts"),
        ("from adaclip import AdaCLIP as Base", "methods.adaclip.fusion", "runs.checkpoint"),
        ("from adaclip import *", "runs.checkpoint", "cli.model"),
        ("import adaclip.clip.backbone\nx = adaclip.load_backbone", "clip.load", "methods.adaclip.model"),
        ("def f():\n    import adaclip\n    return adaclip.metrics.image_metrics", "metrics.measures", "runs.train"),
        ("import adaclip", "", "methods.adaclip.model"),
    ],
)
def test_public_names_are_followed_to_where_they_come_from(tmp_path, monkeypatch, code, wanted, unwanted):
    """They are imported late, so that no import statement of this package leads there."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "lazy_guest.py", code)
    found = import_closure("lazy_guest")
    assert not wanted or f"adaclip.{wanted}" in found
    assert f"adaclip.{unwanted}" not in found


def test_a_package_that_is_linked_to_its_source_counts(tmp_path, monkeypatch):
    """`pip install --editable` may leave a finder of its own in place of a folder on the path."""
    write(tmp_path / "src/linked_guest/__init__.py", "import beside_it\n")
    write(tmp_path / "src/beside_it.py", "")

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            place = tmp_path / "src" / name / "__init__.py"
            found = [str(place.parent)]
            if name != "linked_guest":
                return None
            return importlib.util.spec_from_file_location(name, place, submodule_search_locations=found)

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    before = digest("linked_guest.card")
    write(tmp_path / "src/linked_guest/card.py", "X = 1\n")
    after = digest("linked_guest.card")
    assert after != before
    write(tmp_path / "src/beside_it.py", "X = 1\n")
    assert digest("linked_guest.card") != after


def test_a_file_that_is_no_python_still_counts(tmp_path, monkeypatch):
    """Whoever imports it says what is wrong with it."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "half_written.py", "def f(:\n")
    before = digest("half_written")
    write(tmp_path / "half_written.py", "def f():\n    ...\n")
    assert digest("half_written") != before


def test_a_module_that_is_gone_has_the_digest_of_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert digest("no_such_guest", "adaclip.runs.train") == digest("adaclip.runs.train")


def test_every_public_name_has_a_home():
    import adaclip

    homes = module._homes()
    assert set(adaclip.__all__) - {"__version__"} == set(homes)
    assert all(module._path(home) is not None for home in homes.values())
