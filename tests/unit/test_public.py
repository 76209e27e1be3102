"""The public interface: every name is there, is documented, and its example runs."""

from __future__ import annotations

import doctest
import importlib.util
import pkgutil
import subprocess
import sys

import pytest

import adaclip

MODULES = sorted(
    name
    for _, name, _ in pkgutil.walk_packages(adaclip.__path__, "adaclip.")
    if not name.endswith("__main__") and "    >>> " in (importlib.util.find_spec(name).loader.get_source(name) or "")
)
PUBLIC = [name for name in adaclip.__all__ if name not in ("__version__", "metrics", "Backbone", "Prediction")]


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_an_example(name):
    assert ">>>" in getattr(adaclip, name).__doc__


@pytest.mark.parametrize("name", ["image_metrics", "PixelMetrics"])
def test_metrics_have_examples(name):
    assert ">>>" in getattr(adaclip.metrics.measures, name).__doc__


def test_public_names():
    assert set(adaclip.__all__) <= set(dir(adaclip))
    for name in adaclip.__all__:
        assert getattr(adaclip, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'predict'"):
        _ = adaclip.predict


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_importing_costs_no_torch():
    result = run("import sys, adaclip, adaclip.metrics.measures; assert not {'torch', 'open_clip'} & set(sys.modules)")
    assert result.returncode == 0, result.stderr


def test_a_module_does_not_hide_the_function_of_its_name():
    """Importing a submodule sets an attribute of the package: no public function may share its name."""
    result = run("import adaclip.data.torchset, adaclip; assert callable(adaclip.preprocess)")
    assert result.returncode == 0, result.stderr
    modules = {name for _, name, _ in pkgutil.iter_modules(adaclip.__path__)}
    assert modules & set(adaclip.__all__) == {"metrics"}
