"""Whether a method keeps the contract of docs/methods.md: for whoever writes one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adaclip.clip.settings import BackboneSettings, Preset
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.base import Method, Prediction
from adaclip.methods.card import Card
from adaclip.methods.check_card import check_facts, check_loads_alone, check_settings
from adaclip.methods.load import make_method, resolved
from adaclip.methods.registry import find_card, known_methods, place_of
from adaclip.methods.stages import Frozen
from adaclip.runs.check_training import check_training
from adaclip.runs.checkpoint import load_checkpoint, load_model, save_checkpoint
from adaclip.system.settings import as_dict
from adaclip.system.wording import reason_of

#: Class names of the images that are drawn: two of one class, as in a real batch.
NAMES = ("bottle", "metal nut", "bottle")
#: How far results may be apart that are the same but for the order of additions: of their spread, and of their size.
OF_SPREAD, OF_SIZE = 1e-3, 2e-5


@dataclass(frozen=True)
class Subject:
    """A method under examination.

    Attributes:
        method: how it is found: an id, or `module:Name`.
        card: of it.
        asked: the small backbone that it is tried on; activation and resize are the method's.
        settings: of the method itself.
        seed: of its initial parameters and the drawn images.
        made: a network that is never trained, once there is one.
    """

    method: str
    card: Card
    asked: BackboneSettings
    settings: Mapping[str, Any]
    seed: int
    made: dict[str, Method] = field(default_factory=dict)

    @property
    def backbone(self) -> BackboneSettings:
        """The backbone as the method's own code computes with it."""
        return resolved(self.card, self.asked, "reference")

    def make(self, seed: int | None = None, preset: Preset = "reference") -> Method:
        """A new network, in evaluation mode."""
        backbone = resolved(self.card, self.asked, preset)
        return make_method(self.card, backbone, dict(self.settings), seed=self.seed if seed is None else seed)

    @property
    def network(self) -> Method:
        """One that is never trained."""
        if "network" not in self.made:
            self.made["network"] = self.make()
        return self.made["network"]

    @property
    def images(self) -> Tensor:
        """Drawn images, (3, 3, S, S), of about the values that preprocessed ones have."""
        size = self.asked.image_size
        draw = torch.Generator().manual_seed(self.seed)
        return torch.randn(len(NAMES), 3, size, size, generator=draw)


def check_method(
    method: str | Card,
    model: str = "tiny",
    image_size: int = 56,
    seed: int = 0,
    **settings: Any,
) -> list[str]:
    """Try a method on a small backbone with random weights, and compare it with the contract.

    Args:
        method: its id, `module:Name`, or its card.
        model: name of the backbone, or the path of its config; `tiny` has four vision blocks and patches of 8 pixels.
        image_size: side of the images in pixels.
        seed: of the random weights, of the method's initial parameters and of the images.
        settings: of the method itself, where its defaults do not fit so small a backbone.

    Returns:
        What was checked, in order.

    Raises:
        AdaclipError: it breaks the contract; one line that names the method, what was checked and what failed.
        UsageError: there is no such method.

    Example:
        >>> check_method("clip")[:3]
        ['the card', 'the settings', 'the card without PyTorch']
    """
    card, found = (method, _name_of(method)) if isinstance(method, Card) else (find_card(method), method)
    subject = Subject(found, card, BackboneSettings(model, None, image_size, seed=seed), settings, seed)
    done: list[str] = []
    for title, applies, check in CHECKS:
        if not applies(subject):
            continue
        try:
            check(subject)
            done.append(title)
        except AdaclipError as error:
            raise AdaclipError(f"method {card.id}: {title}: {error}") from None
        except Exception as error:  # the code of others may fail in any way
            raise AdaclipError(f"method {card.id}: {title}: {reason_of(error)}") from error
    return done


def _name_of(card: Card) -> str:
    """How a given card is found again: by its id, or by its model."""
    return card.id if card.id in known_methods() and find_card(card.id) == card else card.model


def predict(
    network: Method,
    images: Tensor,
    names: Sequence[str],
    frozen: Frozen | None = None,
    text: Tensor | None = None,
) -> Prediction:
    """What the network says, asked as an evaluation asks."""
    with torch.inference_mode():
        return network.predict(images, list(names), frozen, text)


