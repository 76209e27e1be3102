"""A folder of archives over HTTP on this machine, so that a mirror on disk is fetched as one on the network is."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from collections.abc import Iterator
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from adaclip.errors import AdaclipError

_CHUNK = 1 << 20


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve the files of a folder (not of its subfolders) on 127.0.0.1 while the block runs.

    Yields:
        The address of the folder, with a "/" at its end.

    Raises:
        AdaclipError: no such folder, or no port.
    """
    if not folder.is_dir():
        raise AdaclipError(f"no such mirror folder: {folder}")
    try:
        server = _Server(("127.0.0.1", 0), type("Handler", (FolderHandler,), {"folder": folder}))
    except OSError as error:
        raise AdaclipError(f"cannot serve {folder} on this machine: {error.strerror or error}") from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without asking the name service who 127.0.0.1 is, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a reader that went away; print everything else, as always."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class FolderHandler(BaseHTTPRequestHandler):
    """GET of a file or of what follows its first bytes, unless it has changed since (If-Range)."""

    protocol_version = "HTTP/1.1"
    folder: Path

    def do_GET(self) -> None:
        """Answer one request."""
        name = unquote(urlsplit(self.path).path).lstrip("/")
        path = self.folder / name
        if not name or "/" in name or name.startswith(".") or not path.is_file():
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with path.open("rb") as stream:
            facts = path.stat()
            tag = f'"{facts.st_size:x}-{facts.st_mtime_ns:x}"'
            start = self._start(tag)
            if start is not None and start >= facts.st_size:
                self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                self.send_header("Content-Range", f"bytes */{facts.st_size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(HTTPStatus.OK if start is None else HTTPStatus.PARTIAL_CONTENT)
            if start is not None:
                self.send_header("Content-Range", f"bytes {start}-{facts.st_size - 1}/{facts.st_size}")
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(facts.st_size - (start or 0)))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", tag)
            self.send_header("Last-Modified", formatdate(facts.st_mtime, usegmt=True))
            self.end_headers()
            stream.seek(start or 0)
            # A reader that goes away in the middle is not our fault.
            with contextlib.suppress(ConnectionError):
                while chunk := stream.read(_CHUNK):
                    self.wfile.write(chunk)

    def _start(self, tag: str) -> int | None:
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted is None or self.headers.get("If-Range", tag) != tag:
            return None
        return int(wanted[1])

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the one who fetches says what happens."""
