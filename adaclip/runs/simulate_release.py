"""Simulated releases: drawn parameters in the layout that a method's authors published theirs in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from adaclip.clip.settings import BackboneSettings
from adaclip.data.fetch.checksums import SUMS
from adaclip.data.fetched import DRAWN_NOTE
from adaclip.data.weights import Release
from adaclip.errors import AdaclipError, UsageError
from adaclip.methods.load import make_method, resolved
from adaclip.methods.registry import find_card
from adaclip.system.files import sha256_of, write_text, write_whole
from adaclip.system.settings import settings


def simulate_release(
    release: Release,
    out: Path,
    backbone: Mapping[str, Any] | None = None,
    model: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
) -> list[Path]:
    """Draw the files of a release, as a mirror that `adaclip weights fetch` takes.

    Beside them SHA256SUMS has their checksums, and SIMULATED.txt says what they are: their names are those of the real
    files, so nothing else would tell.

    Args:
        release: which; its method and its settings decide the parameters.
        out: folder for the files, of this release alone.
        backbone: backbone settings, usually of a small one; None for the release's own.
        model: settings of the method beside the release's, where a small backbone needs others.
        seed: of the method's initial parameters; equal seeds give equal bytes.

    Returns:
        The files.

    Raises:
        UsageError: an unknown method, a backbone or settings that it cannot take, or the folder of another release.
        AdaclipError: the method has no released layout, or not with these files, or the folder cannot be written.
    """
    sums = out / SUMS
    others = {line.split()[-1] for line in sums.read_text(encoding="utf-8").splitlines()} if sums.is_file() else set()
    if others - set(release.files):
        # Its checksums would be gone, and the note would speak of this one alone.
        raise UsageError(f"{out} holds {min(others - set(release.files))}: give each release a folder of its own")
    card = find_card(release.method)
    chosen = settings(BackboneSettings, backbone or release.backbone)
    method = make_method(card, resolved(card, chosen, "reference"), {**release.settings, **(model or {})}, seed=seed)
    content = method.to_released({name: value.detach() for name, value in method.state_dict().items()})
    files = {release.files[0]: content} if len(release.files) == 1 else content
    if not isinstance(files, Mapping) or set(files) != set(release.files):
        raise AdaclipError(f"method {card.id} does not write the files of '{release.id}': {', '.join(release.files)}")
    for name in release.files:
        _save(files[name], out / name)
    write_text(
        out / DRAWN_NOTE,
        f"These are drawn parameters in the layout of {release.title}, made by adaclip weights simulate (seed {seed}, "
        f"backbone {chosen.model} at {chosen.image_size} px).\nNobody has trained or released them.\n",
    )
    write_text(out / SUMS, "".join(f"{sha256_of(out / name)}  {name}\n" for name in release.files))
    return [out / name for name in release.files]


def _save(content: Any, path: Path) -> None:
    try:
        with write_whole(path) as part, part.open("wb") as stream:
            torch.save(content, stream)
    except RuntimeError as error:  # how torch says that the disk is full
        raise AdaclipError(f"cannot write {path}: {' '.join(str(error).split())[:200]}") from error
