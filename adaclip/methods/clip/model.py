"""CLIP as it is: cosines of its image and patch embeddings with two text features. Nothing is learned."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from adaclip.clip.backbone import Backbone
from adaclip.methods.adaclip.sentences import sentences as adaclip_sentences
from adaclip.methods.base import Method, Prediction
from adaclip.methods.card import NoSettings
from adaclip.methods.clip.card import CLIP as CLIP_CARD
from adaclip.methods.clip.card import CLIP_AC, CLIP_ADACLIP_PROMPTS
from adaclip.methods.clip.sentences import in_imagenet_templates, two_sentences
from adaclip.methods.ensembles import Ensemble, States
from adaclip.methods.stages import Frozen

#: What OpenAI's weights have learned to scale cosines by; fixed.
SCALE = 100.0


class CLIP(Method):
    """The row "CLIP" of AnomalyCLIP's paper, as far as it is known (NOTES.md).

    The score compares the image embedding with the text features of the two states. The map compares every patch token
    of the last block, taken through the final layer norm and the projection as the class token is.

    Args:
        backbone: a frozen CLIP.

    Example:
        >>> from adaclip.clip.load import load_backbone
        >>> model = CLIP(load_backbone("tiny", image_size=56))
        >>> model.predict(torch.zeros(2, 3, 56, 56), ["bottle", "screw"]).anomaly_map.shape
        torch.Size([2, 56, 56])
    """

    card = CLIP_CARD
    #: The sentences of the states of a class name, normal ones first.
    states: States = staticmethod(two_sentences)

    def __init__(self, backbone: Backbone) -> None:
        super().__init__(backbone, NoSettings())
        self.ensemble = Ensemble(backbone, self.states, normalise_sentences=True)

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
        device = self.backbone.device
        tokens = self.backbone.encode_tokens(images.to(device))  # (batch, 1 + L, E)
        with torch.autocast(device.type, enabled=False):
            logits = SCALE * F.normalize(tokens.float(), dim=-1) @ text.float().transpose(1, 2)  # (batch, 1 + L, 2)
            return Prediction(self.anomaly_map(logits[:, 1:]), logits[:, 0].softmax(dim=-1)[:, 1])

    def anomaly_map(self, logits: Tensor) -> Tensor:
        """P(anomalous) of each patch, enlarged: (batch, L, 2) -> (batch, S, S)."""
        return self.enlarged(logits.softmax(dim=-1)[..., 1], align_corners=False)

    def enlarged(self, values: Tensor, align_corners: bool) -> Tensor:
        """Values of the patches at the input's size, bilinearly: (batch, L) -> (batch, S, S)."""
        square = values.reshape(-1, 1, self.backbone.grid, self.backbone.grid)
        size = (self.backbone.image_size, self.backbone.image_size)
        return F.interpolate(square, size=size, mode="bilinear", align_corners=align_corners)[:, 0]


class CLIPAC(CLIP):
    """The row "CLIP-AC" of AnomalyCLIP's paper, as far as it is known: the states in CLIP's ImageNet templates."""

    card = CLIP_AC
    states = staticmethod(in_imagenet_templates)


class CLIPWithAdaCLIPPrompts(CLIP):
    """CLIP asked with AdaCLIP's sentences; the map is interpolated as AdaCLIP's is, before the softmax."""

    card = CLIP_ADACLIP_PROMPTS
    states = staticmethod(adaclip_sentences)

    def anomaly_map(self, logits: Tensor) -> Tensor:
        """P(anomalous) of each pixel, from enlarged logits: (batch, L, 2) -> (batch, S, S)."""
        # Softmax over two states is the sigmoid of their difference, so one map is enlarged instead of two.
        return self.enlarged(logits[..., 1] - logits[..., 0], align_corners=True).sigmoid()
