"""Zero-shot means: never evaluated on what was trained on."""

from __future__ import annotations

from collections.abc import Collection

from adaclip.errors import UsageError


def refuse_leakage(auxiliary: Collection[str], evaluated: Collection[str], where: str) -> None:
    """Raise unless no evaluated set was trained on: zero-shot figures forbid it.

    Raises:
        UsageError: naming the set and the auxiliary data.
    """
    for dataset in evaluated:
        if dataset in auxiliary:
            raise UsageError(
                f"{where}: '{dataset}' is part of the auxiliary data ({'+'.join(auxiliary)}), so evaluating it "
                "would not be zero-shot: take it out of one of the two"
            )
