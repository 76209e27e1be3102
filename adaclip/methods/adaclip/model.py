"""AdaCLIP (Cao et al., ECCV 2024): prompts and projections around a frozen CLIP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adaclip.clip.architectures import FEATURE_BLOCKS, check_prompts
from adaclip.clip.backbone import Backbone
from adaclip.errors import UsageError
from adaclip.methods.adaclip.fusion import fuse
from adaclip.methods.adaclip.prompts import (
    DynamicPrompts,
    Projections,
    StaticPrompts,
    all_sentences,
    combine,
    sentences,
)
from adaclip.methods.adaclip.settings import ModelSettings
from adaclip.system.wording import counted

#: CLIP's temperature, fixed.
SCALE = 100.0


def _interpolation(grid: int, size: int) -> Tensor:
    """(size, grid): one axis of bilinear interpolation with aligned corners."""
    position = torch.linspace(0, grid - 1, size, dtype=torch.float64)
    distance = (position[:, None] - torch.arange(grid, dtype=torch.float64)).abs()
    return (1 - distance).clamp(min=0).float()


@dataclass(frozen=True)
class Prediction:
    """What the model says of a batch.

    Attributes:
        anomaly_map: P(abnormal) of every pixel before smoothing, (batch, S, S), in [0, 1].
        anomaly_score: P(abnormal) of the image, (batch,), in [0, 1].
    """

    anomaly_map: Tensor
    anomaly_score: Tensor


@dataclass(frozen=True)
class Output:
    """Everything between the images and the prediction.

    Attributes:
        text_features: (batch, E, 2), columns normal and abnormal, L2-normalised.
        block_tokens: for each feature block, (batch, L, W).
        patches: for each feature block the projected, normalised patch tokens, (batch, L, E).
        patch_logits: for each feature block, (batch, L, 2).
        image_embedding: after the last block, with prompts, before the projection, (batch, E).
        projected_embedding: projected and normalised, (batch, E).
        score: P(abnormal) of the image, (batch,).
    """

    text_features: Tensor
    block_tokens: list[Tensor]
    patches: list[Tensor]
    patch_logits: list[Tensor]
    image_embedding: Tensor
    projected_embedding: Tensor
    score: Tensor


class AdaCLIP(nn.Module):
    """The model of the paper's section 3.

    Args:
        backbone: a frozen CLIP.
        prompt_type: `S` static, `D` dynamic, `SD` both, `none`.
        prompt_branch: `V` vision tower, `L` text tower, `VL` both, `none`.
        prompt_depth: blocks that get prompts, J.
        prompt_length: prompt tokens of a block, M.
        fusion: use hybrid semantic fusion in the image score.
        clusters: K of the fusion.
        fusion_weight: weight of the clusters in the fusion.

    Raises:
        UsageError: an unknown type or branch, prompts deeper than a tower or longer than its context, or a number that
            cannot be.

    Example:
        >>> from adaclip.clip.backbone import load_backbone
        >>> model = AdaCLIP(load_backbone("tiny", image_size=56)).eval()
        >>> model.predict(torch.zeros(2, 3, 56, 56), ["bottle", "screw"]).anomaly_map.shape
        torch.Size([2, 56, 56])
    """

    def __init__(
        self,
        backbone: Backbone,
        prompt_type: Literal["S", "D", "SD", "none"] = "SD",
        prompt_branch: Literal["V", "L", "VL", "none"] = "VL",
        prompt_depth: int = 4,
        prompt_length: int = 5,
        fusion: bool = True,
        clusters: int = 20,
        fusion_weight: float = 0.2,
    ) -> None:
        super().__init__()
        if prompt_type not in ("S", "D", "SD", "none") or prompt_branch not in ("V", "L", "VL", "none"):
            raise UsageError(
                f"prompt type '{prompt_type}' on branch '{prompt_branch}': use S, D, SD or none on V, L, VL or none"
            )
        for number, value in (("depth", prompt_depth), ("length", prompt_length)):
            if value < 1:
                raise UsageError(f"prompt_{number} {value}: must be at least 1; prompt_type none has no prompts")
        if clusters < 1 or not 0 <= fusion_weight <= 1:
            raise UsageError(f"clusters {clusters}, fusion_weight {fusion_weight}: at least 1, and from 0 to 1")
        self.settings = ModelSettings(
            prompt_type, prompt_branch, prompt_depth, prompt_length, fusion, clusters, fusion_weight
        )
        # Not a submodule: its weights are not the model's to save or train.
        self._backbone = [backbone]
        active = "" if prompt_type == "none" else prompt_branch.replace("none", "")
        static, dynamic = "S" in prompt_type, "D" in prompt_type
        check_prompts(backbone.architecture, prompt_type, prompt_branch, prompt_depth, prompt_length)
        dim, width, text = backbone.embed_dim, backbone.vision_width, backbone.text_width
        vision, language = "V" in active, "L" in active
        self.visual_prompter = StaticPrompts(prompt_depth, prompt_length, width) if vision and static else None
        self.text_prompter = StaticPrompts(prompt_depth, prompt_length, text) if language and static else None
        self.dynamic_visual_prompt_generator = DynamicPrompts(prompt_length, dim, width) if vision and dynamic else None
        self.dynamic_text_prompt_generator = DynamicPrompts(prompt_length, dim, text) if language and dynamic else None
        self.patch_token_layer = Projections(FEATURE_BLOCKS, width, dim)
        self.cls_token_layer = Projections(1, dim, dim)
        self.interpolation: Tensor  # (S, g)
        matrix = _interpolation(backbone.grid, backbone.image_size)
        self.register_buffer("interpolation", matrix, persistent=False)
        self.to(backbone.device)

    @property
    def backbone(self) -> Backbone:
        """The frozen CLIP."""
        return self._backbone[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> AdaCLIP:
        """What `to`, `cuda` and `cpu` go through: the backbone comes along."""
        self.backbone._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call, no-any-return]

    @property
    def text_depends_on_image(self) -> bool:
        """Whether text features differ from image to image of one category."""
        return self.dynamic_text_prompt_generator is not None

    @property
    def uses_image_embedding(self) -> bool:
        """Whether the frozen image embedding is used at all (by dynamic prompts)."""
        return self.dynamic_visual_prompt_generator is not None or self.text_depends_on_image

    def check_words(self, categories: Iterable[str]) -> None:
        """Refuse class names whose sentences are longer than the text tower's context, before they are used.

        Raises:
            UsageError: naming the sentence.
        """
        self.backbone.tokenize(all_sentences(categories))

    def text_features(self, categories: Sequence[str], image_embedding: Tensor | None = None) -> Tensor:
        """Text features of the two states for each image.

        Args:
            categories: a class name for each image.
            image_embedding: frozen image embeddings (batch, E); needed only with dynamic text prompts.

        Returns:
            (batch, E, 2), columns normal and abnormal, L2-normalised.

        Raises:
            UsageError: the image embedding is needed and missing.
        """
        dynamic = None
        if self.dynamic_text_prompt_generator is not None:
            if image_embedding is None:
                raise UsageError("dynamic text prompts need the frozen image embedding: give image_embedding")
            dynamic = self.dynamic_text_prompt_generator(image_embedding)  # (batch, M, text width)
        depth = self.settings.prompt_depth
        prompts = combine(self.text_prompter, dynamic, depth)
        names = list(dict.fromkeys(categories))
        split = [sentences(name) for name in names]
        at_least = 1 + self.settings.prompt_length if prompts else 0
        tokens = self.backbone.tokenize([line for pair in split for state in pair for line in state], at_least)
        tokens = tokens.to(self.backbone.device).view(len(names), -1, tokens.shape[1])  # (names, 48, tokens)
        where = torch.tensor([names.index(name) for name in categories], device=tokens.device)
        if dynamic is None:
            features = self.backbone.encode_text(tokens.flatten(0, 1), prompts)
        else:
            tokens = tokens[where]  # (batch, 48, tokens)
            repeated = [level.repeat_interleave(tokens.shape[1], dim=0) for level in prompts]
            features = self.backbone.encode_text(tokens.flatten(0, 1), repeated)
        normals = len(split[0][0])
        features = F.normalize(features.float(), dim=-1).view(*tokens.shape[:2], -1)  # (names or batch, 48, E)
        states = torch.stack([features[:, :normals].mean(dim=1), features[:, normals:].mean(dim=1)], dim=-1)
        states = F.normalize(states, dim=1)  # (names or batch, E, 2)
        return states[where] if dynamic is None else states

    def forward(
        self,
        images: Tensor,
        categories: Sequence[str],
        image_embedding: Tensor | None = None,
        text_features: Tensor | None = None,
    ) -> Output:
        """Run the model.

        Args:
            images: (batch, 3, S, S), preprocessed.
            categories: a class name for each image.
            image_embedding: frozen image embeddings (batch, E), computed here when missing.
            text_features: (batch, E, 2) to use instead of computing them; only where they do not depend on the image.

        Raises:
            UsageError: images and categories differ in number, or images of another shape.
        """
        if len(images) != len(categories):
            raise UsageError(
                f"{counted(len(images), 'image')} but {counted(len(categories), 'category', 'categories')}: "
                "give one for each image"
            )
        if image_embedding is None and self.uses_image_embedding:
            image_embedding = self.backbone.encode_image(images)
        dynamic = None
        if self.dynamic_visual_prompt_generator is not None:
            dynamic = self.dynamic_visual_prompt_generator(image_embedding)  # (batch, M, W)
        prompts = combine(self.visual_prompter, dynamic, self.settings.prompt_depth)
        prompts = [level.expand(len(images), -1, -1) for level in prompts]
        block_tokens, embedding = self.backbone.encode_patches(images, prompts)
        if text_features is None:
            text_features = self.text_features(categories, image_embedding)
        patches = [tokens.float() for tokens in self.patch_token_layer(block_tokens)]
        [projected] = [x.float() for x in self.cls_token_layer([embedding])]
        with torch.autocast(images.device.type, enabled=False):
            text_features = text_features.float()
            patch_logits = [SCALE * tokens @ text_features for tokens in patches]  # (batch, L, 2)
            feature = projected
            if self.settings.fusion:
                weight = self.settings.fusion_weight
                fused = fuse(patches, patch_logits, self.settings.clusters)
                feature = F.normalize(weight * fused + (1 - weight) * projected, dim=-1)
            logits = SCALE * (feature[:, None] @ text_features)[:, 0]  # (batch, 2)
            score = logits.softmax(dim=-1)[:, 1]
        return Output(text_features, block_tokens, patches, patch_logits, embedding, projected, score)

    def anomaly_map(self, patch_logits: Sequence[Tensor]) -> Tensor:
        """P(abnormal) of every pixel from the mean of the given logits, (batch, L, 2) each -> (batch, S, S).

        Softmax over two states is the sigmoid of their difference, and interpolation is linear, so one map of
        differences is interpolated instead of all logits. Bilinear interpolation with aligned corners is a product
        with one matrix from each side, whose gradient is the same from run to run on a GPU too.
        """
        difference = torch.stack([logits[..., 1] - logits[..., 0] for logits in patch_logits]).mean(dim=0)
        grid = self.backbone.grid
        square = difference.reshape(-1, grid, grid)  # (batch, g, g)
        # Under autocast the products would be rounded to 8 bits of mantissa or 11, and the ranking of pixels with them.
        with torch.autocast(square.device.type, enabled=False):
            return (self.interpolation @ square @ self.interpolation.T).sigmoid()

    def training_maps(self, output: Output) -> list[Tensor]:
        """P(abnormal) of every pixel for each feature block by itself, (batch, S, S) each."""
        return [self.anomaly_map([logits]) for logits in output.patch_logits]

    @torch.no_grad()
    def predict(
        self,
        images: Tensor,
        categories: Sequence[str],
        image_embedding: Tensor | None = None,
        text_features: Tensor | None = None,
    ) -> Prediction:
        """Anomaly map and score of each image; the result of an image does not depend on the others in the batch.

        Args:
            images: (batch, 3, S, S), from `adaclip.preprocess`.
            categories: a class name for each image.
            image_embedding: as in `forward`.
            text_features: as in `forward`.
        """
        output = self(images.to(self.backbone.device), categories, image_embedding, text_features)
        return Prediction(self.anomaly_map(output.patch_logits), output.score)
