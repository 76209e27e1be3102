"""What is known of a method without running it: a card. Data alone, without PyTorch, so that plans are made at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from adaclip.clip.architectures import Architecture
from adaclip.clip.settings import CORRECTED, BackboneSettings, Numerics, Preset
from adaclip.errors import UsageError
from adaclip.methods.training import TrainSettings

#: `trained` learns from auxiliary data; `untrained` has parameters at their initial values; `training-free` learns
#: nothing; `control` proves the metrics and is no method.
Kind = Literal["trained", "untrained", "training-free", "control"]


@dataclass(frozen=True)
class NoSettings:
    """The settings of a method that has none."""


@dataclass(frozen=True)
class Fact:
    """Something that a reader of figures must know, and where it is from."""

    text: str
    source: str


@dataclass(frozen=True)
class Fairness:
    """What a comparison depends on besides the method; shown in the report.

    Attributes:
        trained_on: what its authors trained it on.
        class_names: whether class names are used as they are, hand-written, or not at all.
        test_statistics: whether scores or maps use statistics of the test set.
        selected_on: on what its authors chose epochs, prompts or weights.
        code_and_paper: what its code does that its paper does not say.
    """

    trained_on: Fact
    class_names: Fact
    test_statistics: Fact
    selected_on: Fact
    code_and_paper: Fact


def unchecked(architecture: Architecture, settings: Any) -> None:
    """The check of a method that runs on every backbone."""


def trains_anyway(settings: Any, training: Any) -> None:
    """The check of a training that always has something to learn."""


@dataclass(frozen=True)
class Card:
    """A method, as data.

    Attributes:
        id: what configurations call it; small letters, digits and "_".
        title: what tables call it.
        kind: see `Kind`.
        model: `module:Class`, a `adaclip.methods.base.Method`; "" for a control.
        paper: authors, title, venue, arXiv number; "" for none.
        licence: of its published code, in one line.
        backbone: as its authors ran it.
        reference: how its own code computes with the weights; the other preset is the same for all methods.
        smoothing: its own Gaussian over maps, standard deviation in pixels at the evaluation's size; 0 for none.
        settings: a dataclass of its own parameters, each field made with `adaclip.system.annotated.setting`.
        training: a dataclass derived from `TrainSettings`; None where nothing is trained.
        check: refuses settings that a backbone cannot take (raises `UsageError`), without weights.
        check_training: refuses settings and a recipe that leave nothing to learn, or do not go together (`UsageError`).
        sentences: every sentence about a class name, to refuse words that the text tower would cut; none where the
            class name is not used.
        features: names of the frozen features that are computed once for a set and stored; `embedding` is all there is.
        uses_backbone: False for a control, which runs no model.
        passes: what one image costs, in plain passes of the vision tower at the same size; for estimates of cost.
        learns_through_towers: whether gradients run through the vision tower in training, which costs more than its
            evaluation does; False where its features are frozen, and a step costs what evaluating does.
        fairness: what a comparison depends on; None for controls.

    Example:
        >>> Card(id="mine", title="Mine", kind="training-free", model="my_package.model:Mine").trained
        False
    """

    id: str
    title: str
    kind: Kind
    model: str = ""
    paper: str = ""
    licence: str = ""
    backbone: BackboneSettings = field(default_factory=lambda: BackboneSettings("ViT-L-14-336", "openai", 518))
    reference: Numerics = Numerics("gelu", "bicubic")  # noqa: RUF009
    smoothing: float = 0.0
    settings: type = NoSettings
    training: type[TrainSettings] | None = None
    check: Callable[[Architecture, Any], None] = unchecked
    check_training: Callable[[Any, Any], None] = trains_anyway
    sentences: Callable[[str], Sequence[str]] | None = None
    features: tuple[str, ...] = ()
    uses_backbone: bool = True
    passes: float = 1.0
    learns_through_towers: bool = True
    fairness: Fairness | None = None

    @property
    def trained(self) -> bool:
        """Whether it learns from auxiliary data."""
        return self.kind == "trained"

    @property
    def has_checkpoint(self) -> bool:
        """Whether its parameters are a file of their own."""
        return self.kind in ("trained", "untrained")

    def numerics(self, preset: Preset) -> Numerics:
        """Activation and resize of a preset.

        Raises:
            UsageError: an unknown preset.
        """
        if preset not in ("reference", "corrected"):
            raise UsageError(f"unknown preset '{preset}': use reference or corrected")
        return self.reference if preset == "reference" else CORRECTED

    def all_sentences(self, names: Iterable[str]) -> list[str]:
        """The sentences of several class names, one after the other."""
        if self.sentences is None:
            return []
        return [line for name in dict.fromkeys(names) for line in self.sentences(name)]
