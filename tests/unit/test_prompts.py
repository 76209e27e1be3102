"""The sentences of the paper, and how prompts are added up."""

from __future__ import annotations

import torch

from adaclip.methods.adaclip.prompts import DynamicPrompts, Projections, StaticPrompts, combine
from adaclip.methods.adaclip.sentences import sentences


def test_sentences_of_a_class():
    normal, abnormal = sentences("metal_nut")
    assert len(normal) == len(set(normal)) == 28
    assert len(abnormal) == len(set(abnormal)) == 20
    assert normal[0] == "a bad photo of a metal_nut."
    assert "a cropped photo of the unblemished metal_nut." in normal
    assert "a low resolution photo of the metal_nut with damage." in abnormal
    assert "a bad photo of the broken pipe fryum." in sentences("pipe-fryum")[1]


def test_a_class_name_is_text_and_no_format():
    assert sentences("{0}")[0][0] == "a bad photo of a {0}."


def test_combining():
    torch.manual_seed(0)
    static, dynamic = StaticPrompts(3, 2, 4), torch.randn(5, 2, 4)
    assert combine(None, None, 3) == []
    for level, prompt in enumerate(combine(static, None, 3)):
        assert torch.equal(prompt, static.static_prompts[level][None])
    for prompt in combine(None, dynamic, 3):
        assert torch.equal(prompt, dynamic)
    for level, prompt in enumerate(combine(static, dynamic, 3)):
        torch.testing.assert_close(prompt, dynamic + static.static_prompts[level])


def test_dynamic_prompts_and_projections():
    torch.manual_seed(0)
    dynamic = DynamicPrompts(3, 6, 8)
    f = torch.randn(2, 6)
    assert dynamic(f).shape == (2, 3, 8)
    torch.testing.assert_close(dynamic(f)[:, 1], dynamic.head[1](f))
    tokens = [torch.randn(2, 5, 6) for _ in range(4)]
    for layer, x, y in zip((projections := Projections(4, 6, 8)).head, tokens, projections(tokens), strict=True):
        torch.testing.assert_close(y, torch.nn.functional.normalize(layer(x), dim=-1))


def test_static_prompts_start_small():
    torch.manual_seed(0)
    values = torch.cat([prompt.flatten() for prompt in StaticPrompts(4, 5, 512).static_prompts])
    assert abs(float(values.detach().std()) - 0.02) < 0.001