def differ(one: Prediction, other: Prediction) -> str:
    """How two predictions of the same images differ, more than sums in another order do; "" where they do not."""
    for name in ("anomaly_map", "anomaly_score"):
        a, b = getattr(one, name).float(), getattr(other, name).float()
        if a.shape != b.shape:
            return f"the {name} has shape {tuple(b.shape)} instead of {tuple(a.shape)}"
        allowed = OF_SPREAD * float(a.max() - a.min()) + OF_SIZE * float(a.abs().max())
        most = float((a - b).abs().max())
        if not most <= allowed:
            return f"the {name} differs by up to {most:.3g}"
    return ""


def _same(one: Prediction, other: Prediction, what: str) -> None:
    found = differ(one, other)
    if found:
        raise AdaclipError(f"{what}: {found}")


def _joined(parts: Sequence[Prediction]) -> Prediction:
    return Prediction(
        torch.cat([part.anomaly_map for part in parts]), torch.cat([part.anomaly_score for part in parts])
    )


def _facts(subject: Subject) -> None:
    check_facts(subject.card)


def _settings(subject: Subject) -> None:
    check_settings(subject.card)


def _alone(subject: Subject) -> None:
    check_loads_alone(place_of(subject.method))


def _made(subject: Subject) -> None:
    network = subject.network
    frozen = {id(value) for value in network.backbone.parameters()}
    if any(id(value) in frozen for value in network.parameters()):
        raise AdaclipError("its parameters are the backbone's too: reach the backbone by self.backbone alone")
    if not subject.card.has_checkpoint and list(network.parameters()):
        raise AdaclipError(f"kind {subject.card.kind} has no checkpoint, but the model has parameters")
    if subject.card.has_checkpoint and not network.state_dict():
        raise AdaclipError(f"kind {subject.card.kind} has a checkpoint, but the model has nothing to save")
    again = subject.make()
    for name, value in network.state_dict().items():
        if not torch.equal(value, again.state_dict()[name]):
            raise AdaclipError(f"the same seed gives another {name}: draw from PyTorch's own generator")


def _shapes(subject: Subject) -> None:
    images, size = subject.images, subject.asked.image_size
    for network in (subject.network, subject.make(preset="corrected")):
        found = predict(network, images, NAMES)
        if not isinstance(found, Prediction):
            raise AdaclipError(f"predict gives a {type(found).__name__}, no Prediction")
        for name, shape in (("anomaly_map", (len(images), size, size)), ("anomaly_score", (len(images),))):
            value = getattr(found, name)
            if tuple(value.shape) != shape:
                raise AdaclipError(f"the {name} of {len(images)} images has shape {tuple(value.shape)}, not {shape}")
            if not value.is_floating_point() or not bool(torch.isfinite(value).all()):
                raise AdaclipError(f"the {name} is not made of finite numbers")
        bounds = network.map_range
        if bounds is not None:
            least, greatest = bounds
            low, high = float(found.anomaly_map.min()), float(found.anomaly_map.max())
            room = OF_SIZE * (greatest - least)
            if not least < greatest or low < least - room or high > greatest + room:
                raise AdaclipError(f"map_range is {least:g} to {greatest:g}, but a map has {low:.4g} to {high:.4g}")


def _independent(subject: Subject) -> None:
    network, images = subject.network, subject.images
    singles = [predict(network, images[i : i + 1], NAMES[i : i + 1]) for i in range(len(images))]
    _same(_joined(singles), predict(network, images, NAMES), "a batch of three gives what single images do not")
    back = predict(network, images.flip(0), NAMES[::-1])
    _same(_joined(singles[::-1]), back, "another order in the batch changes results")
    other = predict(network, torch.cat([images[:1], 3 * images[1:]]), [NAMES[0], "cable", "wood"])
    first = Prediction(other.anomaly_map[:1], other.anomaly_score[:1])
    changed = _joined([first, *singles[1:]])
    _same(_joined(singles), changed, "other images and class names in the batch change an image's result")


def _deterministic(subject: Subject) -> None:
    images = subject.images
    with torch.random.fork_rng(devices=[]):
        found = []
        for number, network in enumerate((subject.network, subject.network, subject.make())):
            torch.manual_seed(number)
            found.append(predict(network, images, NAMES))
    for other, what in zip(found[1:], ("asked twice", "made twice with one seed"), strict=True):
        same = torch.equal(found[0].anomaly_map, other.anomaly_map)
        if not same or not torch.equal(found[0].anomaly_score, other.anomaly_score):
            raise AdaclipError(f"{what}, it gives other results")


