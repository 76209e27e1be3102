"""Which methods there are: those of this package, and those that others have installed. Nothing is imported before it
is asked for.

A method of another package is found by an entry point in the group `adaclip.methods`, whose name is its id, or by
`module:Name` in the configuration. Both lead to a `Card`, or to a `Method` with one.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import re
import sys
from pathlib import Path
from typing import Any

from adaclip.errors import UsageError
from adaclip.methods.card import Card

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
        return _load(method, f"method '{method}'")
    known = known_methods()
    if method not in known:
        raise UsageError(
            f"unknown method '{method}' (known: {', '.join(known)}); one of another package needs that package "
            f"installed (entry point in the group {GROUP}), or is written as module:Name"
        )
    card = _load(known[method], f"method '{method}'")
    if card.id != method:
        raise UsageError(f"method '{method}': the card of {known[method]} calls itself '{card.id}'")
    return card


def method_class(card: Card) -> type[Any]:
    """The class of a method, a `adaclip.methods.base.Method`; imports PyTorch.

    Raises:
        UsageError: it is not there.
    """
    found = _object(card.model, f"method '{card.id}'")
    assert isinstance(found, type)
    return found


def modules_of(method: str) -> tuple[str, ...]:
    """Modules that a method is made of, for the digest of code that plans its jobs again: card and model.

    Args:
        method: as for `find_card`.
    """
    where = method if ":" in method else known_methods()[method]
    card = find_card(method)
    return tuple(dict.fromkeys(place.partition(":")[0] for place in (where, card.model) if place))


def _load(place: str, what: str) -> Card:
    found = _object(place, what)
    card = found if isinstance(found, Card) else getattr(found, "card", None)
    if not isinstance(card, Card):
        raise UsageError(f"{what}: {place} is neither a Card nor a Method with one (docs/methods.md)")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]*", card.id):
        raise UsageError(f"{what}: its card's id '{card.id}' has other signs than small letters, digits and _")
    return card


def _object(place: str, what: str) -> Any:
    """The object at `module:Name`; modules beside the configuration's working folder are found too."""
    module, _, name = place.partition(":")
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.append(here)
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise UsageError(f"{what}: cannot import {module}: {error}") from None
    except AttributeError:
        raise UsageError(f"{what}: {module} has no {name}") from None
    finally:
        if added:
            sys.path.remove(here)
