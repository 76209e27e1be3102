"""AnomalyCLIP (Zhou et al., ICLR 2024): one learned pair of prompts for every object, and V-V attention for the map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adaclip.clip.backbone import Backbone, Edit
from adaclip.methods.anomalyclip import released
from adaclip.methods.anomalyclip.card import CARD, check
from adaclip.methods.anomalyclip.paths import two_paths
from adaclip.methods.anomalyclip.sentences import sentences
from adaclip.methods.anomalyclip.settings import AnomalyCLIPSettings
from adaclip.methods.base import Method, Prediction
from adaclip.methods.interpolation import axis_matrix, enlarge
from adaclip.methods.losses import pixel_losses
from adaclip.methods.stages import Frozen, Shown, Stage, View
from adaclip.methods.training import TrainSettings

#: Cosines are divided by it, for images and for patches.
TEMPERATURE = 0.07
#: Weight of the losses of maps beside that of images.
PIXEL_WEIGHT = 4.0


class AnomalyCLIP(Method):
    """The model of the paper's section 3.

    Args:
        backbone: a frozen CLIP.
        prompt_length: learned words of each of the two prompts.
        deep_prompt_length: learned tokens that replace text tokens before a text block.
        deep_prompt_depth: they are put in before text blocks 2 to this one, as far as the tower has blocks; 1 is none.
        dpam_blocks: last vision blocks with V-V attention beside their own.
        feature_blocks: vision blocks, counted from 1, whose maps are added; none is the last block alone.
        half_deep_prompts: round those tokens to fp16.

    Raises:
        UsageError: blocks that the vision tower does not have, or prompts longer than the text tower's context.

    Example:
        >>> from adaclip.clip.load import load_backbone
        >>> model = AnomalyCLIP(load_backbone("tiny", image_size=56), dpam_blocks=6).eval()
        >>> model.predict(torch.zeros(2, 3, 56, 56), ["bottle", "screw"]).anomaly_map.shape
        torch.Size([2, 56, 56])
    """

    card = CARD

    def __init__(
        self,
        backbone: Backbone,
        prompt_length: int = 12,
        deep_prompt_length: int = 4,
        deep_prompt_depth: int = 9,
        dpam_blocks: int = 19,
        feature_blocks: Sequence[int] = (),
        half_deep_prompts: bool = True,
    ) -> None:
        settings = AnomalyCLIPSettings(
            prompt_length, deep_prompt_length, deep_prompt_depth, dpam_blocks, tuple(feature_blocks), half_deep_prompts
        )
        super().__init__(backbone, settings)
        check(backbone.architecture, settings)
        self.feature_blocks = settings.feature_blocks or (backbone.architecture.vision_blocks,)
        width = backbone.text_width
        # Names and shapes are those of the released files.
        self.ctx_pos = _drawn(1, 1, prompt_length, width)
        self.ctx_neg = _drawn(1, 1, prompt_length, width)
        deep = [_drawn(deep_prompt_length, width) for _ in range(deep_prompt_depth - 1)]
        self.compound_prompts_text = nn.ParameterList(deep)
        self.interpolation: Tensor  # (S, g)
        matrix = axis_matrix(backbone.grid, backbone.image_size, align_corners=False)
        self.register_buffer("interpolation", matrix, persistent=False)
        self.to(backbone.device)

    @property
    def map_range(self) -> tuple[float, float]:
        """From 0 to the number of feature blocks, whose probabilities are added."""
        return 0.0, float(len(self.feature_blocks))

    # Text.

    def prompt_words(self, tokens: Tensor) -> Tensor:
        """Embeddings of the two sentences with the learned words in place, without positions.

        Args:
            tokens: (2, tokens), of the normal and the abnormal sentence.

        Returns:
            (2, tokens, text width).
        """
        words = self.backbone.embed_words(tokens)
        learned = torch.cat([self.ctx_pos[0], self.ctx_neg[0]])  # (2, prompt length, text width)
        return torch.cat([words[:, :1], learned, words[:, 1 + learned.shape[1] :]], dim=1)

    def encode_prompts(self) -> Tensor:
        """Text features of the normal and the abnormal prompt, (2, E), not normalised (paper, section 3.2)."""
        length = self.settings.prompt_length
        tokens = self.backbone.tokenize(sentences(length), at_least=1 + self.settings.deep_prompt_length)
        tokens = tokens.to(self.backbone.device)
        before = {2 + index: self._replacing(prompt) for index, prompt in enumerate(self.compound_prompts_text)}
        return self.backbone.walk_text(self.prompt_words(tokens), tokens.argmax(dim=-1), before=before)

    def _replacing(self, prompt: Tensor) -> Edit:
        """Put a set of deep prompts (length, text width) in the place of the tokens behind the start token."""

        def edit(x: Tensor) -> Tensor:
            tokens = prompt.expand(len(x), -1, -1)
            if self.settings.half_deep_prompts:
                # The gradient of each sentence passes through fp16 by itself, before they are added.
                tokens = tokens.half()
            return torch.cat([x[:, :1], tokens.to(x.dtype), x[:, 1 + tokens.shape[1] :]], dim=1)

        return edit

    def text_features(self) -> Tensor:
        """`encode_prompts`, L2-normalised: (2, E), rows normal and abnormal, whatever the object."""
        return F.normalize(self.encode_prompts().float(), dim=-1)

    @torch.no_grad()
    def text(self, class_names: Sequence[str]) -> Tensor:
        """The two text features for each class name, which are the same for all: (names, 2, E)."""
        return self.text_features().expand(len(class_names), -1, -1)

    # Images.

    @torch.no_grad()
    def frozen(self, images: Tensor) -> Frozen:
        """What the vision tower says, which learns nothing; all of it L2-normalised.

        `image` (batch, E): CLIP's own class token after the last block, projected without CLIP's last layer norm, as
        the published code does. `patches<block>` (batch, L, E) for each feature block: of the path with V-V attention.
        """
        blocks, last = two_paths(self.backbone, images, self.settings.dpam_blocks, self.feature_blocks)
        found = {"image": self.backbone.project(last[:, 0], normalise=False)}
        for number in self.feature_blocks:
            found[f"patches{number}"] = self.backbone.project(blocks[number][:, 1:])
        return {name: F.normalize(value.float(), dim=-1) for name, value in found.items()}

    def _features(self, images: Tensor, frozen: Frozen | None) -> tuple[Tensor, list[Tensor]]:
        """Image feature and patches of each block: what is known already, or computed now."""
        known = {name: value.to(self.backbone.device) for name, value in (frozen or {}).items()}
        names = [f"patches{number}" for number in self.feature_blocks]
        if not known.keys() >= {"image", *names}:
            known = self.frozen(images.to(self.backbone.device)) | known
        return known["image"], [known[name] for name in names]

    def probabilities(self, patches: Tensor, text: Tensor) -> Tensor:
        """P(normal) and P(abnormal) of each patch.

        Args:
            patches: of a feature block, (batch, L, E), normalised.
            text: (2, E), or one for each image, (batch, 2, E).

        Returns:
            (batch, L, 2).
        """
        return (patches @ text.mT / TEMPERATURE).softmax(dim=-1)

    def block_map(self, patches: Tensor, text: Tensor) -> Tensor:
        """P(abnormal) of every pixel from one block, (batch, S, S); arguments as for `probabilities`.

        The softmax comes before the interpolation, so P(normal) of a pixel is 1 minus this.
        """
        grid = self.backbone.grid
        square = self.probabilities(patches, text)[..., 1].reshape(-1, grid, grid)
        return enlarge(square, self.interpolation)

    @torch.no_grad()
    def predict(
        self,
        images: Tensor,
        class_names: Sequence[str],
        frozen: Frozen | None = None,
        text: Tensor | None = None,
    ) -> Prediction:
        """The sum of the blocks' maps, in [0, K] for K feature blocks, and the score in [0, 1]; as `Method.predict`.

        The class names are not used.
        """
        self.check_batch(images, class_names)
        text = self.text_features() if text is None else text.to(self.backbone.device)
        image, blocks = self._features(images, frozen)
        with torch.autocast(image.device.type, enabled=False):
            text = text.float()
            score = self.probabilities(image[:, None], text)[:, 0, 1]
            maps = torch.stack([self.block_map(patches, text) for patches in blocks]).sum(dim=0)
            # Weights of the interpolation are rounded, and may add up to a hair more than 1.
            return Prediction(maps.clamp(*self.map_range), score)

    # Training.

    def stages(self, settings: TrainSettings) -> list[Stage]:
        """One stage: Adam on the learned words and tokens (paper, section 3.4)."""

        def loss(shown: Shown) -> dict[str, Tensor]:
            text = self.text_features()
            image, blocks = self._features(shown.images, shown.frozen)
            with torch.autocast(shown.images.device.type, enabled=False):
                maps = [self.block_map(patches, text) for patches in blocks]
                with_pixels = shown.has_pixels if settings.unmasked == "skip" else None
                focal, dice = pixel_losses(maps, shown.masks, with_pixels, "image")
                logits = image @ text.mT / TEMPERATURE  # (batch, 2)
                return {
                    "image": F.cross_entropy(logits, shown.labels.long()),
                    "focal": PIXEL_WEIGHT * focal,
                    "dice": PIXEL_WEIGHT * dice,
                }

        def optimiser(parameters: Iterable[Any]) -> torch.optim.Optimizer:
            return torch.optim.Adam(
                parameters, lr=settings.learning_rate, betas=settings.betas, weight_decay=settings.weight_decay
            )

        view = View(mosaic_probability=settings.mosaic_probability, mosaic_sets=settings.mosaic_sets)
        return [Stage(settings.epochs, settings.batch_size, list(self.parameters()), optimiser, loss, view=view)]

    # Files of the authors.

    def from_released(self, content: Any, path: Path) -> dict[str, Tensor]:
        """Parameters of the released layout: `{"prompt_learner": tensors by name}`."""
        released.check_copies(content, path, self.backbone)
        return released.read_learned(content, path)

    def to_released(self, state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
        """The released layout."""
        return released.write_learned(state, self.backbone)

    @classmethod
    def settings_of_released(cls, content: Any, path: Path) -> dict[str, Any]:
        """Lengths and depth of the prompts."""
        return released.settings_of(content, path)


def _drawn(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape) * 0.02)
