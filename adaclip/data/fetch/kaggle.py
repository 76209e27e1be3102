"""Kaggle: the archive of a data set, with the user's own credentials."""

from __future__ import annotations

import requests

from adaclip.data.fetch.http import Request, what_page
from adaclip.data.fetch.network import Network, SourceError
from adaclip.data.sources import File

_HOW = (
    "make a token at https://www.kaggle.com/settings and save it as ~/.kaggle/kaggle.json, or set KAGGLE_USERNAME and "
    "KAGGLE_KEY"
)


def kaggle(file: File, session: requests.Session, network: Network) -> Request:
    """Ask Kaggle for a data set's archive.

    Raises:
        SourceError: the user has no credentials, or they cannot be read.
    """
    _authorise(session)
    url = f"{network.kaggle}/{file.id}"
    return Request(file, session, lambda: url, _explain, refusal=f"Kaggle does not accept the credentials: {_HOW}")


def _authorise(session: requests.Session) -> None:
    from kagglehub.config import get_kaggle_credentials

    try:
        credentials = get_kaggle_credentials()
    except (ValueError, OSError) as error:
        raise SourceError(f"Kaggle credentials cannot be read: {error}") from error
    if credentials is None:
        raise SourceError(f"no Kaggle credentials: {_HOW}")
    if credentials.api_key:
        session.headers["Authorization"] = f"Bearer {credentials.api_key}"
    else:
        session.auth = (str(credentials.username), str(credentials.key))


def _explain(page: bytes) -> str:
    return f"{what_page(page)}: Kaggle asks to sign in, or to accept the terms on the data set's page"
