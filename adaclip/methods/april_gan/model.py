"""APRIL-GAN, zero-shot (Chen, Han and Zhang, VAND 2023): linear layers that bring raw patches to CLIP's text."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adaclip.clip.backbone import Backbone
from adaclip.errors import AdaclipError
from adaclip.methods.april_gan.card import CARD, blocks_read
from adaclip.methods.april_gan.sentences import sentences
from adaclip.methods.april_gan.settings import AprilGANSettings, AprilGANTraining
from adaclip.methods.base import Method, Prediction
from adaclip.methods.ensembles import Ensemble
from adaclip.methods.interpolation import axis_matrix, enlarge
from adaclip.methods.losses import dice_loss, focal_loss
from adaclip.methods.released import named_tensors
from adaclip.methods.stages import Frozen, Shown, Stage, View
from adaclip.methods.training import TrainSettings
from adaclip.system.foreign import other_model
from adaclip.system.wording import counted

#: What the released layout calls the learned layers.
RELEASED = "trainable_linearlayer"
#: CLIP's temperature, fixed.
SCALE = 100.0


@dataclass(frozen=True)
class Output:
    """Everything between the frozen features and the prediction; blocks in order of depth.

    Attributes:
        text_features: (batch, E, 2), columns normal and abnormal, L2-normalised.
        patches: for each feature block the projected, normalised patch tokens, (batch, L, E).
        patch_logits: for each feature block, (batch, L, 2).
        maps: P(abnormal) of every pixel for each feature block, (batch, blocks, S, S).
    """

    text_features: Tensor
    patches: list[Tensor]
    patch_logits: list[Tensor]
    maps: Tensor


class AprilGAN(Method):
    """The zero-shot variant; there is no generator and no adversarial loss, despite the name.

    Args:
        backbone: a frozen CLIP.
        feature_blocks: blocks of the vision tower that are read, counted from 1; None for the last of each quarter.

    Raises:
        UsageError: blocks that the tower does not have.

    Example:
        >>> from adaclip.clip.load import load_backbone
        >>> model = AprilGAN(load_backbone("tiny", image_size=56)).eval()
        >>> model.predict(torch.zeros(2, 3, 56, 56), ["bottle", "screw"]).anomaly_map.shape
        torch.Size([2, 56, 56])
    """

    card = CARD

    def __init__(self, backbone: Backbone, feature_blocks: Sequence[int] | None = None) -> None:
        settings = AprilGANSettings(None if feature_blocks is None else tuple(feature_blocks))
        super().__init__(backbone, settings)
        self.feature_blocks = blocks_read(backbone.architecture, settings)
        self.fc = nn.ModuleList(nn.Linear(backbone.vision_width, backbone.embed_dim) for _ in self.feature_blocks)
        self.interpolation: Tensor  # (S, g)
        matrix = axis_matrix(backbone.grid, backbone.image_size)
        self.register_buffer("interpolation", matrix, persistent=False)
        self._ensemble = Ensemble(backbone, sentences, normalise_sentences=True)
        self.to(backbone.device)

    @property
    def map_range(self) -> tuple[float, float]:
        """A map is a sum over the feature blocks, of which each gives a probability."""
        return (0.0, float(len(self.feature_blocks)))

    # What is frozen.

    def text(self, class_names: Sequence[str]) -> Tensor:
        """Text features (names, E, 2), columns normal and abnormal, L2-normalised; kept by class name."""
        return self._ensemble(class_names).mT

    @torch.no_grad()
    def frozen(self, images: Tensor) -> Frozen:
        """`block6` (batch, L, W) and so on, the raw patch tokens after each feature block, and `embedding` (batch, E).

        Neither the tower's last layer norm nor its projection is applied to the patches.
        """
        kept, last = self.backbone.walk(self.backbone.embed(images), read=self.feature_blocks)
        blocks = {f"block{number}": tokens[:, 1:] for number, tokens in kept.items()}
        return {**blocks, "embedding": self.backbone.project(last[:, 0])}

    def _complete(self, images: Tensor, known: Frozen | None, wanted: Sequence[str]) -> Frozen:
        """Frozen features of which some are known; one walk gives all that are not."""
        known = known or {}
        return known if all(name in known for name in wanted) else {**self.frozen(images), **known}

    @property
    def _block_names(self) -> list[str]:
        return [f"block{number}" for number in self.feature_blocks]

    # What is learned.

    def forward(self, blocks: Sequence[Tensor], text_features: Tensor) -> Output:
        """From the patches of the feature blocks to their maps, in fp32 whatever the precision of the tower.

        Args:
            blocks: for each feature block the raw patch tokens, (batch, L, W).
            text_features: (batch, E, 2).
        """
        grid = self.backbone.grid
        with torch.autocast(text_features.device.type, enabled=False):
            text = text_features.float()
            layers = zip(self.fc, blocks, strict=True)
            patches = [F.normalize(layer(tokens.float()), dim=-1) for layer, tokens in layers]  # (batch, L, E)
            logits = [SCALE * tokens @ text for tokens in patches]  # (batch, L, 2)
            # The softmax over two states is the sigmoid of their difference, and interpolation is linear.
            difference = torch.stack([block[..., 1] - block[..., 0] for block in logits], dim=1)
            square = difference.reshape(*difference.shape[:2], grid, grid)  # (batch, blocks, g, g)
            maps = enlarge(square, self.interpolation).sigmoid()
        return Output(text, patches, logits, maps)

    @torch.no_grad()
    def predict(
        self,
        images: Tensor,
        class_names: Sequence[str],
        frozen: Frozen | None = None,
        text: Tensor | None = None,
    ) -> Prediction:
        """The sum of the blocks' maps, in [0, blocks], and a score that nothing learned has a part in, in [0, 1]."""
        self.check_batch(images, class_names)
        images = images.to(self.backbone.device)
        features = self._complete(images, frozen, [*self._block_names, "embedding"])
        output = self([features[name] for name in self._block_names], self.text(class_names) if text is None else text)
        return Prediction(output.maps.sum(dim=1), self.score(features["embedding"], output.text_features))

    def score(self, embedding: Tensor, text_features: Tensor) -> Tensor:
        """P(abnormal) of the image, (batch,).

        Args:
            embedding: of the image, (batch, E).
            text_features: (batch, E, 2).
        """
        with torch.autocast(embedding.device.type, enabled=False):
            image = F.normalize(embedding.float(), dim=-1)
            logits = SCALE * (image[:, None] @ text_features.float())[:, 0]  # (batch, 2)
            return logits.softmax(dim=-1)[:, 1]

    def pixel_losses(self, maps: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Focal and Dice loss of each feature block.

        Args:
            maps: (batch, blocks, S, S).
            masks: (batch, S, S), 0 or 1.

        Returns:
            Both (blocks,).
        """
        focal = torch.stack([focal_loss(block, masks) for block in maps.unbind(dim=1)])
        dice = torch.stack([dice_loss(block, masks, over="image") for block in maps.unbind(dim=1)])
        return focal, dice

    def stages(self, settings: TrainSettings) -> list[Stage]:
        """One stage: Adam on the linear layers, focal and Dice loss of every block's own map, no loss of the image."""
        assert isinstance(settings, AprilGANTraining)

        def loss(shown: Shown) -> dict[str, Tensor]:
            features = self._complete(shown.images, shown.frozen, self._block_names)
            output = self([features[name] for name in self._block_names], self.text(shown.class_names))
            maps, masks = output.maps, shown.masks
            if settings.unmasked == "skip":
                maps, masks = maps[shown.has_pixels], masks[shown.has_pixels]
            if not len(masks):
                # The sum over nothing is a zero that has a gradient.
                return {"focal": maps.sum(), "dice": maps.sum()}
            with torch.autocast(maps.device.type, enabled=False):
                focal, dice = self.pixel_losses(maps, masks)
            return {"focal": focal.sum(), "dice": dice.sum()}

        def optimiser(parameters: Iterable[Any]) -> torch.optim.Optimizer:
            return torch.optim.Adam(
                parameters, lr=settings.learning_rate, betas=settings.betas, weight_decay=settings.weight_decay
            )

        view = View(
            mask="bilinear",
            mosaic_probability=settings.mosaic_probability,
            mosaic_sets=settings.mosaic_sets,
            mosaic="replaces",
        )
        return [Stage(settings.epochs, settings.batch_size, list(self.fc.parameters()), optimiser, loss, view=view)]

    # Files of the authors.

    def from_released(self, content: Any, path: Path) -> dict[str, Tensor]:
        """Parameters `fc.0.weight`, `fc.0.bias` and so on from `{"trainable_linearlayer": {...}}`.

        Raises:
            AdaclipError: another layout, or layers for another number of feature blocks.
        """
        state = _released(content, path)
        layers = len({name.split(".")[1] for name in state})
        if layers != len(self.fc):
            raise AdaclipError(
                f"{path} has {counted(layers, 'linear layer')}, but {counted(len(self.fc), 'feature block')} "
                f"({', '.join(map(str, self.feature_blocks))}) are read: give feature_blocks as they were in training"
            )
        return state

    def to_released(self, state: Mapping[str, Tensor]) -> dict[str, OrderedDict[str, Tensor]]:
        """The released layout."""
        return {RELEASED: OrderedDict(state)}

    @classmethod
    def settings_of_released(cls, content: Any, path: Path) -> dict[str, Any]:
        """Nothing: a file says how many feature blocks there are, which `from_released` compares, but not which.

        Raises:
            AdaclipError: another method's file.
        """
        _released(content, path)
        return {}


def _released(content: Any, path: Path) -> dict[str, Tensor]:
    """The learned layers of a released file, by name.

    Raises:
        AdaclipError: the file has another layout.
    """
    if not isinstance(content, Mapping) or RELEASED not in content:
        mapping = isinstance(content, Mapping)
        held = other_model([str(key) for key in content]) if mapping else "it holds no tensors by name"
        raise AdaclipError(f"{path} is not in APRIL-GAN's released layout, which holds a {RELEASED}: {held}")
    return named_tensors(content[RELEASED], path, "fc.")
