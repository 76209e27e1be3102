"""A web server on this machine that misbehaves as it is told, and counts what it sends."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Fault:
    """How one answer goes wrong.

    Attributes:
        status: of the answer.
        body: sent instead of the file.
        headers: further ones.
        cut: bytes after which the connection is closed.
        stall: bytes after which nothing more comes, until the client goes away or `Site.go` is set.
    """

    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    stall: int | None = None


@dataclass
class Page:
    """One address.

    Attributes:
        content: the file.
        faults: of the answers to come, in their order; afterwards all are good. None is a good one.
        ranges: whether the server can continue a file.
        tag: its ETag, or None.
        date: its Last-Modified, or None.
        length: whether the length is told beforehand.
        kind: its Content-Type.
        user: the Authorization that is asked for, or None.
    """

    content: bytes
    faults: list[Fault | None] = field(default_factory=list)
    ranges: bool = True
    tag: str | None = '"one"'
    date: str | None = None
    length: bool = True
    kind: str = "application/zip"
    user: str | None = None


@dataclass
class Site:
    """All addresses of a server, and what was asked and sent.

    Attributes:
        url: of the server, without "/" at its end.
        pages: by path.
        asked: (path with query, Range, If-Range) of each request.
        authorised: the Authorization of each request.
        sent: bytes of bodies by path.
        go: set it to end all stalls.
    """

    url: str = ""
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    authorised: list[str | None] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    go: threading.Event = field(default_factory=threading.Event)

    def ranges(self) -> list[str | None]:
        """The Range header of each request."""
        return [wanted for _, wanted, _ in self.asked]


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """Run a server while the block runs."""
    state = Site()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": state}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        state.go.set()
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # Without asking the name service who 127.0.0.1 is.
        TCPServer.server_bind(self)


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.site.asked.append((self.path, self.headers.get("Range"), self.headers.get("If-Range")))
        self.site.authorised.append(self.headers.get("Authorization"))
        page = self.site.pages.get(path)
        fault = (page.faults.pop(0) if page is not None and page.faults else None) or Fault()
        if page is None:
            fault = Fault(404, b"nothing here")
        elif page.user is not None and self.headers.get("Authorization") != page.user:
            fault = Fault(401, b"who are you?")
        page = page or Page(b"")
        body, start = (page.content, self._start(page)) if fault.body is None else (fault.body, None)
        status = 206 if start is not None and fault.status == 200 else fault.status
        if start is not None and start >= len(body):
            status = 416
        self.send_response(status)
        for name, value in self._headers(page, fault, status, len(body), start).items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self._send(path, b"" if status == 416 else body[start or 0 :], fault)

    def _start(self, page: Page) -> int | None:
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if wanted is None or not page.ranges or condition not in (None, page.tag, page.date):
            return None
        return int(wanted[1])

    def _headers(self, page: Page, fault: Fault, status: int, size: int, start: int | None) -> dict[str, str]:
        found = {"Content-Type": page.kind if fault.body is None else "text/html; charset=utf-8"}
        if page.tag is not None:
            found["ETag"] = page.tag
        if page.date is not None:
            found["Last-Modified"] = page.date
        if status == 206:
            found["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        if status == 416:
            found["Content-Range"] = f"bytes */{size}"
            size = start or 0
        if page.length:
            found["Content-Length"] = str(size - (start or 0))
        return {**found, **fault.headers}

    def _send(self, path: str, body: bytes, fault: Fault) -> None:
        end = min(value for value in (fault.cut, fault.stall, len(body)) if value is not None)
        for at in range(0, end, 1 << 16):
            piece = body[at : min(at + (1 << 16), end)]
            self.wfile.write(piece)
            self.site.sent[path] = self.site.sent.get(path, 0) + len(piece)
        self.wfile.flush()
        if fault.stall is not None:
            self.site.go.wait(timeout=30)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass
