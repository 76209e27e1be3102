"""WinCLIP, zero-shot (Jeong et al., CVPR 2023): CLIP's own embeddings of the image and of many windows of it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from adaclip.clip.backbone import Backbone
from adaclip.methods.base import Method, Prediction
from adaclip.methods.ensembles import Ensemble
from adaclip.methods.stages import Frozen
from adaclip.methods.winclip.card import CARD, check
from adaclip.methods.winclip.sentences import sentences
from adaclip.methods.winclip.settings import WinCLIPSettings

#: Tokens of windows that go through the tower at once, so that its memory does not grow with grid and batch.
TOKENS_AT_ONCE = 16384
#: Below any probability at the usual temperature (4e-13); keeps reciprocals finite at a very small one.
LEAST = 1e-30


class WinCLIP(Method):
    """The zero-shot part of the paper; nothing is learned.

    Args:
        backbone: a frozen CLIP.
        scales: sides of the windows in patches; none for a constant map.
        temperature: what cosines are divided by.

    Raises:
        UsageError: a window larger than the grid, the same scale twice, or a number that cannot be.

    Example:
        >>> from adaclip.clip.load import load_backbone
        >>> model = WinCLIP(load_backbone("tiny", image_size=56))
        >>> model.predict(torch.zeros(2, 3, 56, 56), ["bottle", "screw"]).anomaly_map.shape
        torch.Size([2, 56, 56])
    """

    card = CARD

    def __init__(self, backbone: Backbone, scales: Sequence[int] = (2, 3), temperature: float = 0.07) -> None:
        settings = WinCLIPSettings(tuple(scales), temperature)
        super().__init__(backbone, settings)
        check(backbone.architecture, settings)
        self.ensemble = Ensemble(backbone, sentences, normalise_sentences=False)
        for scale in settings.scales:
            windows = windows_of(backbone.grid, scale)
            self.register_buffer(f"windows{scale}", windows, persistent=False)  # (n, k * k)
            cover = torch.zeros(len(windows), backbone.grid**2).scatter_(1, windows, 1.0)
            self.register_buffer(f"cover{scale}", cover, persistent=False)  # (n, L)
        self.to(backbone.device)

    def text(self, class_names: Sequence[str]) -> Tensor:
        """Text features (names, 2, E), normal and anomalous, L2-normalised."""
        return self.ensemble(class_names)

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
        if text is None:
            text = self.text(class_names)
        tokens = self.backbone.embed(images.to(self.backbone.device))  # (batch, 1 + L, W)
        score = self.anomalous(self.backbone.project(self.backbone.walk(tokens)[1][:, 0]), text)
        maps = [
            self.scale_map(self.anomalous(self.window_embeddings(tokens, scale), text), scale)
            for scale in self.settings.scales
        ]
        size = (self.backbone.image_size, self.backbone.image_size)
        grid_map = self.grid_map(score, maps)
        anomaly_map = F.interpolate(grid_map[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
        return Prediction(anomaly_map, score)

    def window_embeddings(self, tokens: Tensor, scale: int) -> Tensor:
        """What CLIP sees of each window alone: its tokens and the class token as a short sequence of their own.

        Args:
            tokens: (batch, 1 + L, W) from `Backbone.embed`: with the positions that they have in the image.
            scale: side k of the windows.

        Returns:
            (batch, n, E), windows row by row of their top left corners, not normalised.
        """
        windows: Tensor = self.get_buffer(f"windows{scale}")  # (n, k * k)
        # The class token is token 0 of every window.
        chosen = F.pad(windows + 1, (1, 0))  # (n, 1 + k * k)
        batch, (number, length), width = len(tokens), chosen.shape, tokens.shape[2]
        sequences = tokens[:, chosen].reshape(batch * number, length, width)
        most = max(1, TOKENS_AT_ONCE // length)
        parts = [sequences[start : start + most] for start in range(0, len(sequences), most)]
        embedded = [self.backbone.project(self.backbone.walk(part)[1][:, 0]) for part in parts]
        return torch.cat(embedded).reshape(batch, number, -1)

    def anomalous(self, embeddings: Tensor, text: Tensor) -> Tensor:
        """P(anomalous) of embeddings (batch, E) or (batch, n, E), given text (batch, 2, E): (batch,) or (batch, n)."""
        # In half precision a small probability would be 0, and the harmonic mean with it.
        with torch.autocast(embeddings.device.type, enabled=False):
            unit = F.normalize(embeddings.float(), dim=-1).reshape(len(embeddings), -1, embeddings.shape[-1])
            cosines = unit @ text.float().transpose(1, 2)  # (batch, n or 1, 2)
            probabilities: Tensor = (cosines / self.settings.temperature).softmax(dim=-1)
            return probabilities[..., 1].reshape(embeddings.shape[:-1])

    def scale_map(self, probabilities: Tensor, scale: int) -> Tensor:
        """At each patch the harmonic mean over the windows that contain it, (batch, n) -> (batch, g, g)."""
        cover: Tensor = self.get_buffer(f"cover{scale}")  # (n, L)
        with torch.autocast(cover.device.type, enabled=False):
            inverse = probabilities.clamp(min=LEAST).reciprocal() @ cover  # (batch, L)
            means = cover.sum(dim=0) / inverse
        return means.reshape(-1, self.backbone.grid, self.backbone.grid)

    def grid_map(self, score: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """The harmonic mean of the scales' maps (batch, g, g) and the image's score (batch,): (batch, g, g)."""
        everywhere = score[:, None, None].expand(-1, self.backbone.grid, self.backbone.grid)
        levels = torch.stack([everywhere, *maps])  # (1 + scales, batch, g, g)
        return len(levels) / levels.clamp(min=LEAST).reciprocal().sum(dim=0)


def windows_of(grid: int, scale: int) -> Tensor:
    """Patches of each window, without padding, one patch apart.

    Args:
        grid: patches along one side of the image.
        scale: patches along one side of a window.

    Returns:
        (n, scale * scale), int64: windows row by row of their top left corners, patches row by row, from 0.
    """
    patches = torch.arange(grid**2).reshape(grid, grid)
    return patches.unfold(0, scale, 1).unfold(1, scale, 1).reshape(-1, scale**2)
