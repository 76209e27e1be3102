"""The table of data sets: sound as it stands, and strict about what a user adds."""

from __future__ import annotations

import re

import pytest

from adaclip.data.registry import dataset_for, load_registry, public_facts
from adaclip.data.sources import File, Source
from adaclip.errors import UsageError

BUILT_IN = load_registry()


def test_the_paper_s_14_sets_with_their_counts() -> None:
    totals = {name: (dataset.test["normal"], dataset.test["anomalous"]) for name, dataset in BUILT_IN.items()}
    assert totals == {
        "mvtec": (467, 1258),
        "visa": (962, 1200),
        "mpdd": (176, 282),
        "btad": (451, 290),
        "ksdd": (181, 74),
        "dagm": (6996, 1054),
        "dtd": (357, 947),
        "headct": (100, 100),
        "brain_mri": (98, 155),
        "br35h": (1500, 1500),
        "isic": (0, 379),
        "colondb": (0, 380),
        "clinicdb": (0, 612),
        "tn3k": (0, 614),
    }


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_set_is_complete(name: str) -> None:
    dataset = BUILT_IN[name]
    assert dataset.title
    assert dataset.url.startswith("http")
    assert dataset.licence
    assert dataset.licence_url.startswith("http")
    assert re.search(r"\b(19|20)\d\d\b", dataset.citation), "a citation has a year"
    assert dataset.categories
    assert dataset.sources
    assert dataset.sources[-1].kind == "gdrive"
    assert dataset.sources[-1].repackaged
    assert set(dataset.test_by_category) <= set(dataset.categories)
    for kind in ("normal", "anomalous"):
        if dataset.test_by_category:
            left = sum(counts[kind == "anomalous"] for counts in dataset.test_in_some_order)
            assert left + sum(counts[kind] for counts in dataset.test_by_category.values()) == dataset.test[kind]
            named = len(dataset.test_by_category) + len(dataset.test_in_some_order)
            assert named == len(dataset.categories)
    for source in dataset.sources:
        for file in source.files:
            assert file.url.startswith("http")
            assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)


def test_archive_names_and_ids_are_unique() -> None:
    files = [file for dataset in BUILT_IN.values() for source in dataset.sources for file in source.files]
    assert len({file.name for file in files}) == len(files)
    assert len({file.url for file in files}) == len(files)


def test_a_user_s_set_needs_one_key_only() -> None:
    own = dataset_for("nuts", {"raw": "photos/nuts"})
    assert (own.id, own.title, own.domain, own.built_in) == ("nuts", "nuts", "custom", False)
    assert own.sources == ()
    assert not own.accept


def test_a_user_s_set_may_have_sources() -> None:
    own = dataset_for(
        "nuts",
        {
            "sources": [
                {"kind": "http", "files": [{"name": "nuts.zip", "url": "https://example.org/nuts.zip", "bytes": 7}]},
                {"kind": "kaggle", "files": [{"name": "n.zip", "id": "me/nuts"}], "repackaged": True},
            ]
        },
    )
    assert own.sources == (
        Source("http", (File("nuts.zip", "https://example.org/nuts.zip", size=7),)),
        Source("kaggle", (File("n.zip", "https://www.kaggle.com/datasets/me/nuts", "me/nuts"),), repackaged=True),
    )


def test_a_changed_key_leaves_the_others() -> None:
    changed = load_registry({"btad": {"title": "Mine"}})["btad"]
    assert changed.title == "Mine"
    assert changed.built_in
    assert changed.sources == BUILT_IN["btad"].sources
    assert changed.licence == BUILT_IN["btad"].licence
    assert changed.accept == BUILT_IN["btad"].accept


def test_other_totals_make_the_counts_of_the_categories_void() -> None:
    changed = load_registry({"btad": {"test": {"normal": 3, "anomalous": 4}}})["btad"]
    assert changed.test == {"normal": 3, "anomalous": 4}
    assert changed.test_by_category == {}


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"licnce": "MIT"}, "did you mean 'licence'"),
        ({"sources": [{"kind": "ftp", "files": [{"name": "a.zip"}]}]}, "not one of http, gdrive, kaggle"),
        ({"sources": [{"kind": "http", "files": [{"name": "a.zip"}]}]}, "needs 'url', not 'id'"),
        ({"sources": [{"kind": "http", "files": [{"name": "a.zip", "url": "ftp://x/a.zip"}]}]}, "http:// or https://"),
        (
            {"sources": [{"kind": "gdrive", "files": [{"name": "a.zip", "url": "https://x/a"}]}]},
            "needs 'id', not 'url'",
        ),
        ({"sources": [{"kind": "gdrive", "files": [{"name": "../a.zip", "id": "1"}]}]}, "without folders"),
        ({"sources": [{"kind": "gdrive", "files": [{"name": "a.zip", "id": "1", "sha256": "AB"}]}]}, "64 hexadecimal"),
        ({"test": {"normal": 3, "anomalous": 1}, "test_by_category": {"a": [2, 1]}}, "has 2 normal images in all"),
    ],
)
def test_wrong_entries_are_one_clear_line(entry: dict[str, object], fault: str) -> None:
    with pytest.raises(UsageError, match=re.escape(fault)) as caught:
        dataset_for("nuts", entry)
    assert "\n" not in str(caught.value)


def test_public_facts_say_whose_data_they_are() -> None:
    facts = public_facts(BUILT_IN["visa"])
    assert facts["licence"] == "CC BY 4.0"
    assert "ECCV 2022" in facts["citation"]
