"""Fetching what others have published: originals of data sets, and released weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from adaclip.data.fetch.content import ARCHIVE, WEIGHTS
from adaclip.data.fetch.network import Network
from adaclip.data.fetch.parcel import Fetched, Parcel, fetch_parcel, say
from adaclip.data.fetched import own_files
from adaclip.data.licences import how_to_accept, licence_of, not_accepted
from adaclip.data.registry import Dataset, chosen_sources
from adaclip.data.weights import Release
from adaclip.errors import AdaclipError, UsageError
from adaclip.system.foreign import kind_of_checkpoint

__all__ = ["Fetched", "fetch", "fetch_weights"]


def fetch(
    dataset: Dataset,
    out: Path,
    *,
    lock: Path,
    mirror: str | None = None,
    accepted: bool = False,
    network: Network | None = None,
    say: Callable[[str], None] = say,
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
    own = [Path(dataset.raw)] if dataset.raw is not None else own_files(dataset, out)
    if own:
        if not own[0].exists():
            raise AdaclipError(f"data set '{dataset.id}': no such file or folder: {own[0]} (the 'raw' of its entry)")
        say(f"{dataset.id}: {own[0]} is your own, nothing is fetched")
        return Fetched([], 0, "own")
    if dataset.sources and not chosen_sources(dataset):
        raise UsageError(
            f"data set '{dataset.id}': none of its sources is {dataset.arrangement}: take 'arrangement' out of its "
            "entry"
        )
    if not dataset.sources:
        raise UsageError(
            f"data set '{dataset.id}' has no sources: put it into {out}, or say where it is ('raw'); "
            "adaclip data list shows the sets that have"
        )
    parcel = Parcel(
        id=dataset.id,
        what="data set",
        kind="set",
        key=dataset.id,
        sources=chosen_sources(dataset),
        content=ARCHIVE,
        pages=(dataset.url, *dataset.pages),
        terms=licence_of(dataset),
        refusal=how_to_accept([dataset]) if not accepted and not_accepted([dataset], ()) else "",
    )
    return fetch_parcel(parcel, out, lock=lock, mirror=mirror, network=network, say=say)


def fetch_weights(
    release: Release,
    out: Path,
    *,
    lock: Path,
    mirror: str | None = None,
    network: Network | None = None,
    say: Callable[[str], None] = say,
) -> Fetched:
    """Bring released weights to `out`; files that are there already are compared with their checksums, and used.

    Args:
        release: the entry of the table.
        out: folder for the files, data/weights/<id>.
        lock: as for `fetch`; so are the others.
        mirror: a folder, or the address of one, that is asked instead of the sources.
        network: how patient to be.
        say: told what a person should know on the way.

    Raises:
        AdaclipError: no source gives them, what came is no checkpoint, or it cannot be written here.
    """
    where = f" ({release.licence_url})" if release.licence_url else ""
    parcel = Parcel(
        id=release.id,
        what="released weights",
        kind="weights",
        # No data set can be called so.
        key=f"weights/{release.id}",
        sources=release.sources,
        content=WEIGHTS,
        pages=(release.page,),
        terms=f"{release.title}: {release.licence or 'no terms known'}{where}",
    )
    done = fetch_parcel(parcel, out, lock=lock, mirror=mirror, network=network, say=say)
    for file in done.archives:
        # A checksum that a mirror states vouches for the bytes, not for what they are.
        kind_of_checkpoint(out / file.name)
    return done
