"""Whether a data folder still holds what was fetched and prepared, released weights too."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from adaclip.data.fetched import NOTE, read_note
from adaclip.data.manifest import SUMMED, SUMS, read_manifest, read_sums
from adaclip.data.weights import FOLDER as WEIGHTS
from adaclip.errors import AdaclipError
from adaclip.system import records
from adaclip.system.faults import Checked, Fault, digest_of
from adaclip.system.files import read_json
from adaclip.system.pool import each

GONE = "its original was prepared and is no longer here: it is fetched again when it is needed"


def verify_data(data: Path, jobs: int | None = None) -> Checked:
    """Compare prepared sets with their checksums, and what was fetched with its receipts.

    Args:
        data: the data folder, with `prepared`, `raw`, `mirror` and `weights`.
        jobs: processes that read; default one for each core.

    Raises:
        AdaclipError: no such folder.
    """
    if not data.is_dir():
        raise AdaclipError(f"no such folder: {data}")
    found = Checked()
    for folder in _folders(data / "prepared"):
        found.add(verify_prepared(folder, jobs))
    found.add(_verify_fetched(data, jobs))
    return found


def verify_prepared(folder: Path, jobs: int | None = None) -> Checked:
    """Compare a prepared set with its `SHA256SUMS`, and its images and masks with its manifest."""
    found = Checked(1)
    manifest = folder / "manifest.csv"
    try:
        sums = read_sums(folder)
    except AdaclipError:
        found.faults.append(Fault(folder / SUMS, "damaged: it is not what was prepared", (manifest,)))
        return found
    if not sums:
        what = "missing: nobody can say whether the manifest is what was prepared"
        found.faults.append(Fault(folder / SUMS, what, (manifest,)))
        return found
    for name in SUMMED:
        digest = digest_of(folder / name)
        found.files += 1
        if digest != sums[name]:
            # Of two that differ, nobody can say which one is damaged.
            what = f"damaged: it has not the SHA-256 of {folder / SUMS}" if digest else "missing"
            found.faults.append(Fault(folder / name, what, (manifest,)))
    if found.faults:
        found.notes.append(f"images of {folder}: not looked at, their digests are in what is damaged")
        return found
    found.add(_verify_images(folder, manifest, jobs))
    return found


def _verify_images(folder: Path, manifest: Path, jobs: int | None) -> Checked:
    frame = read_manifest(manifest)
    known = dict(zip(frame["image"], frame["sha256"], strict=True))
    known |= {mask: digest for mask, digest in zip(frame["mask"], frame["mask_sha256"], strict=True) if mask}
    if not (folder / "images").is_dir() and not (folder / "masks").is_dir():
        return Checked(notes=[f"images of {folder}: not here, as where results were brought back"])
    found = Checked(len(known))
    digests = each(digest_of, [folder / name for name in known], jobs)
    damaged = []
    for (name, expected), digest in zip(known.items(), digests, strict=True):
        if digest == "":
            found.faults.append(Fault(folder / name, "missing", (manifest,)))
        elif digest != expected:
            damaged.append(folder / name)
    originals = _originals(manifest, damaged)
    for path in damaged:
        what = "damaged: its SHA-256 is not the manifest's"
        original = originals.get(path)
        if original is None:
            found.faults.append(Fault(path, what, (manifest,)))
        else:
            # Linked, not copied: prepared again, the damage would be taken for the original.
            by_hand = f"so is your original {original}, which is the same file: replace it by a good copy first"
            found.faults.append(Fault(path, what, by_hand=by_hand))
    return found


def _originals(manifest: Path, damaged: list[Path]) -> dict[Path, Path]:
    """The user's own files that damaged images are links to."""
    wanted = {}
    for path in damaged:
        facts = path.stat()
        if facts.st_nlink > 1:
            wanted[facts.st_dev, facts.st_ino] = path
    if not wanted:
        return {}
    source = Path(str(read_json(manifest.with_name("prepared.json")).get("source", "")))
    found = {}
    for folder, _, names in os.walk(source):
        for name in names:
            facts = (Path(folder) / name).stat(follow_symlinks=False)
            if (facts.st_dev, facts.st_ino) in wanted:
                found[wanted[facts.st_dev, facts.st_ino]] = Path(folder) / name
    return found


