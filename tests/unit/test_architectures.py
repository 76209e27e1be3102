"""What is read of models without PyTorch is what open_clip makes of them: every model, and every tag."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from adaclip.clip.architectures import Architecture, check_backbone, known_weights, read_architecture
from adaclip.clip.settings import BackboneSettings
from adaclip.errors import UsageError
from adaclip.methods.adaclip.card import check
from adaclip.methods.adaclip.settings import AdaCLIPSettings


def test_sizes_are_those_of_the_towers_that_open_clip_makes():
    import open_clip
    import torch

    from adaclip.clip.backbone import _check_architecture

    # Other tests add models of their own to the list.
    folder = Path(open_clip.__file__).with_name("model_configs")
    for name in (path.stem for path in folder.glob("*.json")):
        config = open_clip.get_model_config(name)
        own_text = config.pop("custom_text", False) or "hf_model_name" in config["text_cfg"]
        made: Architecture | None = None
        if not own_text and "multimodal_cfg" not in config and "timm_model_name" not in config["vision_cfg"]:
            with torch.device("meta"):
                clip = open_clip.CLIP(**config)
            try:
                _check_architecture(clip, name)
                blocks = len(clip.visual.transformer.resblocks), len(clip.transformer.resblocks)
                size = config["vision_cfg"]["image_size"]
                made = Architecture(name, int(clip.visual.patch_size[0]), *blocks, int(clip.context_length), size)
            except UsageError:
                pass
        if made is None:
            with pytest.raises(UsageError, match="is not supported"):
                read_architecture(name)
        else:
            assert read_architecture(name) == made


def test_tags_are_those_of_open_clip():
    import open_clip

    table = known_weights()
    assert table is not None
    models = {*open_clip.list_models(), *table}
    assert {name: list(table.get(name, ())) for name in models} == {
        name: open_clip.list_pretrained_tags_by_model(name) for name in models
    }


def test_nothing_of_it_loads_pytorch():
    lines = (
        "import sys",
        "from adaclip.clip.architectures import check_backbone",
        "from adaclip.clip.settings import BackboneSettings",
        "check_backbone(BackboneSettings('ViT-L-14-336', 'openai', 518))",
        "sys.exit('torch' in sys.modules)",
    )
    assert subprocess.run([sys.executable, "-c", "\n".join(lines)], check=False).returncode == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            BackboneSettings("tiny", image_size=140),
            "image_size 140 is not a multiple of tiny's patch size 8: use 136",
        ),
        (BackboneSettings("ViT-B-16", image_size=518), "patch size 16: use 512 or 528"),
        (BackboneSettings("ViT-L-14", "openay"), "known tags: openai, laion400m_e31, "),
        (BackboneSettings("../models/tiny", image_size=56), "unknown model '../models/tiny'"),
        (
            BackboneSettings("RN50", image_size=224),
            "RN50 is not supported: methods need a CLIP with a ViT vision tower",
        ),
        (BackboneSettings("ViT-B-16-SigLIP", image_size=224), "ViT-B-16-SigLIP is not supported"),
        (BackboneSettings("gone.json"), "no such model config: gone.json"),
    ],
)
def test_what_cannot_be_made_is_refused(settings, words):
    with pytest.raises(UsageError, match=words):
        check_backbone(settings)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"vision_cfg": {"layers": [2, 2, 2, 2]}}, "is not supported"),
        ({"vision_cfg": {"patch_size": 0}}, "must be whole numbers from 1"),
        ({"vision_cfg": 3}, "vision_cfg and text_cfg are no mappings"),
        ({"text_cfg": {"context_length": "77"}}, "must be whole numbers from 1"),
    ],
)
def test_a_model_config_of_ones_own_is_looked_into(tmp_path, change, words):
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"embed_dim": 64, "vision_cfg": {}, "text_cfg": {}, **change}))
    with pytest.raises(UsageError, match=words):
        read_architecture(str(path))


def test_prompts_fit_the_towers_that_get_them():
    tiny = read_architecture("tiny")
    check(tiny, AdaCLIPSettings("SD", "V", 8, 100))
    check(tiny, AdaCLIPSettings("none", "VL", 99, 100))
    with pytest.raises(UsageError, match="prompt_depth 5 is more than the 4 blocks of the text tower"):
        check(tiny, AdaCLIPSettings("S", "VL", 5, 5))
    with pytest.raises(UsageError, match="prompt_depth 9 is more than the 8 blocks of the vision tower"):
        check(tiny, AdaCLIPSettings("D", "V", 9, 5))
    with pytest.raises(UsageError, match="prompt_length 77 does not fit the text tower's context of 77 tokens"):
        check(tiny, AdaCLIPSettings("D", "L", 1, 77))
