"""Hybrid semantic fusion (paper, section 3.3): the most abnormal patches, clustered, speak for the image."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

#: Lloyd iterations; with at most 5 K points they settle long before.
ITERATIONS = 20


def fuse(patches: Sequence[Tensor], logits: Sequence[Tensor], clusters: int) -> Tensor:
    """The semantic vector of the most abnormal patches of each image.

    Takes the min(L, 5 K) patches with the largest P(abnormal), clusters their tokens of all blocks together into K
    clusters, and averages the clusters' means. The gradient flows through the means, not through the clustering.

    Args:
        patches: for each block the projected, normalised patch tokens (batch, L, E).
        logits: for each block the patch logits (batch, L, 2), columns normal, abnormal.
        clusters: K.

    Returns:
        (batch, E), L2-normalised.
    """
    tokens = torch.stack(list(patches), dim=2).float()  # (batch, L, blocks, E)
    weights = _weights(tokens.detach(), torch.stack(list(logits)).float().mean(dim=0).detach(), clusters)
    # The mean of the clusters' means is one weighted sum over the patches: its gradient needs no scattering, which
    # a GPU would do in a different order every time.
    mean = (weights[:, None] @ tokens.mean(dim=2))[:, 0]  # (batch, E)
    return torch.nn.functional.normalize(mean, dim=-1)


@torch.no_grad()
def _weights(tokens: Tensor, logits: Tensor, clusters: int) -> Tensor:
    """Each patch's share in the mean of the cluster means: 1 / (clusters * size of its cluster), 0 if not chosen.

    Args:
        tokens: (batch, L, blocks, E).
        logits: (batch, L, 2).
        clusters: K.

    Returns:
        (batch, L), rows sum to 1.
    """
    batch, length = tokens.shape[:2]
    count = min(length, 5 * clusters)
    # In the order of the patches: that of the ranking would change with the last digit of two almost equal logits.
    chosen = (logits[..., 1] - logits[..., 0]).topk(count, dim=1).indices.sort(dim=1).values  # (batch, count)
    rows = torch.arange(batch, device=tokens.device)[:, None]
    member = cluster(tokens[rows, chosen].flatten(2), clusters)  # (batch, count)
    one_hot = torch.nn.functional.one_hot(member, min(clusters, count)).to(tokens.dtype)  # (batch, count, K)
    sizes = one_hot.sum(dim=1)  # (batch, K)
    # A cluster can be empty only when points coincide; it has no mean and does not count.
    filled = (sizes > 0).sum(dim=1, keepdim=True)
    share = 1 / (sizes.gather(1, member) * filled)  # (batch, count)
    return torch.zeros(batch, length, dtype=tokens.dtype, device=tokens.device).scatter_(1, chosen, share)


@torch.no_grad()
def cluster(points: Tensor, clusters: int, seed: int = 0) -> Tensor:
    """K-means of every image's points, on their device, the same whatever else is in the batch.

    Seeding is k-means++ (Arthur and Vassilvitskii, 2007) with one fixed sequence of random numbers for every image.

    Args:
        points: (batch, n, width), float32.
        clusters: K; at most n are used.
        seed: of that sequence.

    Returns:
        (batch, n), the cluster of each point, 0 .. K - 1.
    """
    batch, count, _ = points.shape
    clusters = min(clusters, count)
    draws = _draws(clusters, seed)
    rows = torch.arange(batch, device=points.device)
    first = torch.full((batch,), int(draws[0] * count), device=points.device)
    centres = points[rows, first][:, None]  # (batch, 1, width)
    nearest = _squared_distances(points, centres)[..., 0]  # (batch, n), to the nearest centre so far
    for draw in draws[1:]:
        # Doubles, so that the sum's rounding does not decide which point is drawn.
        cumulative = nearest.double().cumsum(dim=1)
        target = draw * cumulative[:, -1:]
        picked = torch.searchsorted(cumulative, target, right=True).squeeze(1).clamp(max=count - 1)
        centre = points[rows, picked][:, None]
        centres = torch.cat([centres, centre], dim=1)
        nearest = torch.minimum(nearest, _squared_distances(points, centre)[..., 0])
    member = _squared_distances(points, centres).argmin(dim=2)
    for _ in range(ITERATIONS):
        one_hot = torch.nn.functional.one_hot(member, clusters).to(points.dtype)  # (batch, n, K)
        sizes = one_hot.sum(dim=1)[..., None]  # (batch, K, 1)
        means = one_hot.transpose(1, 2) @ points / sizes.clamp(min=1)
        centres = torch.where(sizes > 0, means, centres)
        member = _squared_distances(points, centres).argmin(dim=2)
    return member


def _squared_distances(points: Tensor, centres: Tensor) -> Tensor:
    """(batch, n, width) and (batch, k, width) -> (batch, n, k), without the cancellation of the expanded square."""
    return torch.cdist(points, centres, compute_mode="donot_use_mm_for_euclid_dist").square()


@functools.cache
def _draws(count: int, seed: int) -> tuple[float, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.rand(count, generator=generator, dtype=torch.float64).tolist())