def _verify_fetched(data: Path, jobs: int | None) -> Checked:
    """Receipts, drawn archives and checksums against their records; fetched archives against their receipts."""
    found = Checked()
    paths = list(records.recorded(data)) if (data / records.FOLDER).is_dir() else []
    for path, digest in zip(paths, each(digest_of, paths, jobs), strict=True):
        found.files += 1
        fault = records.fault_of(path, digest)
        if digest == "" and _prepared(data, path):
            found.notes.append(f"{path}: {GONE}")
        elif digest == "":
            found.faults.append(Fault(path, "missing", _made_with(data, path)))
        elif fault and _is_versioned(path):
            found.notes.append(f"{path}: not what was written; git diff says what was changed")
        elif fault:
            found.faults.append(Fault(path, f"damaged: {fault}", _made_with(data, path)))
    faulty = {fault.path for fault in found.faults}
    for folder in [*_folders(data / "raw"), *_folders(data / WEIGHTS)]:
        if folder / NOTE in faulty:
            continue
        for archive in read_note(folder):
            path = folder / archive.name
            digest = digest_of(path)
            found.files += 1
            if digest == "" and folder.parent.name == WEIGHTS:
                found.faults.append(Fault(path, "missing", _made_with(data, path)))
            elif digest == "":
                found.notes.append(f"{path}: {GONE}")
            elif digest != archive.sha256:
                what = f"damaged: its SHA-256 is not that of {folder / NOTE}"
                found.faults.append(Fault(path, what, _made_with(data, path)))
    return found


def _made_with(data: Path, path: Path) -> tuple[Path, ...]:
    """What has to go too so that a set is drawn, fetched and prepared again, or weights are fetched again, and comes
    out with the same receipts.
    """
    parts = path.relative_to(data).parts
    if parts[0] == WEIGHTS and len(parts) > 2:
        return (data / WEIGHTS / f"{parts[1]}{NOTE}",)
    if parts[0] not in ("raw", "mirror") or len(parts) < 2:
        return ()
    name = parts[1].removesuffix(NOTE)
    raw, receipt = data / "raw" / name, data / "raw" / f"{name}{NOTE}"
    behind = (receipt, data / "prepared" / name / "manifest.csv")
    if parts[0] == "mirror":
        return (data / "mirror" / name / SUMS, *behind)
    # Where archives come from stands in the note beside them alone: without it they have to come again.
    return (*_listed(receipt, raw), *behind) if path == raw / NOTE else behind


def _listed(receipt: Path, folder: Path) -> list[Path]:
    """The archives that a receipt lists."""
    try:
        return [folder / Path(str(entry["name"])).name for entry in read_json(receipt)["files"]]
    except (AdaclipError, KeyError, TypeError):
        return []


def _prepared(data: Path, path: Path) -> bool:
    """Whether the set of a fetched or drawn file is prepared, so that the file is no longer needed."""
    made = _made_with(data, path)
    return bool(made) and made[-1].name == "manifest.csv" and made[-1].is_file()


def _is_versioned(path: Path) -> bool:
    """Whether git keeps a file, as it should the checksums that nobody publishes: then others may change it."""
    if not path.name.endswith(".lock.yaml"):
        return False
    with contextlib.suppress(OSError):
        command = ["git", "ls-files", "--error-unmatch", path.name]
        return subprocess.run(command, cwd=path.parent, capture_output=True, check=False).returncode == 0
    return False


def _folders(top: Path) -> list[Path]:
    return sorted(path for path in top.iterdir() if path.is_dir() and path.name[0] != ".") if top.is_dir() else []
