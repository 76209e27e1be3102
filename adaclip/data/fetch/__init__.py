"""Fetching originals: from the first source that gives a set whole, each file once, checked before it gets its name."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from adaclip.data.fetch import checksums, loopback
from adaclip.data.fetch.gdrive import gdrive
from adaclip.data.fetch.http import Request, download
from adaclip.data.fetch.kaggle import kaggle
from adaclip.data.fetch.network import Network, SourceError, session_for
from adaclip.data.fetch.partial import leftovers
from adaclip.data.fetched import Archive, DRAWN, DRAWN_NOTE, NOTE, is_drawn, own_files, read_note, write_note
from adaclip.data.licences import how_to_accept, licence_of, not_accepted
from adaclip.data.registry import Dataset, chosen_sources
from adaclip.data.sources import File, Source
from adaclip.errors import AdaclipError, UsageError
from adaclip.system.files import remove, sha256_of
from adaclip.system.locking import alone


@dataclass(frozen=True)
class Fetched:
    """What came of it.

    Attributes:
        archives: the set's archives; empty when the user's own original is there instead.
        fetched: how many of them were fetched now.
        kind: of their source: http, gdrive, kaggle; mirror, or drawn for one of simulated originals; or own.
    """

    archives: list[Archive]
    fetched: int
    kind: str


@dataclass(frozen=True)
class _Wanted:
    """A file, the checksum that holds for it, and who says so."""

    file: File
    stated_by: str

    @property
    def sha256(self) -> str | None:
        return self.file.sha256


def _say(text: str) -> None:
    print(f"adaclip: {text}", file=sys.stderr)


def fetch(
    dataset: Dataset,
    out: Path,
    *,
    lock: Path,
    mirror: str | None = None,
    accepted: bool = False,
    network: Network | None = None,
    say: Callable[[str], None] = _say,
) -> Fetched:
    """Bring a set's archives to `out`.

    What is there already is used: the user's own folder or archive as it is, an archive with a source's name after its
    checksum was compared.

    Args:
        dataset: the registry entry.
        out: folder of the original, data/raw/<id>.
        lock: the file that checksums are recorded in which nobody publishes.
        mirror: a folder, or the address of one, that has the archives under their names; it is asked instead of the
            set's sources.
        accepted: whether the user accepts the set's licence.
        network: how patient to be.
        say: told what a person should know on the way.

    Raises:
        AdaclipError: the licence is not accepted, no source gives the set, or it cannot be written here.
    """
    network = network or Network()
    own = [Path(dataset.raw)] if dataset.raw is not None else own_files(dataset, out)
    if own:
        if not own[0].exists():
            raise AdaclipError(f"data set '{dataset.id}': no such file or folder: {own[0]} (the 'raw' of its entry)")
        say(f"{dataset.id}: {own[0]} is your own, nothing is fetched")
        return Fetched([], 0, "own")
    if dataset.sources and not chosen_sources(dataset):
        raise UsageError(
            f"data set '{dataset.id}': none of its sources is {dataset.arrangement}: take 'arrangement' out of its entry"
        )
    if not dataset.sources:
        raise UsageError(
            f"data set '{dataset.id}' has no sources: put it into {out}, or say where it is ('raw'); "
            "adaclip data list shows the sets that have"
        )
    busy = f"{dataset.id}: waiting for another adaclip that fetches it"
    with alone(out.parent / f".{out.name}.lock", waiting=lambda: say(busy)):
        return _fetch_alone(dataset, out, lock, mirror, accepted, network, say)


def _fetch_alone(
    dataset: Dataset,
    out: Path,
    lock: Path,
    mirror: str | None,
    accepted: bool,
    network: Network,
    say: Callable[[str], None],
) -> Fetched:
    failures: list[str] = []
    came_now: dict[str, str] = {}
    with _mirrored(mirror) as (base, sums):
        # What is whole here already needs no network, whichever source it is of.
        for source in sorted(
            chosen_sources(dataset), key=lambda s: not all((out / file.name).is_file() for file in s.files)
        ):
            wanted = [_wanted(dataset, file, lock, sums) for file in source.files]
            kind = _kind(source, mirror)
            try:
                missing = [each for each in wanted if not _is_here(each, out, kind, say)]
                if missing and not mirror:
                    _show_licence(dataset, accepted, say)
                for each in missing:
                    came_now[each.file.name] = _fetch_file(dataset, each.file, out, source, base, mirror, network, say)
            except SourceError as error:
                failures.append(f"{kind} {error}")
                say(f"{dataset.id}: {failures[-1]}")
                continue
            archives = [_archive(dataset, each, out, lock, came_now, record=not sums) for each in wanted]
            # Parts, and files of a source that then failed to give the rest.
            names = {archive.name for archive in archives}
            for path in [*leftovers(out), *(out / name for name in came_now if name not in names)]:
                remove(path)
            write_note(out / NOTE, dataset.id, kind, archives)
            return Fetched(archives, len(missing), kind)
    raise AdaclipError(_by_hand(dataset, out, failures, mirror))


@contextlib.contextmanager
def _mirrored(mirror: str | None) -> Iterator[tuple[str | None, dict[str, str]]]:
    """The address of a mirror, and the checksums that it states for itself."""
    if mirror is None:
        yield None, {}
    elif mirror.startswith(("http://", "https://")):
        yield mirror.rstrip("/") + "/", {}
    else:
        with loopback.serve(Path(mirror)) as base:
            yield base, checksums.sums_of(Path(mirror))


def _kind(source: Source, mirror: str | None) -> str:
    if mirror is None:
        return source.kind
    return DRAWN if (Path(mirror) / DRAWN_NOTE).is_file() else "mirror"


def _wanted(dataset: Dataset, file: File, lock: Path, sums: dict[str, str]) -> _Wanted:
    if file.name in sums:
        return _Wanted(replace(file, sha256=sums[file.name], size=None), f"the mirror's {checksums.SUMS}")
    if file.sha256 is not None:
        return _Wanted(file, "its publisher's")
    known = checksums.recorded(lock, dataset.id).get(file.name)
    return _Wanted(replace(file, sha256=known), f"recorded in {lock}" if known else "")


def _is_here(wanted: _Wanted, out: Path, kind: str, say: Callable[[str], None]) -> bool:
    """Whether a file is here and right.

    Raises:
        AdaclipError: the user's file is another one, or a drawing would replace the real archive; neither is overwritten.
    """
    path = out / wanted.file.name
    if not path.is_file():
        return False
    digest = sha256_of(path)
    ours = {archive.name: archive.sha256 for archive in read_note(out)}.get(path.name) == digest
    # Nobody else vouches for a drawing: it must not pass for the real archive.
    if wanted.sha256 == digest or (wanted.sha256 is None and not (ours and is_drawn(out))):
        return True
    if not ours:
        raise AdaclipError(
            f"{path} has the SHA-256 {digest}, but {wanted.sha256} is {wanted.stated_by}: it is damaged or another "
            "version; remove it to fetch it, or unpack it there to use it all the same"
        )
    if kind == DRAWN and not is_drawn(out):
        raise AdaclipError(f"{path} is the real archive: give drawings another folder ('data' of the configuration)")
    say(f"{path.name}: there is another version of it now, it is fetched anew")
    path.unlink()
    return False


def _fetch_file(
    dataset: Dataset,
    file: File,
    out: Path,
    source: Source,
    base: str | None,
    mirror: str | None,
    network: Network,
    say: Callable[[str], None],
) -> str:
    """Fetch one file; the address that it came from, as one would write it down."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AdaclipError(f"cannot write into {out}: {error.strerror or error}") from error
    try:
        if base is not None:
            # A served folder has another port each time: what lasts is its path.
            shown = replace(file, url=f"{str(mirror).rstrip('/')}/{file.name}")
            request = Request(shown, session_for(base), lambda: base + file.name)
        elif source.kind == "gdrive":
            request = gdrive(file, session_for(network.gdrive), network)
        elif source.kind == "kaggle":
            request = kaggle(file, session_for(network.kaggle), network)
        else:
            request = Request(file, session_for(file.url), lambda: file.url)
        with request.session:
            say(f"{dataset.id}: fetching {file.name} from {request.file.url}")
            download(request, out / file.name, network, say)
            return request.file.url
    except SourceError as error:
        where = file.url if base is None else base + file.name
        raise SourceError(f"{where}: {error}", error.status) from error


