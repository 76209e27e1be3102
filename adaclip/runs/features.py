"""The frozen image embeddings of a prepared set: computed once, used by every training and evaluation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from adaclip.clip.load import make_backbone
from adaclip.clip.settings import PLAIN, BackboneSettings
from adaclip.data.rows import read_rows
from adaclip.data.torchset import ImageSet, batches
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.stages import Frozen
from adaclip.system.files import check_writable, sha256_of
from adaclip.system.progress import progress
from adaclip.system.settings import as_dict
from adaclip.system.tensors import read_tensors, write_tensors

BATCH_SIZE = 16


def compute_features(
    settings: BackboneSettings,
    manifest: str | Path,
    out: str | Path,
    *,
    device: torch.device,
    workers: int = 0,
    split: str = "test",
) -> None:
    """Write the frozen image embeddings (images, E) of one split, in fp32 and in the manifest's order.

    Args:
        settings: the backbone, with activation and resize: methods whose backbones are equal share the file.
        manifest: of the prepared set.
        out: a `.safetensors` file; its metadata names backbone, manifest and split.
        device: where to compute.
        workers: processes that decode.
        split: which images.

    Raises:
        AdaclipError: an image cannot be read, or the backbone not made.
    """
    check_writable(out)
    rows = read_rows(manifest, split)
    backbone = make_backbone(settings, device)
    dataset = ImageSet(rows, settings.image_size)
    embeddings = torch.empty(len(rows), backbone.embed_dim)
    with progress(len(rows), f"features {rows[0].dataset}") as bar:
        for batch in batches(dataset, BATCH_SIZE, workers=workers, pin=device.type == "cuda"):
            embeddings[batch.index] = backbone.encode_image(batch.images.to(device)).cpu()
            bar.update(len(batch.index))
    write_tensors(out, {"embeddings": embeddings}, _origin(settings, manifest, split))


def _origin(settings: BackboneSettings, manifest: str | Path, split: str) -> dict[str, str]:
    """What embeddings were computed from, as the metadata of their file."""
    return {
        "backbone": json.dumps(as_dict(PLAIN.of(settings)), sort_keys=True),
        "manifest_sha256": sha256_of(manifest),
        "split": split,
    }


def read_features(path: str | Path, settings: BackboneSettings, manifest: str | Path, split: str = "test") -> Tensor:
    """Read embeddings (images, E) after checking that they belong to this backbone and this manifest.

    Raises:
        AdaclipError: missing, damaged, or computed for something else.
    """
    if not Path(path).is_file():
        raise AdaclipError(f"no such features: {path}: run adaclip features")
    tensors, metadata, checked = read_tensors(path, "features", "run adaclip features again")
    if not checked or "embeddings" not in tensors:
        raise AdaclipError(f"features {path} have no digest of their content: run adaclip features again")
    for key, value in _origin(settings, manifest, split).items():
        if metadata.get(key) != value:
            what = key.removesuffix("_sha256")
            raise AdaclipError(
                f"features {path} were computed for another {what} than {manifest}'s: run adaclip features again"
            )
    return tensors["embeddings"]


def read_all_features(sources: Sequence[tuple[Path | None, Path]], settings: BackboneSettings) -> Frozen:
    """Embeddings of several sets, one after the other: `embedding` (images, E).

    Args:
        sources: features and manifest of each.
        settings: the backbone.

    Raises:
        UsageError: a set without features.
        AdaclipError: as `read_features`.
    """
    found: list[Tensor] = []
    for features, manifest in sources:
        if features is None:
            raise UsageError(f"give the features of {manifest} (adaclip features)")
        found.append(read_features(features, settings, manifest))
    return {"embedding": torch.cat(found)}
