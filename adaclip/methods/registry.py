"""Which methods there are: those of this package, and those that others have installed. Nothing is imported before it
is asked for.

A method of another package is found by an entry point in the group `adaclip.methods`, whose name is its id, or by
`module:Name` in the configuration. Both lead to a `Card`, or to a `Method` with one.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.metadata
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.card import Card
from adaclip.methods.check_card import check_facts, check_settings
from adaclip.system.wording import reason_of

if TYPE_CHECKING:
    from adaclip.methods.base import Method

GROUP = "adaclip.methods"
#: Methods of this package by id, and where their cards are.
BUILT_IN = {
    "adaclip": "adaclip.methods.adaclip.card:CARD",
    "untrained": "adaclip.methods.adaclip.card:UNTRAINED",
    "winclip": "adaclip.methods.winclip.card:CARD",
    "april_gan": "adaclip.methods.april_gan.card:CARD",
    "clip": "adaclip.methods.clip.card:CLIP",
    "clip_ac": "adaclip.methods.clip.card:CLIP_AC",
    "clip_adaclip_prompts": "adaclip.methods.clip.card:CLIP_ADACLIP_PROMPTS",
    "anomalyclip": "adaclip.methods.anomalyclip.card:CARD",
    "random": "adaclip.methods.controls.card:RANDOM",
    "oracle": "adaclip.methods.controls.card:ORACLE",
}


def known_methods() -> dict[str, str]:
    """Where each method's card is, by id: those of this package first.

    Raises:
        UsageError: an installed package takes the id of another.
    """
    found = dict(BUILT_IN)
    for point in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: point.name):
        package = point.dist.name if point.dist is not None else point.value
        if point.name in found and found[point.name] != point.value:
            raise UsageError(f"package {package}: its method '{point.name}' has the id of another: rename it there")
        found[point.name] = point.value
    return found


@functools.cache
def find_card(method: str) -> Card:
    """The card of a method.

    Args:
        method: an id, or `module:Name`.

    Raises:
        UsageError: an unknown id, or a module or name that is not there or is no method.
    """
    if ":" in method:
        card = _load(method, f"method '{method}'")
        if card.id in BUILT_IN and BUILT_IN[card.id].partition(":")[0] != method.partition(":")[0]:
            raise UsageError(f"method '{method}': its card's id '{card.id}' is a built-in method's: give it another")
        return card
    known = known_methods()
    if method not in known:
        raise UsageError(
            f"unknown method '{method}' (known: {', '.join(known)}){_near(method, known)}; one of another package "
            f"needs that package installed (entry point in the group {GROUP}), or is written as module:Name"
        )
    card = _load(known[method], f"method '{method}'")
    if card.id != method:
        raise UsageError(f"method '{method}': the card of {known[method]} calls itself '{card.id}'")
    return card


def _near(method: str, known: Iterable[str]) -> str:
    """A guess at what was meant, or ""."""
    near = difflib.get_close_matches(method.lower(), known, n=1, cutoff=0.6)
    return f": did you mean '{near[0]}'?" if near else ""


def method_class(card: Card) -> type[Method]:
    """The class of a method; imports PyTorch.

    Raises:
        UsageError: it is not there, or is no `adaclip.methods.base.Method`.
    """
    from adaclip.methods.base import Method

    found = _object(card.model, f"method '{card.id}'")
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise UsageError(f"method '{card.id}': {card.model} is no class derived from adaclip.Method (docs/methods.md)")
    return found


def modules_of(method: str) -> tuple[str, ...]:
    """Modules that a method is made of, for the digest of code that plans its jobs again: card and model.

    Args:
        method: as for `find_card`.

    Raises:
        UsageError: as `find_card`.
    """
    card = find_card(method)
    return tuple(dict.fromkeys(place.partition(":")[0] for place in (place_of(method), card.model) if place))


def place_of(method: str) -> str:
    """Where the card of a known method is, as `module:Name`."""
    return method if ":" in method else known_methods()[method]


def _load(place: str, what: str) -> Card:
    found = _object(place, what)
    card = found if isinstance(found, Card) else getattr(found, "card", None)
    if not isinstance(card, Card):
        raise UsageError(f"{what}: {place} is neither a Card nor a Method with one (docs/methods.md)")
    if place not in BUILT_IN.values():
        _refuse_nonsense(card, what)
    # A class that inherits the card of another would be passed over in silence for that other.
    if found is not card and method_class(card) is not found:
        raise UsageError(f"{what}: the card of {place} is that of {card.model}: give it a card that names it as model")
    return card


def _refuse_nonsense(card: Card, what: str) -> None:
    """A card of others is looked at before a plan is made of it; the cards here are looked at by tests."""
    try:
        check_facts(card)
        check_settings(card)
    except AdaclipError as error:
        raise UsageError(f"{what}: its card is wrong: {error}") from None
    except Exception as error:  # what a card holds may be of any kind, and do anything
        raise UsageError(f"{what}: its card is wrong: {reason_of(error)}") from None


def _object(place: str, what: str) -> Any:
    """The object at `module:Name`; modules beside the configuration's working folder are found too.

    Code of others may fail in any way: whatever it is becomes one line.
    """
    name, _, attribute = place.partition(":")
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(f"{what}: cannot import {name}: {error}") from None
    except (Exception, SystemExit) as error:
        raise UsageError(f"{what}: cannot import {name}: {reason_of(error)}") from None
    finally:
        # A module that lies there may import its neighbours later too.
        if added and not _lies_in(sys.modules.get(name), here):
            sys.path.remove(here)
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise UsageError(f"{what}: {name} has no {attribute or 'name after a colon'}") from None


def _lies_in(module: Any, folder: str) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(folder) in Path(file).parents
