"""A parcel: files from the first source that gives them all, each fetched once and checked before it gets its name."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from adaclip.data.fetch import checksums, loopback
from adaclip.data.fetch.content import Content
from adaclip.data.fetch.gdrive import gdrive
from adaclip.data.fetch.http import Request, download
from adaclip.data.fetch.kaggle import kaggle
from adaclip.data.fetch.network import Network, SourceError, session_for
from adaclip.data.fetch.partial import leftovers
from adaclip.data.fetched import DRAWN, DRAWN_NOTE, NOTE, Archive, is_drawn, read_note, write_note
from adaclip.data.sources import File, Source
from adaclip.errors import AdaclipError
from adaclip.system.files import remove, sha256_of
from adaclip.system.locking import alone


@dataclass(frozen=True)
class Parcel:
    """What is fetched as one: the original of a data set, or released weights.

    Attributes:
        id: of the set or the release.
        what: what it is, for messages: `data set` or `released weights`.
        kind: the same in a note of what was fetched: `set` or `weights`.
        key: its entry in the file of recorded checksums.
        sources: where it is, in order of preference; at least one.
        content: what its files are.
        pages: where a person gets it.
        terms: the terms that it comes under, in one line.
        refusal: why nothing is asked for, or "" when it may come.
    """

    id: str
    what: str
    kind: str
    key: str
    sources: tuple[Source, ...]
    content: Content
    pages: tuple[str, ...]
    terms: str
    refusal: str = ""


@dataclass(frozen=True)
class Fetched:
    """What came of it.

    Attributes:
        archives: the files; empty when the user's own original is there instead.
        fetched: how many of them were fetched now.
        kind: of their source: http, gdrive, kaggle; mirror, or drawn for one of simulated files; or own.
    """

    archives: list[Archive]
    fetched: int
    kind: str


@dataclass(frozen=True)
class _Order:
    """One fetching of a parcel.

    Attributes:
        parcel: what is to come.
        out: where to.
        lock: the file of recorded checksums.
        mirror: the only one to ask, or None.
        base: the address of the mirror, or None.
        sums: checksums that the mirror states for itself, by file name.
        network: how patient to be.
        say: told what a person should know.
    """

    parcel: Parcel
    out: Path
    lock: Path
    mirror: str | None
    base: str | None
    sums: dict[str, str]
    network: Network
    say: Callable[[str], None]


@dataclass(frozen=True)
class _Wanted:
    """A file, the checksum that holds for it, and who says so."""

    file: File
    stated_by: str

    @property
    def sha256(self) -> str | None:
        return self.file.sha256


def say(text: str) -> None:
    """Say on standard error what a person should know on the way."""
    print(f"adaclip: {text}", file=sys.stderr)


def fetch_parcel(
    parcel: Parcel,
    out: Path,
    *,
    lock: Path,
    mirror: str | None = None,
    network: Network | None = None,
    say: Callable[[str], None] = say,
) -> Fetched:
    """Bring a parcel's files to `out`; those that are there and right are not asked for again.

    Args:
        parcel: what to fetch.
        out: folder for the files.
        lock: the file that checksums are recorded in which nobody publishes.
        mirror: a folder, or the address of one, that has the files under their names; it is asked instead of the
            sources.
        network: how patient to be.
        say: told what a person should know on the way.

    Raises:
        AdaclipError: `parcel.refusal`, no source gives it, or it cannot be written here.
    """
    busy = f"{parcel.id}: waiting for another adaclip that fetches it"
    with (
        alone(out.parent / f".{out.name}.lock", waiting=lambda: say(busy)),
        _mirrored(mirror) as (base, sums),
    ):
        return _fetch_alone(_Order(parcel, out, lock, mirror, base, sums, network or Network(), say))


def _fetch_alone(order: _Order) -> Fetched:
    parcel, out, say = order.parcel, order.out, order.say
    failures: list[str] = []
    came_now: dict[str, str] = {}
    # A mirror has one place for what several sources have.
    sources = parcel.sources if order.mirror is None else _different(parcel.sources)
    # What is whole here already needs no network, whichever source it is of.
    for source in sorted(sources, key=lambda s: not all((out / file.name).is_file() for file in s.files)):
        wanted = [_wanted(order, file) for file in source.files]
        kind = _kind(source, order.mirror)
        try:
            missing = [each for each in wanted if not _is_here(each, order, kind)]
            if missing and not order.mirror:
                if parcel.refusal:
                    raise AdaclipError(f"{parcel.what} '{parcel.id}': {parcel.refusal}")
                say(f"terms of {parcel.terms}")
            for each in missing:
                came_now[each.file.name] = _fetch_file(each.file, source, order)
        except SourceError as error:
            failures.append(f"{kind} {error}")
            say(f"{parcel.id}: {failures[-1]}")
            continue
        archives = [_archive(each, order, came_now) for each in wanted]
        # Parts, and files of a source that then failed to give the rest.
        names = {archive.name for archive in archives}
        for path in [*leftovers(out), *(out / name for name in came_now if name not in names)]:
            remove(path)
        write_note(out / NOTE, parcel.id, kind, archives, parcel.kind)
        return Fetched(archives, len(missing), kind)
    raise AdaclipError(_by_hand(order, failures))


def _different(sources: tuple[Source, ...]) -> list[Source]:
    """Of sources with the same files the first."""
    found: dict[tuple[tuple[str, str | None, int | None], ...], Source] = {}
    for source in sources:
        found.setdefault(tuple((file.name, file.sha256, file.size) for file in source.files), source)
    return list(found.values())


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


def _wanted(order: _Order, file: File) -> _Wanted:
    if file.name in order.sums:
        return _Wanted(replace(file, sha256=order.sums[file.name], size=None), f"the mirror's {checksums.SUMS}")
    if file.sha256 is not None:
        return _Wanted(file, "its publisher's")
    known = checksums.recorded(order.lock, order.parcel.key).get(file.name)
    return _Wanted(replace(file, sha256=known), f"recorded in {order.lock}" if known else "")


def _is_here(wanted: _Wanted, order: _Order, kind: str) -> bool:
    """Whether a file is here and right.

    Raises:
        AdaclipError: the user's file is another one, or a drawing would replace the real file; neither is overwritten.
    """
    out = order.out
    path = out / wanted.file.name
    if not path.is_file():
        return False
    digest = sha256_of(path)
    ours = {archive.name: archive.sha256 for archive in read_note(out)}.get(path.name) == digest
    # Nobody else vouches for a drawing: it must not pass for the real file.
    if wanted.sha256 is None and not (ours and is_drawn(out)):
        fault = order.parcel.content.fault(path)
        if fault:
            raise AdaclipError(f"{path}: {fault}; remove it to fetch it")
        return True
    if wanted.sha256 == digest:
        return True
    if not ours:
        instead = ", or unpack it there to use it all the same" if order.parcel.content.unpacks else ""
        raise AdaclipError(
            f"{path} has the SHA-256 {digest}, but {wanted.sha256} is {wanted.stated_by}: it is damaged or another "
            f"version; remove it to fetch it{instead}"
        )
    if kind == DRAWN and not is_drawn(out):
        raise AdaclipError(
            f"{path} is the real {order.parcel.content.name}: give drawings another folder ('data' of the "
            "configuration)"
        )
    order.say(f"{path.name}: there is another version of it now, it is fetched anew")
    path.unlink()
    return False


def _fetch_file(file: File, source: Source, order: _Order) -> str:
    """Fetch one file; the address that it came from, as one would write it down."""
    out, base, network = order.out, order.base, order.network
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AdaclipError(f"cannot write into {out}: {error.strerror or error}") from error
    try:
        if base is not None:
            # A served folder has another port each time: what lasts is its path.
            shown = replace(file, url=f"{str(order.mirror).rstrip('/')}/{file.name}")
            request = Request(shown, session_for(base), lambda: base + file.name)
        elif source.kind == "gdrive":
            request = gdrive(file, session_for(network.gdrive), network)
        elif source.kind == "kaggle":
            request = kaggle(file, session_for(network.kaggle), network)
        else:
            request = Request(file, session_for(file.url), lambda: file.url)
        with request.session:
            order.say(f"{order.parcel.id}: fetching {file.name} from {request.file.url}")
            download(replace(request, content=order.parcel.content), out / file.name, network, order.say)
            return request.file.url
    except SourceError as error:
        where = file.url if base is None else base + file.name
        raise SourceError(f"{where}: {error}", error.status) from error


def _archive(wanted: _Wanted, order: _Order, came_now: dict[str, str]) -> Archive:
    """What is written down of a file that is here; its checksum is recorded when nobody has stated one."""
    path = order.out / wanted.file.name
    digest = wanted.sha256 or sha256_of(path)
    before = {archive.name: archive.url for archive in read_note(order.out) if archive.sha256 == digest}
    # Of a file that lay here already it is not known where it came from.
    archive = Archive(path.name, digest, path.stat().st_size, came_now.get(path.name, before.get(path.name, "")))
    # What a mirror states for itself says nothing about the real files.
    if wanted.sha256 is None and not order.sums:
        checksums.record(order.lock, order.parcel.key, archive)
    return archive


def _by_hand(order: _Order, failures: list[str]) -> str:
    parcel = order.parcel
    reasons = "; ".join(f"({number}) {reason}" for number, reason in enumerate(failures, 1))
    names = " and ".join(file.name for file in parcel.sources[0].files)
    if order.mirror:
        return f"{parcel.what} '{parcel.id}': the mirror {order.mirror} does not have it: {reasons}"
    pages = ", ".join(filter(None, parcel.pages))
    unpacked = " (or the folder that it unpacks to)" if parcel.content.unpacks else ""
    return (
        f"{parcel.what} '{parcel.id}': no source gave it: {reasons}. By hand: get it from {pages or 'one of these'}, "
        f"put {names}{unpacked} into {order.out}, and run again"
    )
