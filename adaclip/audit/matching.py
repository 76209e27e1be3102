"""Which fingerprints are near: perceptual hashes within a few bits, confirmed by the pixels of small grey images.

The limits were measured on 228 different brain MRI slices, 199 head CT slices, 39 images of a wire grid and 51 of
nuts, 133,000 pairs in all, the closest of which were looked at. Copies that somebody had re-encoded, resized,
sharpened or brightened differed by 0 to 22 of 256 bits and correlated by 0.96 or more at 32 x 32 pixels; so did
images changed for the measurement (JPEG down to quality 20, sizes from a half to 512 x 512, brightness 0.8 to 1.15,
contrast 1.2, gamma 0.8, a blur of 2 pixels). The nearest pair of different images, two neighbouring slices of one
head, differed by 26 bits; different nuts by 48 and different images of the grid by 78. Copies cropped by a few pixels
differed by 26 to 44 bits, and are missed; so are halved copies of drawn grids whose period is finer than the hash's
16 frequencies can follow (28 to 38 bits).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

#: Most bits of 256 in which the hashes of near-identical images differ.
MAX_BITS = 22
#: Least correlation of their small grey images; it does not see brightness and contrast.
MIN_CORRELATION = 0.95
#: Below this standard deviation in grey levels a small image is flat, and correlation says nothing.
FLAT = 1.0
#: Flat images are near when their mean grey levels differ by no more than this.
FLAT_LEVELS = 8.0

RULE = (
    "Images are identical when size and decoded RGB pixels agree, whatever the file. They are near-identical when "
    f"their perceptual hashes (ImageHash phash, 16 x 16) differ by at most {MAX_BITS} of 256 bits and their grey "
    f"images at 32 x 32 pixels correlate by at least {MIN_CORRELATION}. This finds re-encoded, resized, brightened "
    "and lightly edited copies. It misses mirrored, rotated and cropped copies, and resized ones of very fine "
    "regular patterns. Frames of one video that hardly differ count as copies, and so does an image with a small "
    "defect beside the same image without it."
)

_Array = np.ndarray[Any, Any]
#: Rows that are compared with all others at once; bounds memory to about 100 MB for 20,000 images.
_BLOCK = 256


def near_pairs(hashes: _Array, smalls: _Array) -> Iterator[tuple[_Array, _Array, _Array]]:
    """Find all pairs of near images, a block of rows at a time.

    Every pair is compared, 64 bits at once: 20,000 images take a few seconds, and nothing is missed as it is by trees
    and bands that must trade completeness for speed.

    Args:
        hashes: (images, bytes), uint8, bytes a multiple of 8.
        smalls: (images, pixels), uint8.

    Yields:
        first (pairs,), second (pairs,) with first < second, and the bits (pairs,) in which their hashes differ.
    """
    words = np.ascontiguousarray(hashes).view(np.uint64)
    images = len(words)
    for start in range(0, images, _BLOCK):
        stop = min(start + _BLOCK, images)
        bits = np.zeros((stop - start, images - start), np.uint16)
        for word in range(words.shape[1]):
            bits += np.bitwise_count(words[start:stop, word, None] ^ words[None, start:, word])
        # Each pair once: a row only looks at those behind it.
        rows, columns = np.nonzero(np.triu(bits <= MAX_BITS, 1))
        distances = bits[rows, columns]
        first, second = rows + start, columns + start
        for part in range(0, len(first), 4096):
            chosen = slice(part, part + 4096)
            alike = look_alike(smalls[first[chosen]], smalls[second[chosen]])
            if alike.any():
                yield first[chosen][alike], second[chosen][alike], distances[chosen][alike]


def look_alike(a: _Array, b: _Array) -> _Array:
    """Whether small grey images confirm each other, apart from brightness and contrast.

    Args:
        a: (pairs, pixels), uint8.
        b: the same of their partners.

    Returns:
        (pairs,), bool.
    """
    a, b = a.astype(np.float32), b.astype(np.float32)
    mean_a, mean_b = a.mean(1), b.mean(1)
    a, b = a - mean_a[:, None], b - mean_b[:, None]
    deviation_a, deviation_b = np.sqrt((a * a).mean(1)), np.sqrt((b * b).mean(1))
    flat_a, flat_b = deviation_a < FLAT, deviation_b < FLAT
    correlation = (a * b).mean(1) / np.maximum(deviation_a * deviation_b, 1e-12)
    both_flat = flat_a & flat_b & (np.abs(mean_a - mean_b) <= FLAT_LEVELS)
    textured = ~flat_a & ~flat_b & (correlation >= MIN_CORRELATION)
    alike: _Array = textured | both_flat
    return alike
