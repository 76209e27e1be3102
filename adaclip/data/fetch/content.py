"""What is asked for, an archive or weights, and how it is told from what servers send instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from adaclip.system.foreign import instead_of_weights, may_begin_weights
from adaclip.system.sniff import ends_well, kind_of, kind_of_file


@dataclass(frozen=True)
class Content:
    """One kind of file.

    Attributes:
        name: what a file of it is called.
        begins: whether a file may be one whose first `adaclip.system.sniff.HEAD` bytes these are.
        fault: what is wrong with a whole file that no checksum vouches for, or "".
        unpacks: whether the folder that it unpacks to would do as well.
    """

    name: str
    begins: Callable[[bytes], bool]
    fault: Callable[[Path], str]
    unpacks: bool = False


def _fault_of_archive(path: Path) -> str:
    kind = kind_of_file(path)
    if kind in (None, "html"):
        return "it is no archive"
    return "" if ends_well(path, kind) else "its end is missing"


def _fault_of_weights(path: Path) -> str:
    what = instead_of_weights(path)
    return f"it is not a checkpoint: it is {what}" if what else ""


ARCHIVE = Content("archive", lambda head: kind_of(head) is not None, _fault_of_archive, unpacks=True)
WEIGHTS = Content("checkpoint", may_begin_weights, _fault_of_weights)
