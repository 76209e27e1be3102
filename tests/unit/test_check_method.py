"""`check_method` passes for every method of this package, and says what is wrong with toys that break the contract."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from dataclasses import dataclass
from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from adaclip import check_method
from adaclip.cli import main
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.base import Method, Prediction
from adaclip.methods.card import Card, Fact, Fairness, NoSettings
from adaclip.methods.registry import BUILT_IN, find_card
from adaclip.methods.stages import Stage, View
from adaclip.methods.training import TrainSettings
from adaclip.runs.check_method import CHECKS
from adaclip.system.annotated import setting

METHODS = [id for id in BUILT_IN if find_card(id).kind != "control"]
#: Settings of methods whose own do not fit eight vision blocks.
SMALL: dict[str, dict[str, Any]] = {"anomalyclip": {"dpam_blocks": 6}}


@pytest.mark.parametrize("id", METHODS)
def test_every_method_of_this_package_keeps_the_contract(id):
    card = find_card(id)
    done = check_method(id, **SMALL.get(id, {}))
    left_out = {"training": not card.trained, "checkpoints": not card.has_checkpoint}
    assert done == [title for title, _, _ in CHECKS if not left_out.get(title)]


def card_of(name: str, **changes: Any) -> Card:
    facts = {"kind": "trained", "training": TrainSettings, **changes}
    return Card(id="toy", title="Toy", model=f"{__name__}:{name}", **facts)


class Good(Method):
    """One linear layer on the last block's patches."""

    card = card_of("Good")

    def __init__(self, backbone):
        super().__init__(backbone, NoSettings())
        self.head = nn.Linear(backbone.vision_width, 1)

    def frozen(self, images):
        with torch.no_grad():
            return {"tokens": self.backbone.walk(self.backbone.embed(images))[1][:, 1:]}

    def text(self, class_names):
        tokens = self.backbone.tokenize([f"a photo of a {name}" for name in class_names])
        return F.normalize(self.backbone.encode_text(tokens), dim=-1)

    def logits(self, images, frozen=None):
        tokens = (frozen or self.frozen(images))["tokens"]
        grid = self.backbone.grid
        square = self.head(tokens.float()).reshape(-1, 1, grid, grid)
        return F.interpolate(square, scale_factor=self.backbone.architecture.patch, mode="bilinear")[:, 0]

    def predict(self, images, class_names, frozen=None, text=None):
        self.check_batch(images, class_names)
        text = self.text(class_names) if text is None else text
        maps = self.logits(images, frozen).sigmoid()
        return Prediction(maps, maps.amax(dim=(1, 2)) + text[:, 0])

    def stages(self, settings):
        def loss(shown):
            losses = F.binary_cross_entropy_with_logits(self.logits(shown.images, shown.frozen), shown.masks)
            return self.changed({"pixels": losses}, shown)

        def optimiser(parameters):
            return torch.optim.SGD(parameters, lr=settings.learning_rate)

        return [Stage(1, 2, self.learned(), optimiser, loss, view=self.view())]

    def learned(self):
        return list(self.head.parameters())

    def changed(self, parts, shown):
        return parts

    def view(self):
        return View()


def test_a_good_toy_passes():
    done = check_method(f"{__name__}:Good", image_size=32)
    assert done == [title for title, _, _ in CHECKS if title != "the card without PyTorch"]
    # Its card alone is enough.
    assert check_method(Good.card, image_size=32)[-1] == "checkpoints"


class Misshapen(Good):
    card = card_of("Misshapen")

    def predict(self, *given):
        found = super().predict(*given)
        return Prediction(found.anomaly_map[:, ::8, ::8], found.anomaly_score)


class NotFinite(Good):
    card = card_of("NotFinite")

    def predict(self, *given):
        found = super().predict(*given)
        return Prediction(found.anomaly_map, (found.anomaly_score - 9).log())


class OutOfRange(Good):
    card = card_of("OutOfRange")

    def predict(self, *given):
        found = super().predict(*given)
        return Prediction(found.anomaly_map + 0.9, found.anomaly_score)


class NoPrediction(Good):
    card = card_of("NoPrediction")

    def predict(self, *given):
        return super().predict(*given).anomaly_map


