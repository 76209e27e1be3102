"""The training loss against plain formulas."""

from __future__ import annotations

import pytest
import torch

from adaclip.methods.losses import SMOOTH, dice_loss, focal_loss, training_loss


def drawn(*shape: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator), (torch.rand(shape, generator=generator) > 0.7).float()


def plain_focal(probability: torch.Tensor, target: torch.Tensor) -> float:
    total = 0.0
    for p, t in zip(probability.double().ravel().tolist(), target.ravel().tolist(), strict=True):
        one_hot = [min(max(1 - t, SMOOTH), 1 - SMOOTH), min(max(t, SMOOTH), 1 - SMOOTH)]
        pt = one_hot[0] * (1 - p) + one_hot[1] * p + SMOOTH
        total += (1 - pt) ** 2 * -torch.tensor(pt).log().item()
    return total / probability.numel()


def plain_dice(probability: torch.Tensor, target: torch.Tensor) -> float:
    parts = [
        1 - (2 * float((p * t).sum()) + 1) / (float(p.sum()) + float(t.sum()) + 1)
        for p, t in zip(probability, target, strict=True)
    ]
    return sum(parts) / len(parts)


def test_focal_loss():
    p, t = drawn(3, 5, 5)
    assert float(focal_loss(p, t)) == pytest.approx(plain_focal(p, t), rel=1e-5)
    assert float(focal_loss(t, t)) == pytest.approx(0, abs=1e-8)
    assert torch.isfinite(focal_loss(1 - t, t))


def test_dice_loss_over_rows_and_images():
    p, t = drawn(3, 6, 6)
    assert float(dice_loss(p, t, "image")) == pytest.approx(plain_dice(p, t), rel=1e-5)
    assert float(dice_loss(p, t, "rows")) == pytest.approx(plain_dice(p.flatten(0, 1), t.flatten(0, 1)), rel=1e-5)
    assert float(dice_loss(t, t, "image")) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("over", ["rows", "image"])
def test_the_loss_of_a_batch_is_the_mean_of_its_images(over):
    maps = [drawn(4, 8, 8, seed=i)[0] for i in range(4)]
    _, masks = drawn(4, 8, 8)
    score, labels = drawn(4, seed=9)
    together = training_loss(score, maps, labels, masks, dice_over=over)
    alone = [
        training_loss(score[i : i + 1], [m[i : i + 1] for m in maps], labels[i : i + 1], masks[i : i + 1], None, over)
        for i in range(4)
    ]
    for part in ("image", "focal", "dice", "total"):
        mean = sum(float(getattr(loss, part)) for loss in alone) / 4
        assert float(getattr(together, part)) == pytest.approx(mean, rel=1e-5)


def test_total_is_the_sum_of_its_parts():
    maps, (score, labels), (_, masks) = [drawn(2, 4, 4, seed=i)[0] for i in range(4)], drawn(2), drawn(2, 4, 4)
    loss = training_loss(score, maps, labels, masks, dice_over="image")
    expected = plain_focal(score, labels)
    for p in maps:
        expected += plain_focal(p, masks) + plain_dice(p, masks) + plain_dice(1 - p, 1 - masks)
    assert float(loss.total) == pytest.approx(expected, rel=1e-4)


def test_samples_without_pixels_count_in_the_image_loss_alone():
    maps, (score, labels), (_, masks) = [drawn(3, 4, 4, seed=i)[0] for i in range(4)], drawn(3), drawn(3, 4, 4)
    some = training_loss(score, maps, labels, masks, torch.tensor([True, False, True]))
    kept = training_loss(score, [m[[0, 2]] for m in maps], labels, masks[[0, 2]])
    assert float(some.focal) == pytest.approx(float(kept.focal))
    assert float(some.dice) == pytest.approx(float(kept.dice))
    assert float(some.image) == pytest.approx(float(focal_loss(score, labels)))
    nothing = training_loss(score.requires_grad_(), maps, labels, masks, torch.tensor([False] * 3))
    assert float(nothing.focal) == float(nothing.dice) == 0
    nothing.total.backward()
    assert bool(torch.isfinite(score.grad).all())
