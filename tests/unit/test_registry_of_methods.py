"""How a method is found: by its id, by an entry point, or beside the working folder; whatever is wrong is one line."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adaclip.errors import UsageError
from adaclip.methods.registry import BUILT_IN, find_card, known_methods, method_class, modules_of

CARD = """from adaclip.methods.card import Card
CARD = Card(id="{id}", title="Guest", kind="training-free", model="{model}")
"""
MODEL = "from adaclip.methods.base import Method\nclass Guest(Method): ...\n"
Install = Callable[..., None]


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch):
    """Each test begins and ends without what another one imported."""
    before, path = set(sys.modules), list(sys.path)
    find_card.cache_clear()
    importlib.invalidate_caches()
    yield
    find_card.cache_clear()
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if not name.startswith(("adaclip", "torch", "open_clip")) and name.startswith(("guest", "mine", "other")):
            del sys.modules[name]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a package with one entry point where Python finds it."""

    def put(id: str, value: str, package: str = "guest-package", **files: str) -> None:
        folder = tmp_path / package
        facts = folder / f"{package.replace('-', '_')}-1.0.dist-info"
        facts.mkdir(parents=True)
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(f"[adaclip.methods]\n{id} = {value}\n")
        for name, text in files.items():
            (folder / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(str(folder))

    return put


def refusal(method: str) -> str:
    with pytest.raises(UsageError) as caught:
        find_card(method)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("id", BUILT_IN)
def test_every_method_of_this_package_is_found(id):
    card = find_card(id)
    assert card.id == id
    assert modules_of(id)[0] == BUILT_IN[id].partition(":")[0]
    assert bool(card.model) == (card.kind != "control")


def test_an_installed_package_brings_its_method(install):
    install(
        "guest",
        "guest_cards:CARD",
        guest_cards=CARD.format(id="guest", model="guest_models:Guest"),
        guest_models=MODEL,
    )
    assert known_methods()["guest"] == "guest_cards:CARD"
    card = find_card("guest")
    assert card.title == "Guest"
    assert modules_of("guest") == ("guest_cards", "guest_models")
    # A card is found without its model.
    assert "guest_models" not in sys.modules
    assert method_class(card).__name__ == "Guest"


def test_an_unknown_method_says_how_it_could_be_known():
    text = refusal("guest")
    assert text.startswith("unknown method 'guest' (known: adaclip, untrained, ")
    assert "entry point in the group adaclip.methods" in text
    assert "module:Name" in text


def test_an_id_that_is_taken_is_refused(install):
    install("winclip", "guest_cards:CARD", guest_cards=CARD.format(id="winclip", model="guest_models:Guest"))
    text = refusal("winclip")
    assert text == "package guest-package: its method 'winclip' has the id of another: rename it there"


def test_two_packages_with_one_id_are_refused(install):
    install("guest", "guest_cards:CARD", guest_cards=CARD.format(id="guest", model="guest_models:Guest"))
    install("guest", "other_cards:CARD", "other-package")
    assert "its method 'guest' has the id of another" in refusal("guest")


def test_a_card_with_another_id_than_its_entry_point_is_refused(install):
    install("guest", "guest_cards:CARD", guest_cards=CARD.format(id="visitor", model="guest_models:Guest"))
    assert refusal("guest") == "method 'guest': the card of guest_cards:CARD calls itself 'visitor'"


@pytest.mark.parametrize("id", ["Guest", "my-guest", "a b", ""])
def test_an_id_that_could_be_no_file_name_is_refused(install, id):
    install("guest", "guest_cards:CARD", guest_cards=CARD.format(id=id, model="guest_models:Guest"))
    assert f"its card is wrong: id '{id}' has other signs than small letters, digits and _" in refusal("guest")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ("kind='control'", "kind control is for what proves the metrics"),
        ("kind='trained'", "training is a dataclass exactly where kind is trained"),
        ("kind='training-free', model=''", "model '' is not written as module:Class"),
        ("kind='training-free', settings=dict", "dict is no frozen dataclass"),
        ("kind='training-free', sentences=lambda name: 1 / 0", "ZeroDivisionError: division by zero"),
        ("kind='training-free', smoothing='much'", "smoothing is 'much', which is no number from 0"),
    ],
)
def test_a_card_that_no_plan_could_be_made_of_is_refused(install, facts, words):
    """Whoever plans reads the card alone."""
    facts = facts if "model=" in facts else f"{facts}, model='guest_models:Guest'"
    code = f"from adaclip.methods.card import Card\nCARD = Card(id='guest', title='Guest', {facts})\n"
    install("guest", "guest_cards:CARD", guest_cards=code)
    assert refusal("guest").startswith(f"method 'guest': its card is wrong: {words}")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("CARD = 3\n", "guest_cards:CARD is neither a Card nor a Method with one (docs/methods.md)"),
        ("", "guest_cards has no CARD"),
        ("def f(:\n", "cannot import guest_cards: SyntaxError: invalid syntax (guest_cards.py, line 1)"),
        ("import no_such_library\n", "cannot import guest_cards: No module named 'no_such_library'"),
        (
            "from adaclip.errors import Nothing\n",
            "cannot import guest_cards: ImportError: cannot import name 'Nothing'",
        ),
        ("raise ValueError('two\\nlines')\n", "cannot import guest_cards: ValueError: two lines"),
        ("raise KeyError\n", "cannot import guest_cards: KeyError"),
        ("raise SystemExit(3)\n", "cannot import guest_cards: SystemExit: 3"),
        ("import adaclip\nadaclip.nothing\n", "cannot import guest_cards: AttributeError: module 'adaclip' has no"),
    ],
)
def test_a_package_that_fails_is_one_line(install, code, words):
    install("guest", "guest_cards:CARD", guest_cards=code)
    assert f"method 'guest': {words}" in refusal("guest")


