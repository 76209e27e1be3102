"""Two sentences: whether a patch is more like a damaged thing than like a flawless one."""

import torch
import torch.nn.functional as F

from adaclip.methods.base import Method, Prediction
from adaclip.methods.card import Card, NoSettings


def sentences(class_name):
    return [f"a photo of a flawless {class_name}", f"a photo of a damaged {class_name}"]


class MyMethod(Method):
    card = Card(
        id="my_method",
        title="Two sentences",
        kind="training-free",
        model="my_module:MyMethod",
        sentences=sentences,
    )

    def __init__(self, backbone):
        super().__init__(backbone, NoSettings())

    @torch.no_grad()
    def text(self, class_names):
        """(names, 2, E): what depends on the class names alone is asked for once."""
        lines = [line for name in class_names for line in sentences(name)]
        tokens = self.backbone.tokenize(lines).to(self.backbone.device)
        return F.normalize(self.backbone.encode_text(tokens).float(), dim=-1).unflatten(0, (-1, 2))

    @torch.no_grad()
    def predict(self, images, class_names, frozen=None, text=None):
        self.check_batch(images, class_names)
        text = self.text(class_names) if text is None else text
        tokens = F.normalize(self.backbone.encode_tokens(images.to(self.backbone.device)).float(), dim=-1)
        logits = 100 * tokens @ text.transpose(1, 2)  # (batch, 1 + L, 2), the class token first
        anomalous = (logits[..., 1] - logits[..., 0]).sigmoid()
        grid, size = self.backbone.grid, self.backbone.image_size
        square = anomalous[:, 1:].reshape(-1, 1, grid, grid)
        anomaly_map = F.interpolate(square, (size, size), mode="bilinear")[:, 0]
        return Prediction(anomaly_map, anomalous[:, 0])