class Drawing(Good):
    card = card_of("Drawing")

    def predict(self, *given):
        found = super().predict(*given)
        return Prediction(found.anomaly_map, found.anomaly_score + torch.rand(()))


class BatchNormalised(Good):
    card = card_of("BatchNormalised")

    def predict(self, *given):
        found = super().predict(*given)
        return Prediction(found.anomaly_map / found.anomaly_map.max(), found.anomaly_score)


class ByFirstName(Good):
    card = card_of("ByFirstName")

    def text(self, class_names):
        return super().text(class_names[:1]).expand(len(class_names), -1)


class OneText(Good):
    card = card_of("OneText")

    def text(self, class_names):
        return super().text(["object"])


class OtherWhenGiven(Good):
    card = card_of("OtherWhenGiven")

    def predict(self, images, class_names, frozen=None, text=None):
        found = super().predict(images, class_names, frozen, text)
        return Prediction(found.anomaly_map * (0.5 if frozen else 1), found.anomaly_score)


class WrongEmbedding(Good):
    card = card_of("WrongEmbedding", features=("embedding",))

    def frozen(self, images):
        return {**super().frozen(images), "embedding": self.backbone.encode_image(images) + 1}


class Touching(Good):
    card = card_of("Touching")

    def predict(self, *given):
        self.backbone.clip.logit_scale.data += 1
        return super().predict(*given)


class TouchingInTraining(Good):
    card = card_of("TouchingInTraining")

    def changed(self, parts, shown):
        self.backbone.clip.logit_scale.data += 1
        return parts


class Unchecked(Good):
    card = card_of("Unchecked")

    def check_batch(self, images, class_names):
        """Nothing is refused."""


class Owning(Good):
    card = card_of("Owning")

    def __init__(self, backbone):
        super().__init__(backbone)
        self.clip = backbone


class LearningTheBackbone(Good):
    card = card_of("LearningTheBackbone")

    def learned(self):
        return [self.backbone.clip.visual.proj]


class Exhausted(Good):
    card = card_of("Exhausted")

    def learned(self):
        return self.head.parameters()


class Detached(Good):
    card = card_of("Detached")

    def changed(self, parts, shown):
        return {name: value.detach() for name, value in parts.items()}


class LossOfEach(Good):
    card = card_of("LossOfEach")

    def changed(self, parts, shown):
        return {"pixels": self.logits(shown.images).mean(dim=(1, 2))}


class WholeBatch(Good):
    card = card_of("WholeBatch")

    def changed(self, parts, shown):
        return {**parts, "spread": self.logits(shown.images).std(dim=0).mean()}


class MaskedMean(Good):
    card = card_of("MaskedMean")

    def changed(self, parts, shown):
        return {"pixels": self.logits(shown.images)[shown.has_pixels].mean()}


class LearnedAndFrozen(Good):
    card = card_of("LearnedAndFrozen")

    def frozen(self, images):
        found = super().frozen(images)
        return {**found, "head": self.head(found["tokens"]).detach()}


class DrawnAugmentation(Good):
    card = card_of("DrawnAugmentation")

    def view(self):
        return View(augment=lambda image, mask, rng: (image + torch.rand(()), mask))


class Forgetful(Good):
    card = card_of("Forgetful")

    def __init__(self, backbone):
        super().__init__(backbone)
        self.register_buffer("offset", torch.rand(()), persistent=False)

    def predict(self, *given):
        found = super().predict(*given)
        return Prediction(found.anomaly_map, found.anomaly_score + self.offset)


class LostOnTheWay(Good):
    card = card_of("LostOnTheWay")

    def to_released(self, state):
        return {key: value.half() for key, value in state.items()}

    def from_released(self, content, path):
        return {key: value.float() + 1 for key, value in content.items()}


class NoStages(Good):
    card = card_of("NoStages")

    def stages(self, settings):
        return []


class TrainedByNothing(Good):
    card = card_of("TrainedByNothing", kind="training-free", training=None)


@dataclass(frozen=True)
class Depth:
    depth: int = setting(4, "How deep.", minimum=1)


