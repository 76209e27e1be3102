"""What to know before comparing with a published figure, as footnotes at the figures that it concerns."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaclip.literature.published import LITERATURE, Published
from adaclip.system.reading import read_yaml
from adaclip.system.schema import validate

#: How the sources of AdaCLIP's own paper begin.
PAPER = "arXiv:2407.15795v1"


@dataclass(frozen=True)
class Caution:
    """One caution; the keys are described in `adaclip/schemas/cautions.schema.yaml`."""

    id: str
    text: str
    source: str
    ranked: bool
    concerns: tuple[Mapping[str, Any], ...]

    @property
    def sentence(self) -> str:
        """The footnote with its source."""
        return f"{self.text} (Source: {self.source}.)"

    def fits(self, facts: Mapping[str, Any]) -> bool:
        """Whether it concerns a figure, a table or a curve with these facts.

        A key that the facts do not have cannot fit: a caution on a table says nothing of a figure in it.
        """
        return any(
            all(
                key in facts and facts[key] in (value if isinstance(value, list) else [value])
                for key, value in s.items()
            )
            for s in self.concerns
        )


def facts_of(figure: Published) -> dict[str, Any]:
    """What selectors may ask of a published figure."""
    return {
        "kind": "published",
        "method": figure.method,
        "family": family(figure.method),
        "backbone": figure.backbone,
        "train_data": figure.train_data,
        "source": figure.source,
        "from_paper": figure.source.startswith(f"{PAPER} "),
        "set": figure.set,
        "level": figure.level,
        "metric": figure.metric,
    }


def measured_facts(dataset: str, level: str, metric: str) -> dict[str, Any]:
    """What selectors may ask of a measured figure."""
    return {"kind": "measured", "set": dataset, "level": level, "metric": metric}


def family(method: str) -> str:
    """The first word of a method's name: re-runs and ablations belong to their method.

    Example:
        >>> family("AdaCLIP (user re-run)"), family("AdaCLIP HSF K=10"), family("AA-CLIP")
        ('AdaCLIP', 'AdaCLIP', 'AA-CLIP')
    """
    return method.split()[0]


def read_cautions(path: Path) -> tuple[Caution, ...]:
    """Read cautions.

    Raises:
        UsageError: naming file, place and fault.
    """
    checked = validate(read_yaml(path), "cautions", str(path))
    return tuple(
        Caution(name, entry["text"].strip(), entry["source"], entry["ranked"], tuple(entry["concerns"]))
        for name, entry in checked.items()
    )


@functools.cache
def cautions() -> tuple[Caution, ...]:
    """The cautions that come with the package, read once."""
    return read_cautions(LITERATURE / "cautions.yaml")
