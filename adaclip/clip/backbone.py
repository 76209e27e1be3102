"""CLIP, frozen, with room for prompts: the only file that knows open_clip's insides.

A backbone is an open_clip `CLIP` with a ViT vision tower. The towers are run block by block so that AdaCLIP can put its
prompts between blocks (paper, section 3.2); without prompts they give what open_clip gives.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from open_clip.pretrained import get_pretrained_cfg
from torch import Tensor, nn

from adaclip.clip.architectures import (
    FEATURE_BLOCKS,
    Architecture,
    check_backbone,
    check_image_size,
    config_file,
    unsupported,
)
from adaclip.clip.settings import BackboneSettings, Preset
from adaclip.clip.text import too_long
from adaclip.errors import AdaclipError, UsageError
from adaclip.system.foreign import kind_of_checkpoint


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
        feature_blocks: the blocks, counted from 1, whose patch tokens are read.
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
        )
        check_image_size(self.architecture, settings.image_size)
        self.grid = settings.image_size // self.architecture.patch
        self._resize_positions(visual, antialias=settings.preset == "corrected")
        self.clip = clip
        self.vision_width = int(visual.conv1.out_channels)
        self.text_width = int(self.clip.token_embedding.weight.shape[1])
        self.embed_dim = int(visual.proj.shape[1])
        step = self.architecture.vision_blocks // FEATURE_BLOCKS
        self.feature_blocks = tuple(step * (i + 1) for i in range(FEATURE_BLOCKS))
        self._tokenizer = open_clip.SimpleTokenizer(context_length=int(self.clip.context_length))
        # Categories come again at every step, and byte-pair encoding is slow Python.
        self._tokens: dict[str, Tensor] = {}
        self.requires_grad_(False)
        self.eval()

    def _resize_positions(self, visual: Any, antialias: bool) -> None:
        """Bring the positional embedding (1 + native grid ** 2, W) to this grid, bicubically."""
        old = visual.positional_embedding.data
        side = round((old.shape[0] - 1) ** 0.5)
        if side != self.grid:
            square = old[1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
            square = F.interpolate(square, size=(self.grid, self.grid), mode="bicubic", antialias=antialias)
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

    @torch.no_grad()
    def encode_image(self, images: Tensor) -> Tensor:
        """The frozen image embedding f of the plain image (paper, section 3.2).

        Args:
            images: (batch, 3, S, S), preprocessed.

        Returns:
            (batch, E), not normalised.
        """
        return self.encode_patches(images, [])[1]

    def encode_patches(self, images: Tensor, prompts: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Run the vision tower with prompts.

        The prompts of level 0 are appended after the patches before block 0; those of level j replace them before
        block j; after the last level they are carried along. They get no positional embedding.

        Args:
            images: (batch, 3, S, S), preprocessed.
            prompts: one (batch, prompt length, W) for each level, or nothing.

        Returns:
            The patch tokens (batch, L, W) after each feature block, and the image embedding (batch, E), not normalised.

        Raises:
            UsageError: images of another shape.
        """
        self._check_size(images)
        visual = self.clip.visual
        length = prompts[0].shape[1] if prompts else 0
        x = visual._embeds(images)  # (batch, 1 + L, W)
        kept = []
        for index, block in enumerate(visual.transformer.resblocks):
            if index < len(prompts):
                words = x if index == 0 else x[:, :-length]
                x = torch.cat([words, prompts[index].to(x.dtype)], dim=1)  # (batch, 1 + L + length, W)
            x = block(x)
            if index + 1 in self.feature_blocks:
                kept.append(x[:, 1 : x.shape[1] - length])  # (batch, L, W)
        embedding = visual.ln_post(x[:, 0]) @ visual.proj  # (batch, E)
        return kept, embedding

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
        self._check_size(images)
        visual = self.clip.visual
        x = visual._embeds(images)  # (batch, 1 + L, W)
        for block in visual.transformer.resblocks:
            x = block(x)
        tokens: Tensor = visual.ln_post(x) @ visual.proj
        return tokens

    def _check_size(self, images: Tensor) -> None:
        if images.ndim != 4 or images.shape[1] != 3:
            raise UsageError(f"images are {tuple(images.shape)}: give them as (batch, 3, height, width)")
        if images.shape[-2:] != (self.image_size, self.image_size):
            raise UsageError(
                f"images are {images.shape[-2]} x {images.shape[-1]}, the backbone was made for "
                f"{self.image_size} x {self.image_size}: preprocess them with that size"
            )

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

    def encode_text(self, tokens: Tensor, prompts: Sequence[Tensor]) -> Tensor:
        """Run the text tower with prompts.

        Before block j >= 1 the positions 1 .. length are replaced by the prompts of level j; block 0 sees the words.

        Args:
            tokens: (n, tokens) from `tokenize`.
            prompts: one (n or 1, prompt length, text width) for each level, or nothing; level 0 is not used.

        Returns:
            (n, E), not normalised.
        """
        clip = self.clip
        count = tokens.shape[1]
        x = clip.token_embedding(tokens) + clip.positional_embedding[:count]  # (n, tokens, text width)
        mask = clip.attn_mask[:count, :count]
        for index, block in enumerate(clip.transformer.resblocks):
            if 0 < index < len(prompts):
                prompt = prompts[index].to(x.dtype).expand(len(x), -1, -1)
                x = torch.cat([x[:, :1], prompt, x[:, 1 + prompt.shape[1] :]], dim=1)
            x = block(x, attn_mask=mask)
        # Only the end-of-text position is read, so only it is normalised and projected.
        ends = x[torch.arange(len(x), device=x.device), tokens.argmax(dim=-1)]  # (n, text width)
        feature: Tensor = clip.ln_final(ends) @ clip.text_projection
        return feature