class WithoutItsSettings(Good):
    card = card_of("WithoutItsSettings", settings=Depth)


@pytest.mark.parametrize(
    ("toy", "words"),
    [
        (Owning, "making it: its parameters are the backbone's too"),
        (TrainedByNothing, "making it: kind training-free has no checkpoint, but the model has parameters"),
        (WithoutItsSettings, "making it: TypeError: Good.__init__() got an unexpected keyword"),
        (Misshapen, "shapes and values: the anomaly_map of 3 images has shape (3, 4, 4), not (3, 32, 32)"),
        (NotFinite, "shapes and values: the anomaly_score is not made of finite numbers"),
        (OutOfRange, "shapes and values: map_range is 0 to 1, but a map has"),
        (NoPrediction, "shapes and values: predict gives a Tensor, no Prediction"),
        (Drawing, "the same every time: asked twice, it gives other results"),
        (BatchNormalised, "each image by itself: a batch of three gives what single images do not"),
        (ByFirstName, "each image by itself: a batch of three gives what single images do not"),
        (OneText, "frozen and text: text has not one entry for each class name"),
        (OtherWhenGiven, "frozen and text: given what frozen gives, predict gives other results"),
        (WrongEmbedding, "frozen and text: frozen gives another 'embedding' than is stored"),
        (Touching, "the backbone stays: predict changes clip.logit_scale of the backbone"),
        (Unchecked, "refusals: it takes two images with one class name"),
        (NoStages, "training: stages gives none"),
        (TouchingInTraining, "training: a step changes clip.logit_scale of the backbone"),
        (LearningTheBackbone, "training: stage 1: it learns what is no parameter of the model"),
        (Exhausted, "training: stage 1: parameters are gone when they are read twice"),
        (Detached, "training: stage 1, 2 in the batch: the loss has no gradient"),
        (LossOfEach, "training: stage 1, 2 in the batch: part 'pixels' of the loss is no scalar tensor"),
        (WholeBatch, "training: stage 1, 1 in the batch: part 'spread' of the loss is nan"),
        (MaskedMean, "training: unmasked: skip, no mask in the batch: part 'pixels' of the loss is nan"),
        (LearnedAndFrozen, "training: a step changes 'head' of frozen"),
        (DrawnAugmentation, "training: stage 1: augment draws from elsewhere"),
        (Forgetful, "checkpoints: saved as .safetensors and loaded again: the anomaly_score differs by up to"),
        (LostOnTheWay, "checkpoints: saved as .pth and loaded again: the anomaly_map differs by up to"),
    ],
)
@pytest.mark.filterwarnings("ignore:std")
def test_a_toy_that_breaks_the_contract_is_one_line(toy, words):
    with pytest.raises(AdaclipError) as caught:
        check_method(f"{__name__}:{toy.__name__}", image_size=32)
    assert str(caught.value).startswith(f"method toy: {words}")
    assert "\n" not in str(caught.value)


@dataclass
class Thawed:
    depth: int = setting(4, "How deep.")


@dataclass(frozen=True)
class Undescribed:
    depth: int = 4


@dataclass(frozen=True)
class BeyondItsLimit:
    depth: int = setting(4, "How deep.", maximum=3)


@dataclass(frozen=True)
class Strange:
    depth: complex = setting(1j, "How deep.")


@dataclass(frozen=True)
class Seeded:
    seed: int = setting(4, "Another seed.")


@dataclass(frozen=True)
class Mode:
    mode: Literal["a", "b"] = setting("c", "Which.")


