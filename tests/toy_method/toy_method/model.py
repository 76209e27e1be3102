"""The method: one linear layer tells anomalous patches from normal ones."""

import torch
import torch.nn.functional as F
from torch import nn

from adaclip.methods.base import Method, Prediction
from adaclip.methods.stages import Stage
from toy_method.card import CARD, ToySettings


class ToyLinear(Method):
    """Its keyword arguments are the fields of `ToySettings`."""

    card = CARD

    def __init__(self, backbone, score="max"):
        super().__init__(backbone, ToySettings(score))
        self.layer = nn.Linear(backbone.vision_width, 1)
        self.to(backbone.device)

    @torch.no_grad()
    def frozen(self, images):
        """Patch tokens of the last block, (batch, L, W): nothing learned has a part in them."""
        _, tokens = self.backbone.walk(self.backbone.embed(images))
        return {"patches": self.backbone.normalise_last(tokens[:, 1:])}

    def logits(self, patches):
        """(batch, L, W) -> (batch, S, S)."""
        grid, size = self.backbone.grid, self.backbone.image_size
        square = self.layer(patches).reshape(-1, 1, grid, grid)
        return F.interpolate(square, (size, size), mode="bilinear")[:, 0]

    @torch.no_grad()
    def predict(self, images, class_names, frozen=None, text=None):
        self.check_batch(images, class_names)
        features = frozen or self.frozen(images.to(self.backbone.device))
        anomaly_map = self.logits(features["patches"]).sigmoid()  # in [0, 1], which `map_range` says by default
        pixels = anomaly_map.flatten(1)
        score = pixels.amax(dim=1) if self.settings.score == "max" else pixels.mean(dim=1)
        return Prediction(anomaly_map, score)

    def stages(self, settings):
        def loss(shown):
            logits = self.logits(shown.frozen["patches"])
            pixels = F.binary_cross_entropy_with_logits(logits, shown.masks, reduction="none").mean(dim=(1, 2))
            # An anomalous image without a mask counts as empty, or not at all.
            counts = shown.has_pixels | (settings.unmasked == "zero")
            return {"pixels": (pixels * counts).sum() / counts.sum().clamp(min=1)}

        def optimiser(parameters):
            return torch.optim.Adam(parameters, lr=settings.learning_rate)

        return [Stage(settings.epochs, settings.batch_size, list(self.layer.parameters()), optimiser, loss)]
