"""What can be said of a method before any weights are made: whether its card and its settings are sane."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import subprocess
import sys
from typing import Any, get_args

from adaclip.clip.settings import ACTIVATIONS, POSITIONS, BackboneSettings, Numerics
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.card import Card, Fact, Fairness, Kind
from adaclip.methods.training import TrainSettings
from adaclip.system.annotated import read, schema_of
from adaclip.system.wording import reason_of

#: What `adaclip.load_method` calls its own arguments: a setting of that name could not be given.
TAKEN = ("id", "model", "pretrained", "image_size", "preset", "seed", "device")
#: The features that are computed once for a set and stored.
STORED = ("embedding",)
_ALONE = """
import sys
from adaclip.methods.registry import find_card
find_card(sys.argv[1])
print(*sorted({"torch", "open_clip"} & sys.modules.keys()))
"""


def check_facts(card: Card) -> None:
    """Compare every field of a card with what it is said to be.

    Raises:
        AdaclipError: naming the field.
    """
    for name in ("id", "title", "kind", "model", "paper", "licence"):
        if not isinstance(getattr(card, name), str):
            raise AdaclipError(f"{name} is {getattr(card, name)!r}, which is no text")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_]*", card.id):
        raise AdaclipError(f"id '{card.id}' has other signs than small letters, digits and _")
    if not card.title.strip():
        raise AdaclipError("title is empty")
    if card.kind not in get_args(Kind):
        raise AdaclipError(f"kind '{card.kind}' is none of {', '.join(get_args(Kind))}")
    if card.kind == "control":
        raise AdaclipError("kind control is for what proves the metrics: a method is trained or training-free")
    if not card.uses_backbone:
        raise AdaclipError("uses_backbone is False, which is for controls: every method stands on a CLIP")
    if not re.fullmatch(r"[\w.]+:\w+", card.model):
        raise AdaclipError(f"model '{card.model}' is not written as module:Class")
    if (card.kind == "trained") != (card.training is not None):
        raise AdaclipError("training is a dataclass exactly where kind is trained")
    for name in ("smoothing", "passes"):
        value = getattr(card, name)
        if not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
            raise AdaclipError(f"{name} is {value!r}, which is no number from 0")
    if not isinstance(card.backbone, BackboneSettings):
        raise AdaclipError("backbone is no BackboneSettings")
    if not isinstance(card.reference, Numerics) or not (
        card.reference.activation in ACTIVATIONS and card.reference.positions in POSITIONS
    ):
        raise AdaclipError(f"reference is no Numerics of {', '.join(ACTIVATIONS)} and {', '.join(POSITIONS)}")
    unknown = [name for name in card.features if name not in STORED]
    if not isinstance(card.features, tuple) or unknown:
        raise AdaclipError(f"features are {card.features!r}: a tuple of some of {', '.join(STORED)}")
    if card.sentences is not None:
        sentences = list(card.sentences("metal nut"))
        if not sentences or not all(isinstance(line, str) for line in sentences):
            raise AdaclipError("sentences gives no list of texts for 'metal nut'")
    _check_fairness(card.fairness)


def _check_fairness(fairness: Any) -> None:
    if fairness is None:
        return
    if not isinstance(fairness, Fairness):
        raise AdaclipError("fairness is no Fairness")
    for field in dataclasses.fields(fairness):
        fact = getattr(fairness, field.name)
        if not isinstance(fact, Fact) or not fact.text.strip() or not fact.source.strip():
            raise AdaclipError(f"fairness.{field.name} is no Fact with a text and a source")


def check_settings(card: Card) -> None:
    """Make the schemas of a method's settings, and compare the defaults with them.

    Raises:
        AdaclipError: naming the field.
    """
    if card.training is not None and not issubclass(card.training, TrainSettings):
        raise AdaclipError(f"training {card.training.__name__} is not derived from TrainSettings")
    for kind in (card.settings, card.training):
        if kind is None:
            continue
        if not dataclasses.is_dataclass(kind) or not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            raise AdaclipError(f"{kind.__name__} is no frozen dataclass")
        for field in dataclasses.fields(kind):
            if not field.metadata.get("description", "").strip():
                raise AdaclipError(f"{kind.__name__}.{field.name} has no description: make it with `setting`")
            if kind is card.settings and field.name in TAKEN:
                raise AdaclipError(f"{kind.__name__}.{field.name} has the name of an argument of load_method")
            if field.default is dataclasses.MISSING:
                raise AdaclipError(f"{kind.__name__}.{field.name} has no default")
        try:
            properties = schema_of(kind)["properties"]
        except (KeyError, TypeError, NameError) as error:
            raise AdaclipError(
                f"{kind.__name__} has a field of a type that no schema says: {reason_of(error)}"
            ) from None
        try:
            read(kind, {name: entry["default"] for name, entry in properties.items()}, kind.__name__)
        except UsageError as error:
            raise AdaclipError(f"a default does not fit its own limits: {error}") from None


def check_loads_alone(place: str) -> None:
    """Load a card in a process of its own, and look at what came along: plans are made without PyTorch.

    Args:
        place: `module:Name` of the card.

    Raises:
        AdaclipError: it cannot be loaded, or loads PyTorch.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place)}
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, place], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = done.stderr.strip().rpartition("\n")[2]
        raise AdaclipError(f"{place} cannot be loaded in a process of its own: {last}")
    if done.stdout.strip():
        raise AdaclipError(
            f"{place} imports {' and '.join(done.stdout.split())}: keep the card in a module apart from the model's"
        )
