"""The terms that data sets come under, and which of them are accepted."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from adaclip.data.registry import Dataset

#: Stands for every set.
ALL = "all"


def licence_of(dataset: Dataset) -> str:
    """A set's terms in one line, for a person."""
    where = f" ({dataset.licence_url})" if dataset.licence_url else ""
    return f"{dataset.title}: {dataset.licence or 'no terms known'}{where}"


def not_accepted(datasets: Iterable[Dataset], accepted: Collection[str]) -> list[Dataset]:
    """Those whose terms must be accepted and are not."""
    if ALL in accepted:
        return []
    return [dataset for dataset in datasets if dataset.accept and dataset.id not in accepted]


def how_to_accept(datasets: Collection[Dataset]) -> str:
    """What to do about sets whose terms are not accepted, in one line that shows these terms."""
    by_terms: dict[tuple[str, str], list[Dataset]] = {}
    for dataset in datasets:
        by_terms.setdefault((dataset.licence or "no terms known", dataset.licence_url), []).append(dataset)
    terms = "; ".join(
        f"{', '.join(dataset.title for dataset in group)}: {licence}" + (f" ({url})" if url else "")
        for (licence, url), group in by_terms.items()
    )
    ids = ", ".join(dataset.id for dataset in datasets)
    one = next(iter(datasets)).id
    return (
        f"fetched once you accept their terms: {terms}. Read them, then say so: add --config "
        f"'licences={{accept: [{ids}]}}' (or accept: all) to the command of snakemake, or write 'licences: {{accept: "
        f"[{ids}]}}' into the configuration; for one set by hand: adaclip data fetch {one} --accept-licence"
    )
