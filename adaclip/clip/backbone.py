"""A frozen CLIP: both towers, walked block by block, so that methods can read and change what passes.

A backbone is an open_clip `CLIP` with a ViT vision tower. Walked without changes, the towers give what open_clip gives.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adaclip.clip.architectures import Architecture, check_image_size, unsupported
from adaclip.clip.settings import BackboneSettings, Positions
from adaclip.clip.text import too_long
from adaclip.errors import UsageError

#: What a method does to the tokens (batch, tokens, width) before or after a block; their number may change.
Edit = Callable[[Tensor], Tensor]
#: What a method puts in place of a block's attention: the block and its normalised input (batch, tokens, width).
Attention = Callable[[Any, Tensor], Tensor]


class Backbone(nn.Module):
    """A frozen CLIP at a given input size.

    Attributes:
        settings: how it was made; two backbones with equal settings compute the same.
        architecture: the sizes of its towers.
        image_size: side S of the square input in pixels.
        grid: patches along one side, g = S // patch; L = g * g patches.
        vision_width: width W of the vision tower.
        text_width: width of the text tower.
        embed_dim: width E of the joint embedding.
    """

    def __init__(self, clip: Any, settings: BackboneSettings) -> None:
        super().__init__()
        _check_architecture(clip, settings.model)
        self.settings = settings
        self.image_size = settings.image_size
        visual = clip.visual
        self.architecture = Architecture(
            settings.model,
            patch=int(visual.patch_size[0]),
            vision_blocks=len(visual.transformer.resblocks),
            text_blocks=len(clip.transformer.resblocks),
            context=int(clip.context_length),
            image_size=int(visual.image_size[0]),
            input_size=settings.image_size,
        )
        check_image_size(self.architecture, settings.image_size)
        self.grid = settings.image_size // self.architecture.patch
        self._resize_positions(visual, settings.positions or "bicubic")
        self.clip = clip
        self.vision_width = int(visual.conv1.out_channels)
        self.text_width = int(self.clip.token_embedding.weight.shape[1])
        self.embed_dim = int(visual.proj.shape[1])
        self._tokenizer = open_clip.SimpleTokenizer(context_length=int(self.clip.context_length))
        # Categories come again at every step, and byte-pair encoding is slow Python.
        self._tokens: dict[str, Tensor] = {}
        self.requires_grad_(False)
        self.eval()

    def _resize_positions(self, visual: Any, how: Positions) -> None:
        """Bring the positional embedding (1 + native grid ** 2, W) to this grid; the class position is kept."""
        old = visual.positional_embedding.data
        side = round((old.shape[0] - 1) ** 0.5)
        if side != self.grid:
            square = old[1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
            mode, antialias = how.partition("_")[0], how == "bicubic_antialias"
            square = F.interpolate(square, size=(self.grid, self.grid), mode=mode, antialias=antialias)
            patches = square.permute(0, 2, 3, 1).reshape(self.grid * self.grid, -1)
            visual.positional_embedding = nn.Parameter(torch.cat([old[:1], patches]), requires_grad=False)
        visual.image_size = (self.image_size, self.image_size)
        visual.grid_size = (self.grid, self.grid)

    def train(self, mode: bool = True) -> Backbone:
        """Stay in evaluation mode: a frozen backbone has nothing to train."""
        return super().train(False)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device = self.clip.visual.proj.device
        assert isinstance(device, torch.device)
        return device

    # The vision tower.

    def embed(self, images: Tensor) -> Tensor:
        """Class token and patches with their positions, before the first layer norm.

        Args:
            images: (batch, 3, S, S), preprocessed.

        Returns:
            (batch, 1 + L, W), the class token first, patches row by row.

        Raises:
            UsageError: images of another shape.
        """
        self._check_size(images)
        visual = self.clip.visual
        patches = visual.conv1(images).flatten(2).transpose(1, 2)  # (batch, L, W)
        first = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        tokens: Tensor = torch.cat([first, patches], dim=1) + visual.positional_embedding.to(patches.dtype)
        return tokens

    def walk(
        self,
        tokens: Tensor,
        *,
        read: Collection[int] = (),
        before: Mapping[int, Edit] | None = None,
        after: Mapping[int, Edit] | None = None,
        attention: Mapping[int, Attention] | None = None,
    ) -> tuple[dict[int, Tensor], Tensor]:
        """Take tokens through `ln_pre` and all blocks of the vision tower; blocks count from 1.

        Args:
            tokens: (batch, tokens, W) from `embed`, or some of them: what is left out is attended by nothing.
            read: blocks after which the tokens are kept (after `after`).
            before: changes before a block; one that only looks returns what it was given.
            after: changes after a block.
            attention: in place of a block's own attention; residuals and MLP stay.

        Returns:
            What was read, by block, and the tokens after the last block.
        """
        visual = self.clip.visual
        before, after, attention = before or {}, after or {}, attention or {}
        x = visual.ln_pre(tokens)
        kept: dict[int, Tensor] = {}
        for number, block in enumerate(visual.transformer.resblocks, start=1):
            if number in before:
                x = before[number](x)
            if number in attention:
                x = x + block.ls_1(attention[number](block, block.ln_1(x)))
                x = x + block.ls_2(block.mlp(block.ln_2(x)))
            else:
                x = block(x)
            if number in after:
                x = after[number](x)
            if number in read:
                kept[number] = x
        return kept, x

    def vision_block(self, number: int) -> Any:
        """A block of the vision tower, counted from 1: `ln_1`, `attn`, `ln_2`, `mlp`."""
        return self.clip.visual.transformer.resblocks[number - 1]

    def project(self, tokens: Tensor, normalise: bool = True) -> Tensor:
        """Tokens (..., W) of the vision tower in the joint embedding (..., E), through `ln_post` unless told not to."""
        visual = self.clip.visual
        projected: Tensor = (visual.ln_post(tokens) if normalise else tokens) @ visual.proj
        return projected

    def normalise_last(self, tokens: Tensor) -> Tensor:
        """`ln_post` of the vision tower, (..., W) -> (..., W)."""
        normalised: Tensor = self.clip.visual.ln_post(tokens)
        return normalised

    @torch.no_grad()
    def encode_image(self, images: Tensor) -> Tensor:
        """The frozen image embedding of the plain image, (batch, 3, S, S) -> (batch, E), not normalised."""
        return self.project(self.walk(self.embed(images))[1][:, 0])

    @torch.no_grad()
    def encode_tokens(self, images: Tensor) -> Tensor:
        """All tokens of the plain image in the joint embedding: what `encode_image` does to the class token alone.

        Args:
            images: (batch, 3, S, S), preprocessed.

        Returns:
            (batch, 1 + L, E), the class token first, not normalised.

        Raises:
            UsageError: images of another shape.
        """
        return self.project(self.walk(self.embed(images))[1])

    def _check_size(self, images: Tensor) -> None:
        if images.ndim != 4 or images.shape[1] != 3:
            raise UsageError(f"images are {tuple(images.shape)}: give them as (batch, 3, height, width)")
        if images.shape[-2:] != (self.image_size, self.image_size):
            raise UsageError(
                f"images are {images.shape[-2]} x {images.shape[-1]}, the backbone was made for "
                f"{self.image_size} x {self.image_size}: preprocess them with that size"
            )

    # The text tower.

    def tokenize(self, sentences: Sequence[str], at_least: int = 0) -> Tensor:
        """Byte-pair tokens, cut after the last end-of-text token of all sentences.

        The text tower is causal, so nothing behind the end-of-text token reaches the feature: the cut is exact.

        Args:
            sentences: n sentences.
            at_least: keep at least so many positions (prompts may need them).

        Returns:
            (n, tokens), int64.

        Raises:
            UsageError: a sentence has more tokens than the text tower's context, so that its end would be cut.
        """
        new = [sentence for sentence in dict.fromkeys(sentences) if sentence not in self._tokens]
        if new:
            encoded = self._tokenizer(new)
            for sentence, full in zip(new, (encoded[:, -1] != 0).tolist(), strict=True):
                count = len(self._tokenizer.encode(sentence)) + 2 if full else 0
                if count > encoded.shape[1]:
                    raise UsageError(too_long("text prompt", sentence, count, self.settings.model, encoded.shape[1]))
            self._tokens.update(zip(new, encoded, strict=True))
        tokens = torch.stack([self._tokens[sentence] for sentence in sentences])
        longest = int(tokens.argmax(dim=-1).max()) + 1
        return tokens[:, : min(max(longest, at_least), tokens.shape[1])]

    def embed_words(self, tokens: Tensor) -> Tensor:
        """Word embeddings without positions, (n, tokens) -> (n, tokens, text width)."""
        embedded: Tensor = self.clip.token_embedding(tokens)
        return embedded

    def walk_text(
        self,
        words: Tensor,
        ends: Tensor,
        *,
        before: Mapping[int, Edit] | None = None,
        after: Mapping[int, Edit] | None = None,
        project: bool = True,
    ) -> Tensor:
        """Take word embeddings through the causal text tower; blocks count from 1.

        Args:
            words: (n, tokens, text width), without positions: from `embed_words`, with what a method puts in front of,
                in place of or among them.
            ends: (n,), the position to read, which is that of the end-of-text token, shifted by what was put in.
            before: changes before a block.
            after: changes after a block.
            project: take the feature through CLIP's own projection.

        Returns:
            (n, E), not normalised; (n, text width) without the projection.

        Raises:
            UsageError: more tokens than the tower's context.
        """
        clip, count = self.clip, words.shape[1]
        before, after = before or {}, after or {}
        if count > self.architecture.context:
            raise UsageError(
                f"{count} text tokens with prompts, but {self.settings.model} takes {self.architecture.context}: "
                "use a shorter prompt, or shorter words"
            )
        x = words + clip.positional_embedding[:count]
        mask = clip.attn_mask[:count, :count]
        for number, block in enumerate(clip.transformer.resblocks, start=1):
            if number in before:
                x = before[number](x)
            x = block(x, attn_mask=mask)
            if number in after:
                x = after[number](x)
        # Only one position is read, so only it is normalised and projected.
        feature: Tensor = clip.ln_final(x[torch.arange(len(x), device=x.device), ends])
        return feature @ clip.text_projection if project else feature

    def encode_text(self, tokens: Tensor, before: Mapping[int, Edit] | None = None) -> Tensor:
        """Text features of tokens (n, tokens) from `tokenize`: (n, E), not normalised; `before` as in `walk_text`."""
        return self.walk_text(self.embed_words(tokens), tokens.argmax(dim=-1), before=before)


def _check_architecture(clip: Any, model: str) -> None:
    visual = clip.visual
    plain = (
        isinstance(clip, open_clip.CLIP)
        and isinstance(visual, open_clip.transformer.VisionTransformer)
        and visual.attn_pool is None
        and visual.pool_type == "tok"
        and not visual.final_ln_after_pool
        and isinstance(visual.proj, nn.Parameter)
        and clip.attn_mask is not None
        and clip.text_pool_type == "argmax"
        and isinstance(clip.text_projection, nn.Parameter)
    )
    if not plain:
        raise UsageError(unsupported(model))
