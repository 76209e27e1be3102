"""States of an object in many sentences each, as one text feature for each state."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from adaclip.clip.backbone import Backbone

#: The sentences of each state of a class name.
States = Callable[[str], Sequence[Sequence[str]]]


class Ensemble:
    """The text features of a frozen text tower, computed once for each class name.

    Args:
        backbone: a frozen CLIP.
        states: the sentences of each state of a class name; the number of states is the same for all names.
        normalise_sentences: L2-normalise each sentence's embedding before the mean, as CLIP's ImageNet code does.
    """

    def __init__(self, backbone: Backbone, states: States, *, normalise_sentences: bool) -> None:
        self._backbone = backbone
        self._states = states
        self._normalise = normalise_sentences
        self._known: dict[str, Tensor] = {}

    @torch.no_grad()
    def means(self, class_name: str) -> Tensor:
        """The mean of the sentences' embeddings for each state, (states, E), not normalised.

        Raises:
            UsageError: a sentence that the text tower would cut.
        """
        groups = self._states(class_name)
        # A name at a time, so that memory does not grow with the number of names; one sentence may stand in a state
        # more than once, and is encoded once.
        lines = list(dict.fromkeys(line for group in groups for line in group))
        tokens = self._backbone.tokenize(lines).to(self._backbone.device)
        # What is kept must not depend on the precision of whoever asked first.
        with torch.autocast(tokens.device.type, enabled=False):
            encoded = self._backbone.encode_text(tokens).float()
            if self._normalise:
                encoded = F.normalize(encoded, dim=-1)
            return torch.stack([encoded[[lines.index(line) for line in group]].mean(dim=0) for group in groups])

    def __call__(self, class_names: Sequence[str]) -> Tensor:
        """Text features (names, states, E), L2-normalised.

        Raises:
            UsageError: a sentence that the text tower would cut.
        """
        for name in dict.fromkeys(class_names):
            if name not in self._known:
                self._known[name] = F.normalize(self.means(name), dim=-1)
        # The backbone may have moved since some of the names came first.
        return torch.stack([self._known[name].to(self._backbone.device) for name in class_names])
