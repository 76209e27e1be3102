"""What is wrong with a file that was written earlier."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adaclip.system.files import remove, sha256_of


@dataclass(frozen=True)
class Fault:
    """One file that is not as it was written.

    Attributes:
        path: the file.
        what: `damaged`, `missing` or `not recorded`, with the reason.
        remove: other files that have to go with it so that the workflow makes it again.
        by_hand: what the user has to do first, since it cannot be made again as it is; or "".
    """

    path: Path
    what: str
    remove: tuple[Path, ...] = ()
    by_hand: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.what}" + (f": {self.by_hand}" if self.by_hand else "")


@dataclass
class Checked:
    """What a check found.

    Attributes:
        files: how many were compared with what is known of them.
        faults: in the order of the files.
        notes: what is worth knowing and is no fault.
    """

    files: int = 0
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: Checked) -> None:
        """Take in what another check found."""
        self.files += other.files
        self.faults += other.faults
        self.notes += other.notes


def digest_of(path: Path) -> str:
    """SHA-256 of a file; "" when it is not there, "unreadable" when it cannot be read."""
    try:
        return sha256_of(path)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError:
        return "unreadable"


def remove_faulty(faults: Sequence[Fault]) -> list[Path]:
    """Remove what is damaged and what was made with it, with their records.

    Returns:
        The files that are gone now.
    """
    gone = []
    for path in dict.fromkeys(path for fault in faults if not fault.by_hand for path in (fault.path, *fault.remove)):
        existed = path.exists()
        with contextlib.suppress(OSError):
            remove(path)
        if existed and not path.exists():
            gone.append(path)
    return gone
