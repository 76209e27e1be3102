"""Files over HTTP(S): continued where they stopped, checked before they get their name."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3

from adaclip.data.fetch.content import ARCHIVE, Content
from adaclip.data.fetch.network import BROKEN, Network, PassingError, SourceError, ask, patiently, reason_of
from adaclip.data.fetch.partial import Origin, Partial
from adaclip.data.sources import File
from adaclip.errors import AdaclipError
from adaclip.system.files import sha256_of
from adaclip.system.progress import progress
from adaclip.system.sniff import HEAD, kind_of, page_title

#: Bytes that are read at once at most.
_CHUNK = 1 << 20
#: Bytes of a web page that are read to find out what it says.
_PAGE = 1 << 16


def what_page(page: bytes) -> str:
    """What a web page means that came instead of a file, when nothing more is known than its title."""
    title = page_title(page)
    return "a web page came instead of the file" + (f" (“{title}”)" if title else "")


@dataclass(frozen=True)
class Request:
    """How one file is asked for.

    Attributes:
        file: which; its url is its lasting address.
        session: proxies, headers and credentials.
        locate: gives the address of this try, which may not last (Google Drive's do not).
        explain: says in words what a web page means that came instead of the file.
        refusal: what to do when the server refuses us (status 401 or 403), or "".
        content: what the file has to be.
    """

    file: File
    session: requests.Session
    locate: Callable[[], str]
    explain: Callable[[bytes], str] = what_page
    refusal: str = ""
    content: Content = ARCHIVE


def download(request: Request, target: Path, network: Network, say: Callable[[str], None]) -> str:
    """Fetch one file, from where an earlier try stopped.

    The bytes grow in `<name>.part`, which stays when this fails or is killed; the file gets its name when it is whole,
    what was asked for, and what its checksum says.

    Args:
        request: what to ask for, and how.
        target: the file to write.
        network: how patient to be.
        say: told what a person should know on the way.

    Returns:
        Hexadecimal SHA-256 of the file.

    Raises:
        SourceError: this source does not give the file.
        AdaclipError: it cannot be written here.
    """
    partial = Partial(target, Origin(request.file.url, request.file.sha256))
    continued = partial.size > 0
    while True:
        patiently(network, lambda: _continue(request, partial, network, say), say)
        fault, digest = _check(partial, request)
        if not fault:
            partial.finish(target)
            return digest
        partial.drop()
        if not continued:
            raise SourceError(fault)
        say(f"{target.name}: {fault}: fetching it from its beginning")
        continued = False


def _continue(request: Request, partial: Partial, network: Network, say: Callable[[str], None]) -> None:
    """Ask for what is missing and write it, until the file is whole."""
    before = partial.size
    try:
        answer = ask(request.session, request.locate(), network, partial.resume_headers())
    except SourceError as error:
        if error.status in (401, 403) and request.refusal:
            raise SourceError(f"{error}: {request.refusal}", error.status) from error
        raise
    with answer:
        if answer.status_code == 416:
            if partial.size and _total(answer) in (None, partial.size):
                return
            partial.drop()
            raise PassingError("what is here does not fit the file at the server")
        total = _accept(answer, request.file, partial, say)
        _check_room(partial, total)
        body = _body(answer)
        if not partial.size:
            head = _read_head(body)
            _check_head(head, body, request)
            partial.begin(_validator(answer), total)
        else:
            head = b""
        ended = False
        try:
            _write(partial, head, body, total)
        except urllib3.exceptions.ProtocolError:
            ended = True
        except BROKEN as error:
            raise PassingError(reason_of(error), progressed=partial.size > before) from error
    if ended or (total is not None and partial.size < total):
        size = f"{partial.size} of {total} bytes" if total is not None else f"{partial.size} bytes"
        raise PassingError(f"the connection ended after {size}", progressed=partial.size > before)


def _accept(answer: requests.Response, file: File, partial: Partial, say: Callable[[str], None]) -> int | None:
    """The size of the whole file, when the answer is one that continues what is here; else what is here is dropped."""
    total = _total(answer)
    if answer.status_code == 206:
        start = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
        known = partial.origin.size
        if start is None or int(start[1]) != partial.size or (None not in (known, total) and known != total):
            partial.drop()
            raise PassingError("the server sends another piece than the one that is missing")
    elif partial.size:
        say(f"{file.name}: the server does not continue it, or it has changed there: fetching it from its beginning")
        partial.drop()
    if file.size is not None and total is not None and total != file.size:
        raise SourceError(f"the file there has {total} bytes, expected {file.size}")
    return total


def _total(answer: requests.Response) -> int | None:
    """Bytes of the whole file, as far as the answer's head tells."""
    if answer.status_code in (206, 416):
        found = re.search(r"/(\d+)$", answer.headers.get("Content-Range", ""))
        return int(found[1]) if found else None
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else None


def _validator(answer: requests.Response) -> str | None:
    """What tells this version of the file from a later one; a weak ETag does not vouch for the bytes."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified")


def _body(answer: requests.Response) -> Iterator[bytes]:
    """The bytes as they come in: what has been received is written at once, and not lost when we are killed."""
    while chunk := answer.raw.read1(_CHUNK, decode_content=False):
        yield chunk


def _read_head(body: Iterator[bytes], size: int = HEAD) -> bytes:
    head = b""
    try:
        while len(head) < size and (chunk := next(body, b"")):
            head += chunk
    except BROKEN as error:
        raise PassingError(reason_of(error)) from error
    return head


def _check_head(head: bytes, body: Iterator[bytes], request: Request) -> None:
    if not head:
        raise PassingError("the answer is empty")
    if kind_of(head) == "html":
        raise SourceError(request.explain(head + _read_head(body, _PAGE - len(head))))
    if len(head) >= HEAD and not request.content.begins(head):
        raise SourceError(f"what comes is no {request.content.name} (it begins with {head[:16]!r})")


def _check_room(partial: Partial, total: int | None) -> None:
    if total is None:
        return
    missing = total - partial.size
    free = shutil.disk_usage(partial.path.parent).free
    if missing > free:
        raise AdaclipError(
            f"{partial.path.parent} has room for {free / 1e9:.3g} GB, but {missing / 1e9:.3g} GB of "
            f"{partial.path.stem} are to come: make room, or point 'data' of the configuration to a larger disk"
        )


def _write(partial: Partial, head: bytes, body: Iterator[bytes], total: int | None) -> None:
    try:
        stream = partial.path.open("ab", buffering=0)
    except OSError as error:
        raise AdaclipError(f"cannot write {partial.path}: {error.strerror or error}") from error
    with stream, progress(total, partial.path.stem, unit="B", done=partial.size) as bar:
        chunk = head or next(body, b"")
        while chunk:
            rest = memoryview(chunk)
            while rest:
                try:
                    rest = rest[stream.write(rest) :]
                except OSError as error:
                    raise AdaclipError(
                        f"cannot write {partial.path}: {error.strerror or error}; what is there is kept, and the next "
                        "run goes on from it"
                    ) from error
            bar.update(len(chunk))
            chunk = next(body, b"")


def _check(partial: Partial, request: Request) -> tuple[str, str]:
    """What is wrong with a whole download ("" for nothing), and its SHA-256."""
    size, file = partial.size, request.file
    if file.size is not None and size != file.size:
        return f"it has {size} bytes, expected {file.size}", ""
    digest = sha256_of(partial.path)
    if file.sha256 is not None:
        return ("" if digest == file.sha256 else f"its SHA-256 is {digest}, expected {file.sha256}"), digest
    return request.content.fault(partial.path), digest
