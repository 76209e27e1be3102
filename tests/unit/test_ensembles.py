"""Text features of states in many sentences."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from adaclip.errors import UsageError
from adaclip.methods.ensembles import Ensemble


def states(name: str) -> list[list[str]]:
    return [[f"a {name}", f"a {name}", f"a photo of the flawless {name}"], [f"broken {name}"]]


def encoded(tiny, sentence: str) -> torch.Tensor:
    with torch.inference_mode():
        return tiny.clip.encode_text(tiny._tokenizer([sentence]))[0]


@pytest.mark.parametrize("normalise", [False, True])
def test_worked_out_from_open_clip(tiny, normalise):
    """A sentence that is there twice counts twice."""
    ensemble = Ensemble(tiny, states, normalise_sentences=normalise)
    for name in ("bolt", "metal nut"):
        for index, group in enumerate(states(name)):
            single = [encoded(tiny, line) for line in group]
            mean = torch.stack([F.normalize(x, dim=0) if normalise else x for x in single]).mean(dim=0)
            torch.testing.assert_close(ensemble.means(name)[index], mean, rtol=0, atol=1e-5)
            torch.testing.assert_close(ensemble([name])[0, index], F.normalize(mean, dim=0), rtol=0, atol=1e-5)


def test_each_name_is_encoded_once(tiny, monkeypatch):
    asked = []
    encode = tiny.encode_text
    monkeypatch.setattr(tiny, "encode_text", lambda tokens: asked.append(len(tokens)) or encode(tokens))
    ensemble = Ensemble(tiny, states, normalise_sentences=False)
    first = ensemble(["bolt", "screw", "bolt"])
    assert asked == [3, 3]
    assert torch.equal(first[0], first[2])
    assert (first[0] - first[1]).abs().max() > 1e-3
    assert torch.equal(ensemble(["screw", "bolt"]), first[[1, 0]])
    assert len(asked) == 2


def test_what_is_kept_does_not_depend_on_the_precision_of_the_first_question(tiny):
    ensemble = Ensemble(tiny, states, normalise_sentences=False)
    with torch.autocast("cpu", torch.bfloat16):
        first = ensemble(["bolt"])
    assert torch.equal(first, Ensemble(tiny, states, normalise_sentences=False)(["bolt"]))


def test_a_name_that_the_text_tower_would_cut_is_refused(tiny):
    with pytest.raises(UsageError, match="its end would be cut"):
        Ensemble(tiny, states, normalise_sentences=False)(["bolt " * 80])
