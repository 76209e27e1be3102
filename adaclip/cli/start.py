"""A quicker start of the verbs that need a model.

Most of the time in which open_clip loads goes into two things that no method here uses: timm's image models, which
open_clip can do without, and PyTorch's compiler, which one function of torchvision asks whether it is there. What
that saves is in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import types

from adaclip.cli.signals import ending_at_once
from adaclip.system.cores import wait_passively


def start_model(arguments: argparse.Namespace) -> None:
    """Load what a model needs, the quick way where the process is the program's own."""
    if getattr(arguments, "own_process", False):
        wait_passively()
        with ending_at_once():
            load_open_clip()


def load_open_clip() -> None:
    """Import open_clip without timm and without PyTorch's compiler.

    Only for a process that is ours from beginning to end: open_clip has no timm towers in it afterwards. Both can still
    be imported later (optimisers need the compiler's package). Where the short cut does not work, open_clip is imported
    in full by whoever needs it.
    """
    if {"open_clip", "timm", "torchvision", "torch._dynamo"} & sys.modules.keys():
        return
    importlib.import_module("torch")
    compiler, utils = types.ModuleType("torch._dynamo"), types.ModuleType("torch._dynamo.utils")
    utils.is_compile_supported = lambda device: False  # type: ignore[attr-defined]
    compiler.utils = utils  # type: ignore[attr-defined]
    stand_ins = {
        "timm": None,  # importing it raises ImportError
        "torch._dynamo": compiler,
        "torch._dynamo.utils": utils,
    }
    before = set(sys.modules)
    sys.modules.update(stand_ins)  # type: ignore[arg-type]
    try:
        importlib.import_module("open_clip")
    except (ImportError, AttributeError):
        # Half of it may have been loaded.
        for name in set(sys.modules) - before:
            del sys.modules[name]
    finally:
        for name in stand_ins:
            sys.modules.pop(name, None)
