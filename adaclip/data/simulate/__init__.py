"""Simulated originals: small drawn sets in the raw layouts of the real ones, for the demo and the tests.

Every set comes with the oddities of its original, since those are what a preparation has to get right.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from adaclip.data.fetched import DRAWN_NOTE
from adaclip.data.registry import load_registry
from adaclip.data.simulate import by_label, folders, inspection, lesion_sets
from adaclip.data.simulate.archive import pack
from adaclip.data.simulate.tree import Order, Tree
from adaclip.errors import AdaclipError, UsageError
from adaclip.system.files import sha256_of, work_folder, write_text

SIMULATED: dict[str, Callable[[Order, Tree], None]] = {
    "mvtec": folders.mvtec,
    "visa": inspection.visa,
    "mpdd": folders.mvtec,
    "btad": folders.btad,
    "ksdd": inspection.ksdd,
    "dagm": inspection.dagm,
    "dtd": folders.mvtec,
    "headct": by_label.headct,
    "brain_mri": by_label.brain_mri,
    "br35h": by_label.br35h,
    "isic": lesion_sets.isic,
    "colondb": lesion_sets.colondb,
    "clinicdb": lesion_sets.clinicdb,
    "tn3k": lesion_sets.tn3k,
}


def simulate(dataset: str, out: Path, *, seed: int = 0, images: int = 16, size: int = 192) -> list[Path]:
    """Draw a set and pack it into the archives of its original's first source.

    Beside them SHA256SUMS has their checksums, and SIMULATED.txt says what they are.

    Args:
        dataset: id of a built-in set.
        out: folder for the archives; other files in it stay.
        seed: equal seeds give equal bytes.
        images: test images of each category, half of them normal where the original has normal ones.
        size: shorter side of an ordinary image in pixels.

    Returns:
        The archives.

    Raises:
        UsageError: a set that cannot be drawn, or too few or too small images.
        AdaclipError: the folder cannot be written.
    """
    order = _order(dataset, seed, images, size)
    archives = [file.name for file in load_registry()[dataset].sources[0].files]
    try:
        with work_folder(out) as work:
            _draw(order, work)
            packed = [pack(out / name, work, members) for name, members in _split(archives, work).items()]
        # The names are those of the real archives, the checksums cannot be: as a mirror, the folder states its own.
        write_text(out / DRAWN_NOTE, _note(order))
        write_text(out / "SHA256SUMS", "".join(f"{sha256_of(path)}  {path.name}\n" for path in packed))
        return packed
    except OSError as error:
        raise AdaclipError(f"cannot write {out}: {error.strerror or error}") from error


def draw_tree(dataset: str, out: Path, *, seed: int = 0, images: int = 16, size: int = 192) -> None:
    """Draw a set as the folder that its archives unpack to.

    Args:
        dataset: id of a built-in set.
        out: folder to write; an earlier one is replaced when the new one is whole.
        seed: as for `simulate`; so are `images` and `size`.
        images: test images of each category.
        size: shorter side of an ordinary image in pixels.

    Raises:
        UsageError: a set that cannot be drawn, or too few or too small images.
        AdaclipError: the folder cannot be written.
    """
    order = _order(dataset, seed, images, size)
    try:
        with work_folder(out) as work:
            _draw(order, work / "set")
            if out.exists():
                out.rename(work / "old")
            (work / "set").rename(out)
    except OSError as error:
        raise AdaclipError(f"cannot write {out}: {error.strerror or error}") from error


def _order(dataset: str, seed: int, images: int, size: int) -> Order:
    if dataset not in SIMULATED:
        raise UsageError(f"cannot simulate '{dataset}': known are {', '.join(SIMULATED)}")
    if images < 4 or size < 64:
        raise UsageError(f"cannot simulate {images} images of {size} px: at least 4 of 64 px")
    return Order(dataset, seed, images, size)


def _draw(order: Order, root: Path) -> None:
    tree = Tree(root)
    SIMULATED[order.dataset](order, tree)
    tree.write(DRAWN_NOTE, _note(order))


def _note(order: Order) -> str:
    return (
        f"These are drawings in the layout of {load_registry()[order.dataset].title}, made by adaclip data simulate "
        f"(seed {order.seed}, {order.images} images, {order.size} px).\nThey are no part of that data set.\n"
    )


def _split(archives: list[str], root: Path) -> dict[str, list[str]]:
    """Which files go into which archive.

    Of several archives each takes the top folder that has its name; the first takes what is left.
    """
    found: dict[str, list[str]] = {name: [] for name in archives}
    for path in sorted(root.rglob("*")):
        if path.is_file():
            name = path.relative_to(root).as_posix()
            owner = next((archive for archive in archives if archive.startswith(f"{name.split('/')[0]}.")), archives[0])
            found[owner].append(name)
    return found
