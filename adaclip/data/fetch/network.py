"""How patient to be with a network, and how one request is made."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import requests
import urllib3

from adaclip.errors import AdaclipError

#: What a broken connection raises, from requests and from reading its raw stream.
BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError)
#: Statuses that may pass by themselves.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class SourceError(AdaclipError):
    """A source does not give the file: the text is the reason, for a list of sources.

    Attributes:
        status: the HTTP status, when that is the reason.
    """

    def __init__(self, reason: str, status: int | None = None):
        super().__init__(reason)
        self.status = status


class PassingError(SourceError):
    """It may go better in a while.

    Attributes:
        wait: seconds that the server asks for, or None.
        progressed: whether the try brought something new all the same.
    """

    def __init__(self, reason: str, wait: float | None = None, progressed: bool = False):
        super().__init__(reason)
        self.wait = wait
        self.progressed = progressed


@dataclass(frozen=True)
class Network:
    """Patience and addresses.

    Attributes:
        connect_seconds: a server that does not answer for so long counts as absent.
        read_seconds: a connection that brings no byte for so long counts as stalled.
        tries: tries in a row that may bring nothing new.
        pause_seconds: before the second try; doubled before each further one.
        longest_pause_seconds: and never longer than this.
        gdrive: the address that Google Drive gives files at.
        kaggle: the address that Kaggle gives data sets at.
    """

    connect_seconds: float = 20
    read_seconds: float = 60
    tries: int = 5
    pause_seconds: float = 2
    longest_pause_seconds: float = 60
    gdrive: str = "https://drive.google.com/uc"
    kaggle: str = "https://www.kaggle.com/api/v1/datasets/download"


def session_for(url: str) -> requests.Session:
    """A session for an address: the environment's proxies and certificates hold for it, but not on this machine."""
    from adaclip import __version__

    session = requests.Session()
    session.trust_env = not _is_loopback(url)
    # A compressed transfer would be unpacked on the way: ranges and checksums are those of the file itself.
    session.headers.update({"User-Agent": f"adaclip-bench/{__version__}", "Accept-Encoding": "identity"})
    return session


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def ask(
    session: requests.Session, url: str, network: Network, headers: dict[str, str] | None = None
) -> requests.Response:
    """Send one GET and read the answer's head.

    Returns:
        An answer whose body is still to be read, with status 200, 206 or 416.

    Raises:
        PassingError: no connection, or a status that may pass.
        SourceError: an address that is wrong or refused.
    """
    try:
        answer = session.get(url, headers=headers, stream=True, timeout=(network.connect_seconds, network.read_seconds))
    except (requests.exceptions.SSLError, requests.TooManyRedirects, requests.exceptions.InvalidURL) as error:
        raise SourceError(reason_of(error)) from error
    except BROKEN as error:
        raise PassingError(reason_of(error)) from error
    status = answer.status_code
    if status in (200, 206, 416):
        return answer
    answer.close()
    reason = f"HTTP status {status} {answer.reason or ''}".strip()
    if status in _PASSING:
        raise PassingError(reason, _retry_after(answer.headers.get("Retry-After")))
    raise SourceError(reason, status)


def patiently(network: Network, attempt: Callable[[], None], say: Callable[[str], None]) -> None:
    """Call `attempt` until it returns, pausing longer and longer between tries that bring nothing.

    Args:
        network: how patient to be.
        attempt: what to try; it raises PassingError when it may be tried again.
        say: told why a try failed and when the next follows.

    Raises:
        SourceError: what `attempt` raised, or its last PassingError when all tries are used up.
    """
    failed = 0
    while True:
        try:
            return attempt()
        except PassingError as error:
            failed = 1 if error.progressed else failed + 1
            if failed >= network.tries:
                raise SourceError(f"{error} ({failed} tries)") from error
            pause = max(network.pause_seconds * 2 ** (failed - 1), error.wait or 0)
            pause = min(pause, network.longest_pause_seconds)
            say(f"{error}: trying again in {pause:.3g} s")
        time.sleep(pause)


def reason_of(error: BaseException) -> str:
    """What a broken connection means, without the layers of wrapping that the libraries put around it."""
    if isinstance(error, (requests.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError)):
        return "the server does not answer"
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)):
        return "the connection stalled"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refuses the connection"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate cannot be verified"
    if isinstance(error, requests.TooManyRedirects):
        return "the address redirects in a circle"
    text = f"{error!r} {error.__cause__!r} {error.__context__!r}"
    if "NameResolutionError" in text or "getaddrinfo" in text:
        return "the name of the server cannot be resolved (is there a network?)"
    if "refused" in text:
        return "the server refuses the connection"
    return "the connection broke"


def _retry_after(value: str | None) -> float | None:
    if not value:
        return None
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
