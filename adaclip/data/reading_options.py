"""How an original is read: the choices that a registry entry makes under `options`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from adaclip.data.registry import Dataset
from adaclip.errors import UsageError

#: Options that every layout obeys.
COMMON = ("mask_rule", "tiff_reading")
#: Above which of 255 a mask pixel is anomalous.
THRESHOLDS = {"nonzero": 0, "half": 127}


@dataclass(frozen=True)
class Options:
    """Choices with their defaults; `adaclip/schemas/datasets.schema.yaml` describes each.

    Attributes:
        mask_rule: `nonzero` (as the reference) or `half`.
        tiff_reading: `colour` or `reference_grey`, of TIFFs that call themselves grey but hold colours.
        ksdd_cut: `thirds` or `whole`.
        dagm_normal: `all` or `released`.
        seed: of what is drawn by chance.
    """

    mask_rule: str = "nonzero"
    tiff_reading: str = "colour"
    ksdd_cut: str = "thirds"
    dagm_normal: str = "all"
    seed: int = 0

    @property
    def threshold(self) -> int:
        """Mask values above this are anomalous."""
        return THRESHOLDS[self.mask_rule]


def options_of(dataset: Dataset, obeyed: Iterable[str], layout: str) -> Options:
    """The options of a set.

    Args:
        dataset: its registry entry.
        obeyed: the options that its layout has.
        layout: name of the layout, for errors.

    Raises:
        UsageError: an option that the layout does not have: it would change nothing, without a word.
    """
    obeyed = (*COMMON, *obeyed)
    for name in dataset.options:
        known = {field.name for field in fields(Options)}
        # What a schema filled in with its default is no wish of the user.
        if name not in known or (name not in obeyed and dataset.options[name] != getattr(Options(), name)):
            raise UsageError(
                f"data set '{dataset.id}': option '{name}' changes nothing in the layout '{layout}' "
                f"(options here: {', '.join(obeyed)})"
            )
    return Options(**dataset.options)
