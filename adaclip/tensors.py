"""Tensors by name in one safetensors file, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from adaclip.errors import AdaclipError
from adaclip.files import write_whole


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and metadata.

    Raises:
        AdaclipError: the file cannot be written.
    """
    try:
        with write_whole(path) as part:
            safetensors.torch.save_file(dict(tensors), part, metadata=dict(metadata))
    except safetensors.SafetensorError as error:  # not an OSError, even when the disk is full
        raise AdaclipError(f"cannot write {path}: {error}") from error