def _given(subject: Subject) -> None:
    network, images = subject.network, subject.images
    plain = predict(network, images, NAMES)
    with torch.inference_mode():
        frozen = network.frozen(images)
        alone = network.frozen(images[1:2])
        texts = [network.text([name]) for name in NAMES]
        together = network.text(sorted(set(NAMES)))
    for name, value in frozen.items():
        if not isinstance(value, Tensor) or len(value) != len(images):
            raise AdaclipError(f"frozen gives '{name}' without an entry for each image")
        if not torch.allclose(value[1:2], alone[name], rtol=1e-3, atol=1e-4 * float(value.abs().max())):
            raise AdaclipError(f"frozen gives another '{name}' for an image in a batch than by itself")
    for name in subject.card.features:
        stored = network.backbone.encode_image(images)
        if name in frozen and not torch.allclose(frozen[name], stored, rtol=1e-3, atol=1e-4):
            raise AdaclipError(f"frozen gives another '{name}' than is stored, which is the backbone's encode_image")
    _same(plain, predict(network, images, NAMES, frozen), "given what frozen gives, predict gives other results")
    if any(text is None for text in texts) != (together is None):
        raise AdaclipError("text is None for some class names and not for others")
    if together is None:
        return
    if len(together) != len(set(NAMES)) or any(len(text) != 1 for text in texts if text is not None):
        raise AdaclipError("text has not one entry for each class name")
    text = torch.cat([text for text in texts if text is not None])
    given = predict(network, images, NAMES, None, text)
    _same(plain, given, "given what text gives, predict gives other results")
    _same(plain, predict(network, images, NAMES, frozen, text), "given frozen and text, predict gives other results")


def _backbone_stays(subject: Subject) -> None:
    network = subject.make()
    before = {name: value.clone() for name, value in network.backbone.state_dict().items()}
    predict(network, subject.images, NAMES)
    for name, value in network.backbone.state_dict().items():
        if not torch.equal(value, before[name]):
            raise AdaclipError(f"predict changes {name} of the backbone")
    if any(value.requires_grad for value in network.backbone.parameters()):
        raise AdaclipError("it lets gradients into the backbone, which is frozen")


def _refuses(subject: Subject) -> None:
    try:
        predict(subject.network, subject.images[:2], NAMES[:1])
    except UsageError:
        return
    except Exception as error:  # whatever it is, it is not the one line that a user should see
        raise AdaclipError(
            f"two images with one class name end in {reason_of(error)}: call self.check_batch in predict"
        ) from None
    raise AdaclipError("it takes two images with one class name: call self.check_batch in predict")


def _trains(subject: Subject) -> None:
    check_training(subject.make(), subject.images[:2], list(NAMES[:2]))


def _checkpoints(subject: Subject) -> None:
    network, images = subject.network, subject.images
    wanted = predict(network, images, NAMES)
    # What authors release was trained.
    released = subject.card.trained and type(network).to_released is not Method.to_released
    with tempfile.TemporaryDirectory() as folder:
        for name in ("own.safetensors", "released.pth")[: 1 + released]:
            path = Path(folder) / name
            save_checkpoint(network, path, method=subject.method)
            filled = subject.make(subject.seed + 1)
            load_checkpoint(filled, path)
            if path.suffix == ".safetensors":
                made, _ = load_model(path)
            else:
                made, _ = load_model(
                    path, backbone=subject.backbone, method=subject.method, settings=as_dict(network.settings)
                )
            for other in (filled, made):
                _same(wanted, predict(other, images, NAMES), f"saved as {path.suffix} and loaded again")


def _any(subject: Subject) -> bool:
    return True


def _has_card_apart(subject: Subject) -> bool:
    """A class with its card in it brings PyTorch along, and may."""
    return place_of(subject.method) != subject.card.model


def _learns(subject: Subject) -> bool:
    return subject.card.trained


def _is_saved(subject: Subject) -> bool:
    return subject.card.has_checkpoint


#: What is checked: its name, of which methods, and how.
CHECKS: tuple[tuple[str, Callable[[Subject], bool], Callable[[Subject], None]], ...] = (
    ("the card", _any, _facts),
    ("the settings", _any, _settings),
    ("the card without PyTorch", _has_card_apart, _alone),
    ("making it", _any, _made),
    ("shapes and values", _any, _shapes),
    ("the same every time", _any, _deterministic),
    ("each image by itself", _any, _independent),
    ("frozen and text", _any, _given),
    ("the backbone stays", _any, _backbone_stays),
    ("refusals", _any, _refuses),
    ("training", _learns, _trains),
    ("checkpoints", _is_saved, _checkpoints),
)
