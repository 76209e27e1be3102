"""AdaCLIP (Cao et al., ECCV 2024): prompts and projections around a frozen CLIP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from adaclip.clip.backbone import Backbone, Edit
from adaclip.errors import UsageError
from adaclip.methods.adaclip.card import CARD, check, check_training
from adaclip.methods.adaclip.fusion import fuse
from adaclip.methods.adaclip.prompts import DynamicPrompts, Projections, StaticPrompts, combine
from adaclip.methods.adaclip.sentences import sentences
from adaclip.methods.adaclip.settings import AdaCLIPSettings, AdaCLIPTraining
from adaclip.methods.base import Method, Prediction
from adaclip.methods.blocks import FEATURE_BLOCKS, quarters
from adaclip.methods.interpolation import axis_matrix, enlarge
from adaclip.methods.losses import training_loss
from adaclip.methods.released import named_tensors
from adaclip.methods.stages import Frozen, Shown, Stage, View
from adaclip.methods.training import TrainSettings

#: Prefix of every key of the released layout.
PREFIX = "clip_model."
#: CLIP's temperature, fixed.
SCALE = 100.0


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


class AdaCLIP(Method):
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
        >>> from adaclip.clip.load import load_backbone
        >>> model = AdaCLIP(load_backbone("tiny", image_size=56)).eval()
        >>> model.predict(torch.zeros(2, 3, 56, 56), ["bottle", "screw"]).anomaly_map.shape
        torch.Size([2, 56, 56])
    """

    card = CARD

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
        if prompt_type not in ("S", "D", "SD", "none") or prompt_branch not in ("V", "L", "VL", "none"):
            raise UsageError(
                f"prompt type '{prompt_type}' on branch '{prompt_branch}': use S, D, SD or none on V, L, VL or none"
            )
        for number, value in (("depth", prompt_depth), ("length", prompt_length)):
            if value < 1:
                raise UsageError(f"prompt_{number} {value}: must be at least 1; prompt_type none has no prompts")
        if clusters < 1 or not 0 <= fusion_weight <= 1:
            raise UsageError(f"clusters {clusters}, fusion_weight {fusion_weight}: at least 1, and from 0 to 1")
        settings = AdaCLIPSettings(
            prompt_type, prompt_branch, prompt_depth, prompt_length, fusion, clusters, fusion_weight
        )
        super().__init__(backbone, settings)
        check(backbone.architecture, settings)
        self.feature_blocks = quarters(backbone.architecture)
        active = "" if prompt_type == "none" else prompt_branch.replace("none", "")
        static, dynamic = "S" in prompt_type, "D" in prompt_type
        dim, width, text = backbone.embed_dim, backbone.vision_width, backbone.text_width
        vision, language = "V" in active, "L" in active
        self.visual_prompter = StaticPrompts(prompt_depth, prompt_length, width) if vision and static else None
        self.text_prompter = StaticPrompts(prompt_depth, prompt_length, text) if language and static else None
        self.dynamic_visual_prompt_generator = DynamicPrompts(prompt_length, dim, width) if vision and dynamic else None
        self.dynamic_text_prompt_generator = DynamicPrompts(prompt_length, dim, text) if language and dynamic else None
        self.patch_token_layer = Projections(FEATURE_BLOCKS, width, dim)
        self.cls_token_layer = Projections(1, dim, dim)
        self.interpolation: Tensor  # (S, g)
        matrix = axis_matrix(backbone.grid, backbone.image_size)
        self.register_buffer("interpolation", matrix, persistent=False)
        self.to(backbone.device)

    @property
    def text_depends_on_image(self) -> bool:
        """Whether text features differ from image to image of one category."""
        return self.dynamic_text_prompt_generator is not None

    @property
    def uses_image_embedding(self) -> bool:
        """Whether the frozen image embedding is used at all (by dynamic prompts)."""
        return self.dynamic_visual_prompt_generator is not None or self.text_depends_on_image

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
            features = self.backbone.encode_text(tokens.flatten(0, 1), _in_text(prompts))
        else:
            tokens = tokens[where]  # (batch, 48, tokens)
            repeated = [level.repeat_interleave(tokens.shape[1], dim=0) for level in prompts]
            features = self.backbone.encode_text(tokens.flatten(0, 1), _in_text(repeated))
        normals = len(split[0][0])
        features = F.normalize(features.float(), dim=-1).view(*tokens.shape[:2], -1)  # (names or batch, 48, E)
        states = torch.stack([features[:, :normals].mean(dim=1), features[:, normals:].mean(dim=1)], dim=-1)
        states = F.normalize(states, dim=1)  # (names or batch, E, 2)
        return states[where] if dynamic is None else states

    def encode_patches(self, images: Tensor, prompts: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Run the vision tower with prompts.

        The prompts of level 0 are appended after the patches before the first block; those of level j replace them
        before block j + 1; after the last level they are carried along. They get no positional embedding.

        Args:
            images: (batch, 3, S, S), preprocessed.
            prompts: one (batch, prompt length, W) for each level, or nothing.

        Returns:
            The patch tokens (batch, L, W) after each feature block, and the image embedding (batch, E), not normalised.

        Raises:
            UsageError: images of another shape.
        """
        patches = self.backbone.grid**2

        def appended(prompt: Tensor) -> Edit:
            return lambda x: torch.cat([x[:, : 1 + patches], prompt.to(x.dtype)], dim=1)

        kept, last = self.backbone.walk(
            self.backbone.embed(images),
            read=self.feature_blocks,
            before={level + 1: appended(prompt) for level, prompt in enumerate(prompts)},
        )
        blocks = [kept[number][:, 1 : 1 + patches] for number in self.feature_blocks]  # (batch, L, W)
        return blocks, self.backbone.project(last[:, 0])

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
        self.check_batch(images, categories)
        if image_embedding is None and self.uses_image_embedding:
            image_embedding = self.backbone.encode_image(images)
        dynamic = None
        if self.dynamic_visual_prompt_generator is not None:
            dynamic = self.dynamic_visual_prompt_generator(image_embedding)  # (batch, M, W)
        prompts = combine(self.visual_prompter, dynamic, self.settings.prompt_depth)
        prompts = [level.expand(len(images), -1, -1) for level in prompts]
        block_tokens, embedding = self.encode_patches(images, prompts)
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
        differences is interpolated instead of all logits.
        """
        difference = torch.stack([logits[..., 1] - logits[..., 0] for logits in patch_logits]).mean(dim=0)
        grid = self.backbone.grid
        square = difference.reshape(-1, grid, grid)  # (batch, g, g)
        return enlarge(square, self.interpolation).sigmoid()

    def training_maps(self, output: Output) -> list[Tensor]:
        """P(abnormal) of every pixel for each feature block by itself, (batch, S, S) each."""
        return [self.anomaly_map([logits]) for logits in output.patch_logits]

    def text(self, class_names: Sequence[str]) -> Tensor | None:
        """Text features (names, E, 2), columns normal and abnormal; None with dynamic text prompts."""
        return None if self.text_depends_on_image else self.text_features(class_names)

    @torch.no_grad()
    def frozen(self, images: Tensor) -> Frozen:
        """`embedding` (batch, E), the frozen image embedding, where dynamic prompts use it."""
        return {"embedding": self.backbone.encode_image(images)} if self.uses_image_embedding else {}

    @torch.no_grad()
    def predict(
        self,
        images: Tensor,
        class_names: Sequence[str],
        frozen: Frozen | None = None,
        text: Tensor | None = None,
    ) -> Prediction:
        """Anomaly map and score of each image, both in [0, 1]; as `Method.predict`."""
        self.check_batch(images, class_names)
        images = images.to(self.backbone.device)
        output = self(images, class_names, (frozen or {}).get("embedding"), text)
        return Prediction(self.anomaly_map(output.patch_logits), output.score)

    def stages(self, settings: TrainSettings) -> list[Stage]:
        """One stage: AdamW on prompts and projections (paper, section 3.4)."""
        assert isinstance(settings, AdaCLIPTraining)
        check_training(self.settings, settings)
        if settings.freeze_projections:
            self.patch_token_layer.requires_grad_(False)
            self.cls_token_layer.requires_grad_(False)
        learned = [parameter for parameter in self.parameters() if parameter.requires_grad]

        def loss(shown: Shown) -> dict[str, Tensor]:
            output = self(shown.images, shown.class_names, shown.frozen.get("embedding"))
            with torch.autocast(shown.images.device.type, enabled=False):
                parts = training_loss(
                    output.score,
                    self.training_maps(output),
                    shown.labels,
                    shown.masks,
                    shown.has_pixels if settings.unmasked == "skip" else None,
                    settings.dice,
                )
            return {"image": parts.image, "focal": parts.focal, "dice": parts.dice}

        def optimiser(parameters: Iterable[Any]) -> torch.optim.Optimizer:
            return torch.optim.AdamW(
                parameters, lr=settings.learning_rate, betas=settings.betas, weight_decay=settings.weight_decay
            )

        view = View(mosaic_probability=settings.mosaic_probability, mosaic_sets=settings.mosaic_sets)
        return [Stage(settings.epochs, settings.batch_size, learned, optimiser, loss, view=view)]

    def from_released(self, content: Any, path: Path) -> dict[str, Tensor]:
        """Parameters of the released layout: a flat dict whose keys start with `clip_model.`."""
        state = named_tensors(content, path, PREFIX)
        return {key.removeprefix(PREFIX): value for key, value in state.items()}

    def to_released(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The released layout."""
        return {PREFIX + key: value for key, value in state.items()}


def _in_text(prompts: Sequence[Tensor]) -> dict[int, Edit]:
    """Edits of the text tower: before block j + 1 >= 2 the positions 1 .. length are replaced by level j's prompt."""

    def replaced(level: Tensor) -> Edit:
        def edit(x: Tensor) -> Tensor:
            prompt = level.to(x.dtype).expand(len(x), -1, -1)
            return torch.cat([x[:, :1], prompt, x[:, 1 + prompt.shape[1] :]], dim=1)

        return edit

    return {level + 1: replaced(prompt) for level, prompt in enumerate(prompts) if level > 0}
