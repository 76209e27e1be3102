"""Files that were given as a checkpoint: which of the two layouts they have, or what they are instead.

A suffix says little: `.pt`, `.PTH` and `.bin` are all in use, and a failed download is a web page with any name.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from adaclip.errors import AdaclipError
from adaclip.system.sniff import HEAD, kind_of, page_title

#: `safetensors`, or `torch`: what `torch.save` writes, a zip of its own or, in older files, a pickle.
Kind = Literal["safetensors", "torch"]

_IMAGES = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"BM": "a BMP image",
    b"II*\x00": "a TIFF image",
    b"MM\x00*": "a TIFF image",
    b"%PDF": "a PDF document",
    b"\x89HDF": "an HDF5 file (Keras weights are such files)",
    b"\x93NUMPY": "a NumPy array",
    b"GGUF": "a GGUF file (the weights of a language model)",
}
#: How far a page is read for its title.
PAGE = 65_536


def kind_of_checkpoint(path: Path) -> Kind:
    """Which layout of weights a file has, by its content.

    Raises:
        AdaclipError: it is missing, a folder, empty, cut short, or something else, which is named.
    """
    if not path.exists():
        raise AdaclipError(f"no such checkpoint: {path}")
    if path.is_dir():
        raise AdaclipError(f"{path} is a folder, not a checkpoint: give the file in it")
    try:
        kind, what = _told(path)
    except OSError as error:
        raise AdaclipError(f"cannot read checkpoint {path}: {error.strerror or error}") from error
    if kind is None:
        raise AdaclipError(f"{path} is not a checkpoint: it is {what}")
    return kind


def instead_of_weights(path: Path) -> str:
    """What a file is that is no checkpoint, or what is damaged in one; "" for a good one.

    Raises:
        OSError: it cannot be read.
    """
    kind, what = _told(path)
    if kind is None:
        return what
    damaged = damaged_member(path)
    return f"a damaged one: {damaged}" if damaged else ""


def may_begin_weights(head: bytes) -> bool:
    """Whether a file may be a checkpoint whose first bytes these are."""
    return _by_head(head) is not None or kind_of(head[:HEAD]) == "zip"


def _told(path: Path) -> tuple[Kind | None, str]:
    """The layout of a file of weights; for another file None, and what it is."""
    with path.open("rb") as stream:
        head = stream.read(PAGE)
    kind = _by_head(head)
    if kind is not None:
        return kind, ""
    if kind_of(head[:HEAD]) == "zip":
        what = _packed(path)
        return ("torch", "") if what is None else (None, what)
    return None, _other(head)


def _by_head(head: bytes) -> Kind | None:
    """The layout, where the first bytes alone tell."""
    if len(head) > 9 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**40:
        return "safetensors"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "torch"
    return None


def damaged_member(path: Path) -> str:
    """What is damaged in a zip of `torch.save`, by the checksums in it, which torch does not ask; "" for nothing."""
    if not zipfile.is_zipfile(path):
        return ""
    try:
        with zipfile.ZipFile(path) as archive:
            name = archive.testzip()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, zlib.error) as error:
        return " ".join(str(error).split())
    return f"{name} does not have its checksum (CRC-32)" if name else ""


def _packed(path: Path) -> str | None:
    """What a zip is, or None for one that `torch.save` wrote."""
    if not zipfile.is_zipfile(path):
        return "the beginning of a longer file: get a whole copy of it"
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        return f"a damaged zip archive ({error}): get another copy of it"
    inner = {name.rsplit("/", 1)[-1] for name in names}
    if "constants.pkl" in inner:
        return (
            "a whole program (TorchScript, as OpenAI publishes CLIP): such weights belong under 'pretrained' of a "
            "backbone"
        )
    if "data.pkl" in inner:
        return None
    held = next((name for name in names if name.lower().endswith((".pth", ".pt", ".safetensors"))), None)
    if held is not None:
        return f"a zip archive that holds {held}: unpack it, and give that file"
    return f"a zip archive without weights (it begins with {names[0]})" if names else "an empty zip archive"


def _other(head: bytes) -> str:
    if not head:
        return "an empty file: get another copy of it"
    if not head.strip(b"\0"):
        return "a file of zeros, as an interrupted download leaves it: get another copy of it"
    kind = kind_of(head[:HEAD])
    if kind == "html":
        title = page_title(head)
        return f"a web page{f' ({title})' if title else ''}, as a failed download leaves it: fetch the file again"
    if kind is not None:
        return f"a {kind} archive: unpack it, and give the file of weights in it"
    if head.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS, not the file itself: run git lfs pull where it comes from"
    if _is_text(head[:HEAD]):
        return f"a text file that begins with '{' '.join(head[:HEAD].decode('utf-8', 'ignore').split())[:40]}'"
    image = next((what for magic, what in _IMAGES.items() if head.startswith(magic)), None)
    return image or "neither a safetensors file nor one of torch.save, or it is damaged: get another copy of it"


def _is_text(head: bytes) -> bool:
    # The last character may be cut.
    for cut in range(4):
        try:
            text = head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return all(letter.isprintable() or letter.isspace() for letter in text)
    return False


def other_model(names: Collection[str], prefix: str = "") -> str:
    """What a state dict is whose parameters are not those of the method.

    Args:
        names: of what it holds, in its order.
        prefix: of every name in the method's released layout, if they have one in common.
    """
    if not names:
        return "it holds no parameters"
    first = next(iter(names))
    if any(name.endswith("visual.conv1.weight") for name in names) and any("token_embedding" in n for n in names):
        return "these are CLIP's own weights: they belong under 'pretrained' of a backbone"
    wrapped = [name for name in names if name in ("state_dict", "model", "model_state_dict", "optimizer", "epoch")]
    if wrapped:
        return f"it is the training state of another program (it holds {', '.join(wrapped)})"
    wanted = f", whose names do not begin with {prefix}" if prefix else ""
    return f"it holds another model's parameters (the first is called {first}){wanted}"
