"""What is known of the method without running it: no PyTorch here."""

from dataclasses import dataclass
from typing import Literal

from adaclip.methods.card import Card
from adaclip.methods.training import TrainSettings
from adaclip.system.annotated import setting


@dataclass(frozen=True)
class ToySettings:
    """Settings of the method itself: `model` in a configuration."""

    score: Literal["max", "mean"] = setting("max", "What of a map becomes the score of its image.")


@dataclass(frozen=True)
class ToyTraining(TrainSettings):
    """How to train it: `train` in a configuration. What is not said here is as for every method."""

    epochs: int = setting(2, "Passes over the auxiliary data.", minimum=1)
    learning_rate: float = setting(0.01, "Adam's step size.", exclusiveMinimum=0)


CARD = Card(
    id="toy_linear",
    title="Linear layer",
    kind="trained",
    model="toy_method.model:ToyLinear",
    smoothing=4.0,
    settings=ToySettings,
    training=ToyTraining,
)
