"""A download that is not whole yet: `<name>.part`, and `<name>.part.json` with what it is a part of."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from adaclip.errors import AdaclipError
from adaclip.system.files import remove, write_json

SUFFIX = ".part"


@dataclass(frozen=True)
class Origin:
    """What a part is a part of.

    Attributes:
        url: the file's lasting address.
        sha256: its known checksum, or None.
        validator: the server's ETag or Last-Modified when it was begun, or None.
        size: of the whole in bytes, or None.
    """

    url: str
    sha256: str | None = None
    validator: str | None = None
    size: int | None = None


class Partial:
    """The part of one download.

    Attributes:
        path: `<name>.part` beside the target.
        origin: what it is a part of; of the one that was begun before when that can be continued.
    """

    def __init__(self, target: Path, origin: Origin):
        self.path = target.with_name(target.name + SUFFIX)
        self._note = target.with_name(target.name + SUFFIX + ".json")
        self.origin = origin
        before = self._read_note()
        if before is None:
            self.drop()
        elif before.url == origin.url and before.sha256 in (None, origin.sha256):
            self.origin = replace(before, sha256=origin.sha256)
        elif before.sha256 is None or before.sha256 != origin.sha256:
            self.drop()
        # Else another mirror began the very same bytes: the checksum will tell.

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return self.path.stat().st_size if self.path.exists() else 0

    def resume_headers(self) -> dict[str, str]:
        """Headers that ask for the rest, if the file has not changed since; none when all of it is to be asked for."""
        if not self.size:
            return {}
        if self.origin.validator is not None:
            return {"Range": f"bytes={self.size}-", "If-Range": self.origin.validator}
        if self.origin.sha256 is not None:
            return {"Range": f"bytes={self.size}-"}
        # Nothing would tell whether the rest belongs to the same file.
        self.drop()
        return {}

    def begin(self, validator: str | None, size: int | None) -> None:
        """Note what is coming, before its first byte is written."""
        self.origin = replace(self.origin, validator=validator, size=size)
        write_json(self._note, asdict(self.origin))

    def drop(self) -> None:
        """Forget what is here."""
        try:
            self.path.unlink(missing_ok=True)
            remove(self._note)
        except OSError as error:
            raise AdaclipError(f"cannot remove {self.path}: {error.strerror or error}") from error
        self.origin = replace(self.origin, validator=None, size=None)

    def finish(self, target: Path) -> None:
        """Give the whole file its name."""
        try:
            self.path.rename(target)
            remove(self._note)
        except OSError as error:
            raise AdaclipError(f"cannot write {target}: {error.strerror or error}") from error

    def _read_note(self) -> Origin | None:
        try:
            value: dict[str, Any] = json.loads(self._note.read_text(encoding="utf-8"))
            return Origin(**value)
        except (OSError, ValueError, TypeError):
            return None


def leftovers(folder: Path) -> list[Path]:
    """Parts and their notes in a folder."""
    return sorted([*folder.glob(f"*{SUFFIX}"), *folder.glob(f"*{SUFFIX}.json")])
