"""What is known of a CLIP model by its name alone: its sizes and the names of its weights, without PyTorch.

open_clip has a small JSON file for each of its models and a table of its weights in `open_clip/pretrained.py`. To
import it would load PyTorch, so both are read as text.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaclip.clip.settings import BackboneSettings
from adaclip.errors import UsageError
from adaclip.system.reading import read_yaml

#: Architectures of this project, beside those of open_clip.
OWN_MODELS = Path(__file__).parent / "models"
#: What a model config must have; the rest has open_clip's defaults.
NEEDED = ("embed_dim", "vision_cfg", "text_cfg")
#: Settings of a tower that methods depend on, with the only value that they can use.
_VISION = {"timm_model_name": None, "attentional_pool": False, "pool_type": "tok", "final_ln_after_pool": False}
_TEXT = {
    "hf_model_name": None,
    "no_causal_mask": False,
    "pool_type": "argmax",
    "proj_type": "linear",
    "proj_bias": False,
}


@dataclass(frozen=True)
class Architecture:
    """The sizes of a CLIP.

    Attributes:
        model: what the configuration calls it.
        patch: side of a patch in pixels.
        vision_blocks: of the vision tower.
        text_blocks: of the text tower.
        context: tokens of a sentence, M_max.
        image_size: side of the input that the weights were trained with, in pixels.
        input_size: side of the input that they are used with, in pixels; None where that is not known.
    """

    model: str
    patch: int
    vision_blocks: int
    text_blocks: int
    context: int
    image_size: int = 224
    input_size: int | None = None

    @property
    def grid(self) -> int:
        """Patches along one side of the input."""
        return (self.input_size or self.image_size) // self.patch


def read_architecture(model: str) -> Architecture:
    """The sizes of a model.

    Args:
        model: an open_clip name, `tiny` or `tiny14`, or the path of a `*.json` model config.

    Raises:
        UsageError: an unknown name, a file that is no model config, or a model that is not supported.
    """
    path = config_file(model)
    config = read_yaml(path)
    missing = [key for key in NEEDED if not isinstance(config, dict) or key not in config]
    if missing:
        raise UsageError(f"{path} is not an open_clip model config: it lacks {', '.join(missing)}")
    vision, text = config["vision_cfg"], config["text_cfg"]
    if not isinstance(vision, Mapping) or not isinstance(text, Mapping):
        raise UsageError(f"{path} is not an open_clip model config: vision_cfg and text_cfg are no mappings")
    usable = not config.get("multimodal_cfg") and not config.get("custom_text")
    usable = usable and all(vision.get(key, wanted) == wanted for key, wanted in _VISION.items())
    usable = usable and all(text.get(key, wanted) == wanted for key, wanted in _TEXT.items())
    # A list of blocks is a ResNet's; it has stages instead.
    if not usable or isinstance(vision.get("layers"), list):
        raise UsageError(unsupported(model))
    sizes = (
        vision.get("patch_size", 16),
        vision.get("layers", 12),
        text.get("layers", 12),
        text.get("context_length", 77),
        vision.get("image_size", 224),
    )
    if not all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes):
        raise UsageError(f"{path}: patch_size, layers, context_length and image_size must be whole numbers from 1")
    return Architecture(model, *sizes)


def check_backbone(settings: BackboneSettings) -> Architecture:
    """Refuse a backbone that cannot be made: its model, its weights, or its input size.

    Raises:
        UsageError: naming what is wrong and what there is.
    """
    architecture = read_architecture(settings.model)
    if settings.pretrained is not None:
        check_pretrained(settings.model, settings.pretrained)
    check_image_size(architecture, settings.image_size)
    return dataclasses.replace(architecture, input_size=settings.image_size)


def unsupported(model: str) -> str:
    """What to say of a model whose towers are not as methods need them."""
    return (
        f"{model} is not supported: methods need a CLIP with a ViT vision tower read at its class token "
        "and a causal text tower (ViT-B-16, ViT-L-14, ViT-L-14-336 and their kin)"
    )


def config_file(model: str) -> Path:
    """The JSON file that describes a model.

    Raises:
        UsageError: an unknown name, or no such file.
    """
    if model.endswith(".json"):
        if not Path(model).is_file():
            raise UsageError(f"no such model config: {model}")
        return Path(model)
    # A name has no folders in it: "../x" is none.
    names = [] if Path(model).name != model else [OWN_MODELS / f"{model}.json"]
    if names and _open_clip() is not None:
        names.append(_open_clip() / "model_configs" / f"{model}.json")  # type: ignore[operator]
    for path in names:
        if path.is_file():
            return path
    raise UsageError(f"unknown model '{model}': neither an open_clip name (such as ViT-L-14-336) nor a .json file")


def check_image_size(architecture: Architecture, size: int) -> None:
    """Refuse an input size that patches do not fill.

    Raises:
        UsageError: naming the sizes next to it.
    """
    patch = architecture.patch
    if not isinstance(size, int) or isinstance(size, bool):
        raise UsageError(f"image_size {size!r} is no whole number of pixels: such as {architecture.image_size}")
    if size <= 0 or size % patch:
        below = size // patch * patch
        near = f"{below} or {below + patch}" if below > 0 else str(patch)
        raise UsageError(
            f"image_size {size} is not a multiple of {architecture.model}'s patch size {patch}: use {near}"
        )


def check_pretrained(model: str, pretrained: str) -> None:
    """Refuse weights that are neither a file that is there nor a tag that open_clip has for the model.

    Raises:
        UsageError: naming the known tags.
    """
    if Path(pretrained).is_file():
        return
    table = known_weights()
    if table is None:
        return
    tags = table.get(model, ())
    # As open_clip compares them.
    if pretrained.lower().replace("-", "_") not in tags:
        raise UsageError(
            f"weights '{pretrained}' of {model}: no such file, and no such tag "
            f"(known tags: {', '.join(tags) or 'none'})"
        )


@functools.cache
def known_weights() -> Mapping[str, tuple[str, ...]] | None:
    """The tags of the weights that open_clip knows, by model; None where its table cannot be read."""
    folder = _open_clip()
    try:
        assert folder is not None
        tree = ast.parse((folder / "pretrained.py").read_text(encoding="utf-8"))
        assigned = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        table = assigned["_PRETRAINED"]
        assert isinstance(table, ast.Dict)
        found: dict[str, tuple[str, ...]] = {}
        quick: dict[str, tuple[str, ...]] = {}
        for key, value in zip(table.keys, table.values, strict=True):
            tags = assigned[value.id] if isinstance(value, ast.Name) else value
            assert isinstance(key, ast.Constant)
            assert isinstance(key.value, str)
            assert isinstance(tags, ast.Call)
            found[key.value] = tuple(tag.arg for tag in tags.keywords if tag.arg is not None)
            # open_clip adds a second name for what was trained with the quick GELU.
            own = tuple(tag.arg for tag in tags.keywords if tag.arg is not None and _is_quick(tag.value))
            if own:
                quick[f"{key.value}-quickgelu"] = own
    except (OSError, SyntaxError, AssertionError, KeyError):
        return None
    return {**found, **quick}


def _is_quick(call: ast.expr) -> bool:
    keywords = call.keywords if isinstance(call, ast.Call) else ()
    return any(
        word.arg == "quick_gelu" and isinstance(word.value, ast.Constant) and word.value.value is True
        for word in keywords
    )


@functools.cache
def _open_clip() -> Path | None:
    """The folder of the package, which is not imported."""
    found: Any = importlib.util.find_spec("open_clip")
    return Path(found.submodule_search_locations[0]) if found and found.submodule_search_locations else None
