"""Hybrid semantic fusion: which patches, which clusters, and always the same ones."""

from __future__ import annotations

import pytest
import torch
from sklearn.cluster import KMeans

from adaclip.methods.adaclip.fusion import cluster, fuse


def blobs(batch: int, centres: int, each: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (batch, centres * each, 8) around far-apart centres, and the true cluster of each."""
    generator = torch.Generator().manual_seed(seed)
    middle = 10 * torch.randn(batch, centres, 1, 8, generator=generator)
    points = middle + 0.1 * torch.randn(batch, centres, each, 8, generator=generator)
    return points.flatten(1, 2), torch.arange(centres).repeat_interleave(each)


def test_finds_clusters_that_are_there():
    points, truth = blobs(6, 5, 7)
    found = cluster(points, 5)
    for member in found:
        # Equal up to the clusters' numbering.
        assert len({(int(a), int(b)) for a, b in zip(member, truth, strict=True)}) == 5


def test_is_as_tight_as_scikit_learn():
    points = torch.randn(4, 100, 16, generator=torch.Generator().manual_seed(2))
    for row, member in zip(points, cluster(points, 20), strict=True):
        ours = sum(
            float((row[member == k] - row[member == k].mean(dim=0)).square().sum()) for k in member.unique().tolist()
        )
        theirs = KMeans(20, init="k-means++", n_init=1, random_state=0).fit(row.numpy()).inertia_
        assert ours < 1.15 * theirs


def test_same_again_and_whatever_else_is_in_the_batch():
    points = torch.randn(9, 60, 12, generator=torch.Generator().manual_seed(1))
    first = cluster(points, 6)
    torch.manual_seed(123)  # the global generator has no say
    assert torch.equal(cluster(points, 6), first)
    for index in range(9):
        assert torch.equal(cluster(points[index : index + 1], 6)[0], first[index])
    assert torch.equal(cluster(points.flip(0), 6), first.flip(0))


@pytest.mark.parametrize("count", [1, 3, 5])
def test_points_that_coincide_and_more_clusters_than_points(count):
    member = cluster(torch.ones(2, count, 4), 5)
    assert member.shape == (2, count)
    assert int(member.max()) < count
    patches = [torch.nn.functional.normalize(torch.ones(2, count, 4), dim=-1)] * 2
    fused = fuse(patches, [torch.zeros(2, count, 2)] * 2, 5)
    torch.testing.assert_close(fused, torch.full((2, 4), 0.5))


def scene(batch: int = 3, length: int = 49, width: int = 16, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    patches = [
        torch.nn.functional.normalize(torch.randn(batch, length, width, generator=generator), dim=-1) for _ in range(4)
    ]
    logits = [torch.randn(batch, length, 2, generator=generator) for _ in range(4)]
    return patches, logits


def test_is_the_mean_of_the_cluster_means_of_the_most_abnormal_patches():
    patches, logits = scene()
    fused = fuse(patches, logits, 4)
    probability = torch.stack(logits).mean(dim=0).softmax(dim=-1)[..., 1]
    for index in range(3):
        chosen = probability[index].argsort(descending=True)[:20].sort().values
        points = torch.cat([block[index, chosen] for block in patches], dim=-1)
        member = cluster(points[None], 4)[0]
        tokens = torch.stack([block[index, chosen] for block in patches]).mean(dim=0)
        mean = torch.stack([tokens[member == k].mean(dim=0) for k in range(4)]).mean(dim=0)
        torch.testing.assert_close(fused[index], torch.nn.functional.normalize(mean, dim=0))


def test_normal_patches_have_no_say():
    patches, logits = scene()
    probability = torch.stack(logits).mean(dim=0).softmax(dim=-1)[..., 1]
    least = probability.argmin(dim=1)
    before = fuse(patches, logits, 4)
    for block in patches:
        block[torch.arange(3), least] = torch.nn.functional.normalize(torch.ones(16), dim=0)
    torch.testing.assert_close(fuse(patches, logits, 4), before, rtol=0, atol=0)


def test_the_order_of_nearly_equal_patches_does_not_matter():
    """Another batch size moves logits in the last digit; patches may change places in the ranking."""
    patches, _ = scene(batch=64, seed=5)
    # Pairs of patches whose logits differ by 1e-5, the first of each pair ahead, or the second.
    level = torch.arange(49).div(2, rounding_mode="floor").float()
    order = torch.randperm(49, generator=torch.Generator().manual_seed(0))
    fused = []
    for parity in (0, 1):
        logits = torch.zeros(64, 49, 2)
        logits[:, order, 1] = -level + 1e-5 * (torch.arange(49) % 2 == parity)
        fused.append(fuse(patches, [logits] * 4, 4))
    torch.testing.assert_close(fused[0], fused[1], rtol=0, atol=1e-6)


def test_gradient_flows_through_the_means():
    patches, logits = scene(batch=1)
    for block in (*patches, *logits):
        block.requires_grad_()
    fuse(patches, logits, 4)[0, 0].backward()
    assert all(block.grad is not None and bool(block.grad.any()) for block in patches)
    assert all(block.grad is None for block in logits)
    touched = patches[0].grad.abs().sum(dim=-1)[0] > 0
    assert int(touched.sum()) == 20
