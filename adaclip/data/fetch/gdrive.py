"""Google Drive: a file's id to an address that gives the file, past the page that asks whether one is sure."""

from __future__ import annotations

from urllib.parse import urlencode

import requests

from adaclip.data.fetch.http import Request, what_page
from adaclip.data.fetch.network import BROKEN, Network, PassingError, SourceError, ask, reason_of
from adaclip.data.sources import File
from adaclip.system.sniff import HEAD, kind_of

#: Words of Drive's pages, and what they mean for us. All of them come with status 200.
_PAGES = (
    (
        ("quota exceeded", "too many users have viewed or downloaded"),
        "Google Drive's quota for this file is used up: it opens again within a day",
    ),
    (("accounts.google.com/v3/signin", "accounts.google.com/servicelogin", "<title>sign in"), "the file is not public"),
    (("request access", "you need access"), "the file is not public"),
    (("file does not exist", "item may not exist", "sorry, the file you have requested"), "the file is gone"),
    (("unusual traffic", "g-recaptcha"), "Google Drive takes us for a robot: try later, or get it by hand"),
)
_PAGE_BYTES = 1 << 18


def gdrive(file: File, session: requests.Session, network: Network) -> Request:
    """Ask Google Drive for a file that is shared with everyone."""
    return Request(file, session, lambda: locate(file.id, session, network), explain)


def locate(file_id: str, session: requests.Session, network: Network) -> str:
    """The address that gives the file.

    Large files are not scanned for viruses; Drive then sends a page with a form to confirm. Its answer holds a token,
    so that the address does not last.

    Raises:
        SourceError: the file's quota is used up, or it is gone or not public.
    """
    url = f"{network.gdrive}?{urlencode({'id': file_id, 'export': 'download'})}"
    # A small file comes at once: no more of it is asked for than shows that it is none of Drive's pages.
    with ask(session, url, network, {"Range": f"bytes=0-{HEAD - 1}"}) as answer:
        page = _page(answer)
    if page is None:
        return url
    from gdown.download import get_url_from_gdrive_confirmation
    from gdown.exceptions import FileURLRetrievalError

    try:
        # It reads line by line, and Drive's form is one line only as long as Drive wants it to be.
        return str(get_url_from_gdrive_confirmation(" ".join(page.decode("utf-8", "replace").split())))
    except (FileURLRetrievalError, AssertionError, KeyError) as error:
        raise SourceError(explain(page)) from error


def explain(page: bytes) -> str:
    """What a page of Google Drive means that came instead of the file."""
    text = page.decode("utf-8", "replace").lower()
    for words, meaning in _PAGES:
        if any(word in text for word in words):
            return meaning
    return what_page(page)


def _page(answer: requests.Response) -> bytes | None:
    """The web page that an answer is, or None when it is something else (which is then left unread)."""
    declared = answer.headers.get("Content-Type", "").startswith("text/html")
    page = b""
    try:
        while len(page) < (_PAGE_BYTES if declared or kind_of(page) == "html" else HEAD):
            chunk = answer.raw.read1(HEAD, decode_content=True)
            if not chunk:
                break
            page += chunk
    except BROKEN as error:
        raise PassingError(reason_of(error)) from error
    return page if declared or kind_of(page) == "html" else None
