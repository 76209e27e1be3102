"""How figures are written into cells, and footnotes are numbered."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from adaclip.report.document import Cell
from adaclip.report.results import SIMULATED

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
SELECTED, OVERLAP = "†", "‡"
SELECTED_TEXT = "The epoch was chosen on this set, so that the figure is not zero-shot; not ranked."
SIMULATED_TEXT = (
    "Simulated images or weights: says nothing of real data; not ranked, and not compared with what was published."
)
OVERLAP_TEXT = "The auxiliary data hold images of this set, see the leakage audit; not ranked."


class Notes:
    """Footnotes of one table: each different sentence gets the next letter, daggers keep their sign."""

    def __init__(self) -> None:
        self.sentences: dict[str, str] = {}
        self._keys: dict[str, str] = {}

    def key(self, sentence: str) -> str:
        """The letter of a sentence: a ... z, aa, ab ..."""
        if sentence not in self._keys:
            number, letters = len(self._keys) + 1, ""
            while number:
                number, rest = divmod(number - 1, 26)
                letters = chr(ord("a") + rest) + letters
            self._keys[sentence] = letters
            self.sentences[letters] = sentence
        return self._keys[sentence]

    def keys(
        self, sentences: Iterable[str], selected: bool = False, overlap: bool = False, simulated: bool = False
    ) -> tuple[str, ...]:
        """Keys of everything to say at one figure, in the order of `ordered`."""
        found = [self.key(sentence) for sentence in sentences]
        for sign, sentence, wanted in (
            (SELECTED, SELECTED_TEXT, selected),
            (OVERLAP, OVERLAP_TEXT, overlap),
            (SIMULATED, SIMULATED_TEXT, simulated),
        ):
            if wanted:
                self.sentences[sign] = sentence
                found.append(sign)
        return tuple(sorted(set(found), key=_order))

    def ordered(self) -> dict[str, str]:
        """All sentences by key, letters first."""
        return {key: self.sentences[key] for key in sorted(self.sentences, key=_order)}


def _order(key: str) -> tuple[bool, int, str]:
    return not key.isascii(), len(key), key


def rounded(value: float) -> Decimal:
    """A figure with one decimal, halves rounded up as one does by hand: binary 84.55 is a little less than that.

    Example:
        >>> str(rounded(84.55)), f"{84.55:.1f}"
        ('84.6', '84.5')
    """
    return Decimal(repr(float(value))).quantize(Decimal("0.1"), ROUND_HALF_UP)


def percent(mean: float, sd: float = math.nan) -> str:
    """A fraction as percent with one decimal, with its spread when there is one; a dash when undefined.

    Example:
        >>> percent(0.98765), percent(0.5, 0.0123), percent(math.nan) == DASH
        ('98.8', '50.0 ± 1.2', True)
    """
    return points(100 * mean, 100 * sd)


def points(value: float | None, sd: float | None = None) -> str:
    """The same of a figure that is in percent already."""
    if value is None or math.isnan(value):
        return DASH
    return f"{rounded(value)}" + ("" if sd is None or math.isnan(sd) else f" ± {rounded(sd)}")


def signed(value: float | None) -> str:
    """A difference in points, with its sign; without one where it is zero in print.

    Example:
        >>> signed(0.25), signed(-1.26) == MINUS + "1.3", signed(-0.04), signed(None) == DASH
        ('+0.3', True, '0.0', True)
    """
    if value is None or math.isnan(value):
        return DASH
    size = rounded(abs(value))
    return f"{size}" if size == 0 else f"{'+' if value > 0 else MINUS}{size}"


def number(value: float | int | None, text: str | None = None) -> Cell:
    """A cell with a number; a dash for None."""
    if value is None:
        return Cell(DASH)
    return Cell(text if text is not None else f"{value:,}", float(value))


def fraction(mean: float, sd: float = math.nan, notes: tuple[str, ...] = ()) -> Cell:
    """A cell with a fraction as percent."""
    if math.isnan(mean):
        return Cell(DASH)
    return Cell(percent(mean, sd), 100 * mean, notes=notes)