def _archive(
    dataset: Dataset, wanted: _Wanted, out: Path, lock: Path, came_now: dict[str, str], record: bool
) -> Archive:
    """What is written down of a file that is here; its checksum is recorded when nobody has stated one."""
    path = out / wanted.file.name
    digest = wanted.sha256 or sha256_of(path)
    before = {archive.name: archive.url for archive in read_note(out) if archive.sha256 == digest}
    # Of a file that lay here already it is not known where it came from.
    archive = Archive(path.name, digest, path.stat().st_size, came_now.get(path.name, before.get(path.name, "")))
    if wanted.sha256 is None and record:
        checksums.record(lock, dataset.id, archive)
    return archive


def _show_licence(dataset: Dataset, accepted: bool, say: Callable[[str], None]) -> None:
    if not accepted and not_accepted([dataset], ()):
        raise AdaclipError(f"data set '{dataset.id}': {how_to_accept([dataset])}")
    say(f"terms of {licence_of(dataset)}")


def _by_hand(dataset: Dataset, out: Path, failures: list[str], mirror: str | None) -> str:
    reasons = "; ".join(f"({number}) {reason}" for number, reason in enumerate(failures, 1))
    names = " and ".join(file.name for file in chosen_sources(dataset)[0].files)
    if mirror:
        return f"data set '{dataset.id}': the mirror {mirror} does not have it: {reasons}"
    pages = ", ".join(filter(None, (dataset.url, *dataset.pages)))
    return (
        f"data set '{dataset.id}': no source gave it: {reasons}. By hand: get it from {pages or 'one of these'}, put "
        f"{names} (or the folder that it unpacks to) into {out}, and run again"
    )