def load_backbone(
    model: str | Path,
    pretrained: str | Path | None = None,
    image_size: int = 518,
    preset: Preset = "reference",
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> Backbone:
    """Make a frozen CLIP for images of `image_size`.

    Args:
        model: an open_clip model name, `tiny` or `tiny14` (for tests and demo), or the path of a `*.json` model config.
        pretrained: an open_clip tag (`openai`), the path of a weight file, or None for random weights.
        image_size: side of the input in pixels, a multiple of the patch size.
        preset: `reference` computes as the published code does: plain GELU whatever the weights were trained with,
            positional embedding resized without antialiasing. `corrected` takes the activation of the tag (for a local
            file or random weights, the one that the model config names) and antialiases.
        seed: of the random weights.
        device: where to put it.

    Returns:
        The backbone, in evaluation mode, without gradients.

    Raises:
        UsageError: unknown model, tag, preset or device, or an unsupported architecture or size.
        AdaclipError: the weights cannot be downloaded or do not fit.

    Example:
        >>> backbone = load_backbone("tiny", image_size=56)  # the paper's: load_backbone("ViT-L-14-336", "openai")
        >>> backbone.encode_image(torch.zeros(1, 3, 56, 56)).shape
        torch.Size([1, 64])
    """
    weights = str(pretrained) if pretrained is not None else None
    settings = BackboneSettings(str(model), weights, image_size, preset, seed)
    return make_backbone(settings, device)


def make_backbone(settings: BackboneSettings, device: str | torch.device = "cpu") -> Backbone:
    """`load_backbone` from a settings object."""
    if settings.preset not in ("reference", "corrected"):
        raise UsageError(f"unknown preset '{settings.preset}': use reference or corrected")
    check_backbone(settings)
    name = _model_name(settings.model)
    quick_gelu = settings.preset == "corrected" and _trained_with_quick_gelu(name, settings.pretrained)
    # open_clip warns on the root logger about random weights, and about the activation that the preset chose.
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="QuickGELU mismatch")
            torch.manual_seed(settings.seed)
            clip = open_clip.create_model(name, pretrained=settings.pretrained, quick_gelu=quick_gelu)
    except Exception as error:  # a damaged weight file or a wrong config makes open_clip raise whatever comes first
        reason = _what_else(settings.pretrained) or reason_of(error)
        weights = f" with weights '{settings.pretrained}'" if settings.pretrained else ""
        raise AdaclipError(f"cannot make backbone {settings.model}{weights}: {reason}") from error
    finally:
        logging.disable(previous)
    backbone = Backbone(clip, settings)
    try:
        return backbone.to(device)
    except (RuntimeError, AssertionError) as error:  # how torch says that it has no such device
        raise UsageError(f"cannot use device '{device}': {reason_of(error)}") from error


def _what_else(pretrained: str | None) -> str:
    """What a file of weights is that is no such file, or ""; a download that failed is a web page."""
    if pretrained is None or not Path(pretrained).is_file():
        return ""
    try:
        kind_of_checkpoint(Path(pretrained))
    except AdaclipError as error:
        return "" if "TorchScript" in str(error) else str(error).replace("is not a checkpoint", "holds no weights")
    return ""


def reason_of(error: Exception) -> str:
    """One line on why weights could not be read; an unpickler's own words mostly say nothing, or to trust the file."""
    if isinstance(error, (pickle.UnpicklingError, LookupError, EOFError, StopIteration)):
        return "the file is damaged, or holds something other than tensors by name"
    return " ".join(str(error).split())[:300] or type(error).__name__


def _model_name(model: str) -> str:
    """The name under which open_clip knows the model; a config file is registered first."""
    if not model.endswith(".json") and model in open_clip.list_models():
        return model
    path = config_file(model)
    content = path.read_bytes()
    # A name of its own, so that a file called like a built-in model does not replace that one.
    name = f"{path.stem}-{hashlib.sha256(content).hexdigest()[:12]}"
    if name not in open_clip.list_models():
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / f"{name}.json"
            copy.write_bytes(content)
            open_clip.add_model_config(copy)
    return name


def _trained_with_quick_gelu(name: str, pretrained: str | None) -> bool:
    if pretrained is not None:
        tag: dict[str, Any] = get_pretrained_cfg(name, pretrained)
        if tag:
            return bool(tag.get("quick_gelu", False))
    config = open_clip.get_model_config(name) or {}
    return bool(config.get("quick_gelu", False))


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
