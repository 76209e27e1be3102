"""CLIP as it is, asked with AdaCLIP's text ensemble."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from adaclip.clip.backbone import Backbone
from adaclip.methods.adaclip.model import SCALE, AdaCLIP
from adaclip.methods.base import Prediction
from adaclip.methods.stages import Frozen


class PlainCLIP(AdaCLIP):
    """CLIP as it is, asked with AdaCLIP's text ensemble; nothing is learnt.

    The score compares the image embedding with the two states' text features. The map compares every patch token of the
    last block, taken through the final layer norm and the projection as the class token is, with the same features, and
    is interpolated as AdaCLIP's is.

    Args:
        backbone: a frozen CLIP.

    Example:
        >>> from adaclip.clip.load import load_backbone
        >>> model = PlainCLIP(load_backbone("ViT-B-32", image_size=64))
        >>> model.predict(torch.zeros(2, 3, 64, 64), ["bottle", "screw"]).anomaly_score.shape
        torch.Size([2])
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__(backbone, prompt_type="none", prompt_branch="none", fusion=False)
        del self.patch_token_layer, self.cls_token_layer

    @torch.no_grad()
    def predict(
        self,
        images: Tensor,
        class_names: Sequence[str],
        frozen: Frozen | None = None,
        text: Tensor | None = None,
    ) -> Prediction:
        """Anomaly map and score of each image; arguments as for `Method.predict`."""
        device = self.backbone.device
        tokens = F.normalize(self.backbone.encode_tokens(images.to(device)).float(), dim=-1)
        if text is None:
            text = self.text_features(class_names)
        with torch.autocast(device.type, enabled=False):
            logits = SCALE * tokens @ text.float()  # (batch, 1 + L, 2)
        return Prediction(self.anomaly_map([logits[:, 1:]]), logits[:, 0].softmax(dim=-1)[:, 1])