FAIR = Fairness(*[Fact("words", "source")] * 5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "A toy"}, "the card: id 'A toy' has other signs"),
        ({"title": " "}, "the card: title is empty"),
        ({"paper": None}, "the card: paper is None, which is no text"),
        ({"kind": "magic"}, "the card: kind 'magic' is none of trained, untrained"),
        ({"kind": "control"}, "the card: kind control is for what proves the metrics"),
        ({"kind": "training-free"}, "the card: training is a dataclass exactly where kind is trained"),
        ({"training": None}, "the card: training is a dataclass exactly where kind is trained"),
        ({"uses_backbone": False}, "the card: uses_backbone is False, which is for controls"),
        ({"model": "toy.Toy"}, "the card: model 'toy.Toy' is not written as module:Class"),
        ({"smoothing": -1.0}, "the card: smoothing is -1.0, which is no number from 0"),
        ({"passes": float("nan")}, "the card: passes is nan, which is no number from 0"),
        ({"reference": "gelu"}, "the card: reference is no Numerics"),
        ({"features": ("tokens",)}, "the card: features are ('tokens',): a tuple of some of embedding"),
        ({"sentences": lambda name: []}, "the card: sentences gives no list of texts for 'metal nut'"),
        (
            {"fairness": dataclasses.replace(FAIR, selected_on=Fact("", "x"))},
            "the card: fairness.selected_on is no Fact with a text and a source",
        ),
        ({"settings": Thawed}, "the settings: Thawed is no frozen dataclass"),
        ({"settings": Undescribed}, "the settings: Undescribed.depth has no description: make it with `setting`"),
        ({"settings": BeyondItsLimit}, "the settings: a default does not fit its own limits: BeyondItsLimit: depth: 4"),
        ({"settings": Strange}, "the settings: Strange has a field of a type that no schema says: KeyError"),
        ({"settings": Seeded}, "the settings: Seeded.seed has the name of an argument of load_method"),
        ({"settings": Mode}, "the settings: a default does not fit its own limits: Mode: mode: 'c' is not one of a, b"),
        ({"training": Depth}, "the settings: training Depth is not derived from TrainSettings"),
    ],
)
def test_a_card_that_breaks_the_contract_is_one_line(changes, words):
    card = dataclasses.replace(Good.card, **changes)
    with pytest.raises(AdaclipError) as caught:
        check_method(card, image_size=32)
    assert str(caught.value).startswith(f"method {card.id}: {words}")


def test_a_card_that_loads_torch_is_refused(tmp_path, monkeypatch):
    code = f"""
import {{}}
from adaclip.methods.card import Card
from adaclip.methods.training import TrainSettings
CARD = Card("toy", "Toy", "trained", {Good.card.model!r}, training=TrainSettings)
"""
    (tmp_path / "heavy_toy.py").write_text(code.format("torch"))
    (tmp_path / "light_toy.py").write_text(code.format("math"))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    with pytest.raises(AdaclipError, match="the card without PyTorch: heavy_toy:CARD imports torch: keep the card in"):
        check_method("heavy_toy:CARD", image_size=32)
    assert "the card without PyTorch" in check_method("light_toy:CARD", image_size=32)
    for name in ("heavy_toy", "light_toy"):
        del sys.modules[name]


def test_an_unknown_method_is_a_wrong_argument():
    with pytest.raises(UsageError, match="unknown method 'toy'"):
        check_method("toy")


def test_the_verb_lists_methods(capsys):
    assert main(["methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["id", *BUILT_IN]
    assert "quick_gelu, bilinear" in next(line for line in lines if line.startswith("clip "))
    assert "5 x 1 images" in next(line for line in lines if line.startswith("adaclip "))


def test_a_broken_package_hides_no_other_method(tmp_path, monkeypatch, capsys):
    facts = tmp_path / "broken_toy-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-toy\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[adaclip.methods]\nbroken = broken_toy:CARD\n")
    (tmp_path / "broken_toy.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert main(["methods"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 1 + len(BUILT_IN)
    assert said.err.splitlines() == [
        "adaclip: warning: method 'broken': cannot import broken_toy: ZeroDivisionError: division by zero"
    ]


def test_the_verb_checks_a_method(capsys):
    assert main(["methods", "check", f"{__name__}:Good", "--image-size", "32"]) == 0
    assert capsys.readouterr().out.startswith(f"{__name__}:Good keeps the contract: the card, the settings, ")
    assert main(["methods", "check", f"{__name__}:Misshapen", "--image-size", "32"]) == 1
    assert capsys.readouterr().err.startswith("adaclip: error: method toy: shapes and values: the anomaly_map")
    assert main(["methods", "check", "clip", "--model", '{"no_such": 1}']) == 1
    assert (
        "method clip: making it: settings of method clip: top level: unknown key 'no_such'" in capsys.readouterr().err
    )
