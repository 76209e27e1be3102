"""The words for normal and for anomalous: one table for every layout and listing, and what a user says beside it."""

from __future__ import annotations

import re

from adaclip.data.registry import Dataset
from adaclip.errors import UsageError

#: Names that say for sure that images are normal; compared as `plain` has them.
NORMAL = frozenset(
    """
    good goods ok okay normal normals healthy negative negatives no intact clean pass passed nominal undamaged unbroken
    flawless faultless defectless nondefective nondefect nondefects nodefect nodefects notdefective withoutdefect
    withoutdefects defectfree nonanomalous nonanomaly noanomaly noanomalies notanomalous anomalyfree faultfree nofault
    nofaults nonfaulty nodamage damagefree nondamaged notdamaged notbroken nontumor notumor nocrack nocracks
    """.split()
)
#: Names that say for sure that images are anomalous.
ANOMALOUS = frozenset(
    """
    bad bads ko nok notok ng nogood nogoods notgood ungood abnormal abnormals abnormality abnormalities anomaly
    anomalies anomalous anomalousimages defect defects defective defectives defected positive positives yes fail fails
    failed failure failures fault faults faulty broken damage damages damaged reject rejects rejected unhealthy diseased
    notnormal nonnormal unnormal flawed flaw flaws
    """.split()
)
#: Words that make a name look as if it meant normal images, images that nobody has judged, or what some program made of
#: them; only a person can tell what is in ok_front, good-2, golden, unsorted or overlay.
_SOUNDS_NORMAL = frozenset(
    """
    good goods ok okay normal normals healthy negative negatives intact clean passed nominal undamaged flawless fine
    perfect standard reference references golden regular correct accept accepted acceptable sound unlabeled unlabelled
    unknown unsorted unsure uncertain undecided unclassified misc todo maybe borderline
    overlay overlays heatmap heatmaps prediction predictions pred preds preview previews visualization visualizations
    thumbnail thumbnails results output outputs backup
    """.split()
)
_IN_A_WORD = re.compile(r"good|(?<!ab)normal|healthy|nondefect|^okay|^ok")
_DENIES = frozenset("no non not without free un".split())
_FAULT_WORDS = ANOMALOUS | frozenset("crack cracks scratch scratches tumor tumour lesion lesions hole holes".split())


def plain(name: str) -> str:
    """A name without separators and capitals: `Non-Defective` and `non_defective` are one word."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def words(name: str) -> list[str]:
    """The words of a name in small letters: `TestImages`, `test-images` and `test_images` have the same two."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"ground_+truth", "groundtruth", re.sub(r"[^\w]+|_+", "_", parted.casefold())).strip("_").split("_")


def label_of(name: str, dataset: Dataset | None = None) -> int | None:
    """0 for a name that means normal, 1 for one that means anomalous, None for any other.

    Args:
        name: of a folder, or a word of a listing.
        dataset: the registry entry, whose `normal` and `anomalous` come before the table.
    """
    known = plain(name)
    if dataset is not None:
        for label, said in enumerate((dataset.normal, dataset.anomalous)):
            if known in {plain(word) for word in said}:
                return label
    return 0 if known in NORMAL else 1 if known in ANOMALOUS else None


def sounds_normal(name: str) -> bool:
    """Whether a name that is in no table looks as if it meant normal images, such as `ok_front` or `normal-light`."""
    found = [word for part in words(name) for word in re.split(r"\d+", part) if word]
    if _SOUNDS_NORMAL & set(found) or _IN_A_WORD.search(plain(name)):
        return True
    return bool(_DENIES & set(found)) and any(word in _FAULT_WORDS for word in found)


def check_said(dataset: Dataset, folders: set[str]) -> None:
    """Refuse what a registry entry says of kinds that are not there, or says twice: it would change nothing.

    Args:
        dataset: the registry entry.
        folders: names of all folders.

    Raises:
        UsageError: see above.
    """
    both = {plain(word) for word in dataset.normal} & {plain(word) for word in dataset.anomalous}
    if both:
        raise UsageError(f"data set '{dataset.id}': '{min(both)}' is both normal and anomalous")
    there = {plain(name) for name in folders}
    for key, said in (("normal", dataset.normal), ("anomalous", dataset.anomalous)):
        for word in said:
            if plain(word) not in there:
                raise UsageError(
                    f"data set '{dataset.id}': '{key}' names '{word}', but no folder is called so "
                    f"(folders here: {', '.join(sorted(folders)[:12])})"
                )
