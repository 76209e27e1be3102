"""What files of authors have in common: tensors by name, checked before anything is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from adaclip.errors import AdaclipError
from adaclip.system.foreign import other_model


def named_tensors(content: Any, path: Path, prefix: str = "") -> dict[str, Tensor]:
    """A flat dict of floating-point tensors whose names start with a prefix.

    Args:
        content: what `torch.load` gave.
        path: for errors.
        prefix: of every name.

    Raises:
        AdaclipError: something else; what it is instead is said.
    """
    layout = "is not in the released layout"
    if not isinstance(content, Mapping):
        raise AdaclipError(f"{path} {layout}: it holds no tensors by name")
    names = [str(key) for key in content]
    if not names or not all(name.startswith(prefix) for name in names):
        raise AdaclipError(f"{path} {layout}: {other_model(names, prefix)}")
    for key, value in content.items():
        if not isinstance(value, Tensor):
            raise AdaclipError(f"{path} {layout}: its {key} is no tensor")
        if value.layout != torch.strided or not value.is_floating_point():
            strided = value.layout == torch.strided
            kind = f"of {str(value.dtype).removeprefix('torch.')}" if strided else "a sparse tensor"
            raise AdaclipError(f"{path} {layout}: its {key} is {kind}, not of floating-point numbers")
    return {str(key): value for key, value in content.items()}