@pytest.mark.parametrize(
    ("model", "code", "words"),
    [
        ("guest_models:Guest", "", "guest_models has no Guest"),
        ("guest_models:Guest", "Guest = print\n", "guest_models:Guest is no class derived from adaclip.Method"),
        ("guest_models:Guest", "class Guest: ...\n", "guest_models:Guest is no class derived from adaclip.Method"),
        ("guest_models:Guest", "1 / 0\n", "cannot import guest_models: ZeroDivisionError: division by zero"),
        ("guest_models", MODEL, "its card is wrong: model 'guest_models' is not written as module:Class"),
    ],
)
def test_a_model_that_fails_is_one_line(install, model, code, words):
    install("guest", "guest_cards:CARD", guest_cards=CARD.format(id="guest", model=model), guest_models=code)
    with pytest.raises(UsageError) as caught:
        method_class(find_card("guest"))
    assert str(caught.value).startswith(f"method 'guest': {words}")
    assert "\n" not in str(caught.value)


CLASS = """
from adaclip.methods.base import Method
from adaclip.methods.card import Card
from mine_helper import TITLE
class Mine(Method):
    card = Card(id="mine", title=TITLE, kind="training-free", model="{model}")
"""


def test_a_module_beside_the_working_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    (tmp_path / "mine.py").write_text(CLASS.format(model="mine:Mine"))
    (tmp_path / "mine_helper.py").write_text("TITLE = 'Mine'\n")
    (tmp_path / "mine_later.py").write_text("")
    card = find_card("mine:Mine")
    assert (card.id, card.title) == ("mine", "Mine")
    assert modules_of("mine:Mine") == ("mine",)
    assert method_class(card) is sys.modules["mine"].Mine
    # What it imports when it runs is found too.
    importlib.import_module("mine_later")


def test_a_module_of_elsewhere_leaves_the_path_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    find_card("adaclip.methods.winclip.card:CARD")
    with pytest.raises(UsageError):
        find_card("no_such_module:Name")
    assert sys.path == before


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("no_such_module:Mine", "method 'no_such_module:Mine': cannot import no_such_module: No module named"),
        ("adaclip.methods.base:Nothing", "adaclip.methods.base has no Nothing"),
        ("adaclip.methods.base:Prediction", "adaclip.methods.base:Prediction is neither a Card nor a Method with one"),
        ("adaclip.methods.base:Method", "adaclip.methods.base:Method is neither a Card nor a Method with one"),
        ("adaclip.methods.base:", "adaclip.methods.base has no name after a colon"),
        (":Mine", "cannot import : ValueError: Empty module name"),
        ("3 4:Mine", "cannot import 3 4: No module named '3 4'"),
    ],
)
def test_a_module_that_is_not_there_is_one_line(method, words):
    assert words in refusal(method)


def test_a_class_with_an_inherited_card_is_refused(tmp_path, monkeypatch):
    """It would run as the method that it derives from, under that one's name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "from adaclip.methods.adaclip.model import AdaCLIP\nclass Mine(AdaCLIP):\n    pass\n"
    )
    assert refusal("mine:Mine") == (
        "method 'mine:Mine': the card of mine:Mine is that of adaclip.methods.adaclip.model:AdaCLIP: "
        "give it a card that names it as model"
    )
