"""What every method is to the benchmark: a module around a frozen CLIP that predicts, and may learn.

docs/methods.md shows the smallest complete one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from adaclip.clip.backbone import Backbone
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.card import Card
from adaclip.methods.stages import Frozen, Stage
from adaclip.methods.training import TrainSettings
from adaclip.system.wording import counted


@dataclass(frozen=True)
class Prediction:
    """What a method says of a batch.

    Attributes:
        anomaly_map: how anomalous every pixel is, before any smoothing, (batch, S, S), on a scale of the method's own.
        anomaly_score: how anomalous the image is, (batch,), on a scale of its own.
    """

    anomaly_map: Tensor
    anomaly_score: Tensor


class Method(nn.Module):
    """A method around a frozen CLIP.

    A subclass has a `card` and `predict`; everything else has a default.

    Args:
        backbone: a frozen CLIP. It is no submodule: its weights are not the method's to save or train.
        settings: an object of `card.settings`.

    Example:
        >>> from adaclip.methods.load import load_method
        >>> isinstance(load_method("adaclip", "tiny", image_size=56), Method)
        True
    """

    card: ClassVar[Card]

    def __init__(self, backbone: Backbone, settings: Any) -> None:
        super().__init__()
        self._backbone = [backbone]
        self.settings = settings

    @property
    def backbone(self) -> Backbone:
        """The frozen CLIP."""
        return self._backbone[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Method:
        """What `to`, `cuda` and `cpu` go through: the backbone comes along."""
        self.backbone._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call, no-any-return]

    @property
    def map_range(self) -> tuple[float, float] | None:
        """The least and the greatest value that a map can have, for pictures; None where there is no bound."""
        return (0.0, 1.0)

    def check_words(self, class_names: Iterable[str]) -> None:
        """Refuse class names whose sentences are longer than the text tower's context, before they are used.

        Raises:
            UsageError: naming the sentence.
        """
        sentences = self.card.all_sentences(class_names)
        if sentences:
            self.backbone.tokenize(sentences)

    def text(self, class_names: Sequence[str]) -> Tensor | None:
        """Text features that depend on the class names alone, with a leading axis over them; the runner keeps them.

        None where they depend on the image, or where there are none.
        """
        return None

    def frozen(self, images: Tensor) -> Frozen:
        """What depends on nothing that is learned, by name, each (batch, ...): the loop may keep it over epochs.

        Called without gradients.

        Args:
            images: (batch, 3, S, S), preprocessed, on the backbone's device.
        """
        return {}

    def predict(
        self,
        images: Tensor,
        class_names: Sequence[str],
        frozen: Frozen | None = None,
        text: Tensor | None = None,
    ) -> Prediction:
        """Anomaly map and score of each image; an image's result never depends on the others in the batch.

        Args:
            images: (batch, 3, S, S), from `adaclip.preprocess`.
            class_names: one for each image.
            frozen: of `frozen`, where some of it is known already; computed here when missing.
            text: of `text`, one entry for each image; computed here when missing.
        """
        raise NotImplementedError

    def stages(self, settings: TrainSettings) -> list[Stage]:
        """The stages of a training, in order.

        Args:
            settings: an object of `card.training`.

        Raises:
            UsageError: settings that leave nothing to learn.
        """
        missing = self.card.trained
        what = "is trained but has no `stages`: write it (docs/methods.md)" if missing else "is not trained"
        raise UsageError(f"method {self.card.id} {what}")

    def from_released(self, content: Any, path: Path) -> dict[str, Tensor]:
        """Learned parameters by name from a file of its authors.

        Args:
            content: what `torch.load` with `weights_only=True` gave (for a folder: by file name).
            path: for errors.

        Raises:
            AdaclipError: another method's file, or parameters that do not fit.
        """
        raise AdaclipError(f"{path}: method {self.card.id} has no released layout")

    def to_released(self, state: Mapping[str, Tensor]) -> Any:
        """The learned parameters as its authors' code would save them with `torch.save`."""
        raise AdaclipError(f"method {self.card.id} has no released layout: save it as .safetensors")

    @classmethod
    def settings_of_released(cls, content: Any, path: Path) -> dict[str, Any]:
        """Settings that the shapes in a released file say, by name; the rest have their defaults."""
        return {}

    def check_batch(self, images: Tensor, class_names: Sequence[str]) -> None:
        """Refuse what is no batch: images that are no numbers of the right kind, or class names that are none.

        Raises:
            UsageError: naming what is wrong; with both numbers where images and names differ in number.
        """
        if not isinstance(images, Tensor) or not images.is_floating_point():
            kind = f"of {images.dtype}" if isinstance(images, Tensor) else f"a {type(images).__name__}"
            raise UsageError(f"images are {kind}: give a tensor of floats (batch, 3, S, S) from adaclip.preprocess")
        if isinstance(class_names, str) or not isinstance(class_names, Sequence):
            raise UsageError("class names are no list: give one for each image, such as ['metal nut']")
        odd = [name for name in class_names if not isinstance(name, str) or not name.strip()]
        if odd and self.card.sentences is not None:
            raise UsageError(f"class name {odd[0]!r}: say in words what the image shows, such as 'metal nut'")
        if len(images) == 0:
            raise UsageError("an empty batch: give at least one image")
        if not bool(torch.isfinite(images).all()):
            raise UsageError("images hold NaN or infinity, so no score would mean anything")
        if len(images) != len(class_names):
            raise UsageError(
                f"{counted(len(images), 'image')} but {counted(len(class_names), 'category', 'categories')}: "
                "give one for each image"
            )
