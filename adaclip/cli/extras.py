"""Packages that only some verbs need, and how a user gets those that are missing."""

from __future__ import annotations

from adaclip.errors import AdaclipError

#: Packages of the extras of pyproject.toml that verbs import. `workflow` has Snakemake and DVC, which call the verbs.
EXTRAS = {
    "fetch": ("requests", "gdown", "kagglehub", "py7zr"),
    "report": ("jinja2", "matplotlib", "seaborn", "tabulate", "imagehash"),
}


def missing_extra(verb: str, error: ModuleNotFoundError) -> AdaclipError | None:
    """What to tell a user whose installation lacks an extra.

    Args:
        verb: as it was called, such as `adaclip report`.
        error: what Python raised.

    Returns:
        None where the module is in no extra: then it is a fault of ours, or of the installation.
    """
    package = (error.name or "").partition(".")[0]
    for extra, packages in EXTRAS.items():
        if package in packages:
            return AdaclipError(f"{verb}: install adaclip-bench[{extra}] ({package} is missing)")
    return None
