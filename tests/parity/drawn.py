"""Weights drawn by name, so that the tests need no stored weights: every parameter has a stream of its own."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch

#: Names that are drawn small, beside those that a method adds.
_SMALL = ("token_embedding.weight", "positional_embedding", "visual.positional_embedding", "visual.class_embedding")
_PROJECTIONS = ("text_projection", "visual.proj")


def draw(salt: str, name: str, shape: tuple[int, ...], extra_rules: Mapping[str, float] | None = None) -> torch.Tensor:
    """A parameter, float32, that depends on the salt and its name alone.

    Args:
        salt: of the method's golden numbers.
        name: of the parameter in a state dict.
        shape: of the parameter.
        extra_rules: factors of the standard normal numbers by regular expression, searched for in the name; they come
            before the rule for the number of axes.
    """
    seed = zlib.crc32(f"{salt}/{name}".encode())
    z = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    special = [factor for rule, factor in (extra_rules or {}).items() if re.search(rule, name)]
    if re.search(r"(^|\.)ln_[^.]*\.weight$", name):
        z = 1 + 0.1 * z
    elif special:
        z = special[0] * z
    elif name in _SMALL:
        z = 0.1 * z
    elif name in _PROJECTIONS:
        z = z * shape[0] ** -0.5
    elif len(shape) >= 2:
        z = z * float(np.prod(shape[1:])) ** -0.5
    else:
        z = 0.02 * z
    return torch.from_numpy(z.astype(np.float32))


def draw_state(
    salt: str, state: Mapping[str, torch.Tensor], extra_rules: Mapping[str, float] | None = None
) -> dict[str, torch.Tensor]:
    """Every parameter of a state dict, drawn; see `draw`."""
    return {name: draw(salt, name, tuple(value.shape), extra_rules) for name, value in state.items()}


def write_clip_weights(path: Path, config: Path, salt: str, extra_rules: Mapping[str, float] | None = None) -> Path:
    """Write a weight file in open_clip's format at the config's own image size, and give its path.

    Args:
        path: to write.
        config: an open_clip model config (JSON).
        salt: see `draw`.
        extra_rules: see `draw`.
    """
    clip = open_clip.CLIP(**json.loads(config.read_text()))
    state = clip.state_dict()
    drawn = draw_state(salt, {name: value for name, value in state.items() if name != "logit_scale"}, extra_rules)
    torch.save({**drawn, "logit_scale": state["logit_scale"]}, path)
    return path


class Golden:
    """The golden numbers of a method.

    Attributes:
        config: path of the model config.
        numbers: arrays by name.
        meta: sizes, classes and seeds.
    """

    def __init__(self, folder: Path) -> None:
        self.config = folder / "model_config.json"
        self.numbers = np.load(folder / "golden.npz")
        self.meta: dict[str, Any] = json.loads(str(self.numbers["meta_json"]))

    def json(self, name: str) -> Any:
        """A value that is stored as JSON."""
        return json.loads(str(self.numbers[name]))

    def tags(self) -> list[str]:
        """What has a map of its own."""
        return sorted({key.split("/")[0] for key in self.numbers.files if key.endswith("/map")})

    def close(self, actual: torch.Tensor, name: str, tolerance: float = 2e-5) -> None:
        """Shapes agree, and every number within an absolute tolerance."""
        expected, found = self.numbers[name], actual.detach().numpy()
        assert found.shape == expected.shape, f"{name}: {found.shape} against {expected.shape}"
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, err_msg=name)
