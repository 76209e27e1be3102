"""The quicker start gives the same model, and leaves nothing behind that is not real."""

from __future__ import annotations

import subprocess
import sys

import pytest

SAME = """
import sys
if sys.argv[1] == "lean":
    from adaclip.cli.start import load_open_clip
    load_open_clip()
    assert "timm" not in sys.modules and "torch._dynamo" not in sys.modules
import torch
from adaclip import AdaCLIP, load_backbone
torch.manual_seed(0)
model = AdaCLIP(load_backbone("tiny", image_size=32), prompt_depth=2, clusters=2)
images = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
print(model.predict(images, ["nut"]).anomaly_map.double().sum().item())
optimiser = torch.optim.AdamW(model.parameters())
import torch._dynamo
assert hasattr(torch._dynamo, "disable"), "the real one"
"""

BROKEN = """
import sys, types
from adaclip.cli import start
real = start.importlib.import_module
def fails(name):
    if name == "open_clip":
        real("torchvision")
        raise AttributeError("as if the stand-in were not enough")
    return real(name)
start.importlib = types.SimpleNamespace(import_module=fails)
start.load_open_clip()
assert "torchvision" not in sys.modules
import open_clip
import torch._dynamo
assert open_clip.timm_model.timm is not None
assert hasattr(torch._dynamo, "disable")
"""


def run(code: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_gives_the_same_numbers():
    assert run(SAME, "lean") == run(SAME, "plain")


@pytest.mark.timeout(120)
def test_falls_back_to_the_full_import():
    run(BROKEN)
