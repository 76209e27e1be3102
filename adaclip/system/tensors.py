"""Tensors by name in one safetensors file, whole or not at all, with a digest of everything in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from adaclip.errors import AdaclipError
from adaclip.system.files import write_whole

#: Metadata key of the SHA-256 of the header without it (names, types, shapes, metadata) and of all tensors' bytes.
DIGEST = "content_sha256"


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and metadata; equal content gives equal bytes.

    Raises:
        AdaclipError: the file cannot be written.
    """
    content = safetensors.torch.save(dict(tensors), metadata=dict(metadata))
    # The library writes metadata in a random order. A file is: length of the header, header as JSON, tensors.
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header["__metadata__"] = dict(metadata)
    values = memoryview(content)[start:]
    header["__metadata__"][DIGEST] = _digest(header, values)
    text = _header(header)
    with write_whole(path) as part, part.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        stream.write(values)


def read_tensors(path: str | Path, what: str, again: str) -> tuple[dict[str, Tensor], dict[str, str], bool]:
    """Read what `write_tensors` wrote, checked to the last bit.

    Args:
        path: the file.
        what: what it is, for errors, such as "features".
        again: what to do about a damaged one, for errors.

    Returns:
        Tensors by name on the CPU; the metadata, without the digest; whether there was a digest to check: files of
        other programs, and of this one's first version, have none.

    Raises:
        AdaclipError: missing, no safetensors file, or not what was written.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise AdaclipError(f"no such {what}: {path}") from None
    except OSError as error:
        raise AdaclipError(f"cannot read {what} {path}: {error.strerror or error}") from error
    try:
        tensors = safetensors.torch.load(content)
        start = 8 + int.from_bytes(content[:8], "little")
        header: dict[str, Any] = json.loads(content[8:start])
    # A flipped bit in the header can end in nearly any exception.
    except Exception as error:
        raise AdaclipError(f"cannot read {what} {path}: {' '.join(str(error).split())[:200]}: {again}") from error
    metadata: dict[str, str] = header.get("__metadata__") or {}
    if DIGEST not in metadata:
        return tensors, metadata, False
    right = content[8:start] == _header(header) and metadata[DIGEST] == _digest(header, memoryview(content)[start:])
    if not right:
        raise AdaclipError(f"{what} {path} is damaged: its content is not what was written (SHA-256): {again}")
    return tensors, {key: value for key, value in metadata.items() if key != DIGEST}, True


def _header(header: Mapping[str, Any]) -> bytes:
    """The one text that stands for a header in our files, filled up as the format wants it."""
    ordered = {**header, "__metadata__": dict(sorted(header["__metadata__"].items()))}
    text = json.dumps(ordered, separators=(",", ":"), ensure_ascii=False).encode()
    return text + b" " * (-len(text) % 8)


def _digest(header: Mapping[str, Any], values: memoryview) -> str:
    """SHA-256 of the header as it is without the digest, and of the tensors' bytes."""
    metadata = {key: value for key, value in header["__metadata__"].items() if key != DIGEST}
    digest = hashlib.sha256(_header({**header, "__metadata__": metadata}))
    digest.update(values)
    return digest.hexdigest()
