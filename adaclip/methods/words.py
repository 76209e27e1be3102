"""Whether the text tower takes the words that stand for categories, found out without making a model."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable

from adaclip.clip.architectures import config_file
from adaclip.clip.text import longest_of, too_long
from adaclip.errors import UsageError
from adaclip.methods.card import Card

#: More tokens than any sentence has besides the words, its beginning and its end included.
AROUND = 20
#: What open_clip takes where a model's config names no context.
CONTEXT = 77


def refuse_long_words(words: Iterable[str], card: Card, model: str, where: str) -> None:
    """Refuse words whose sentences would be cut, without making the model.

    Args:
        words: what stands for the categories of a set.
        card: of the method that is asked with them.
        model: name of a backbone's model, or the path of its config.
        where: whose words they are, for the error.

    Raises:
        UsageError: naming the words, their length and the limit.
    """
    if card.sentences is None:
        return
    context = _context(model)
    for text in words:
        # A token is at least one byte, so that short words need no tokenizer, whose import takes seconds. Cleaning can
        # lengthen a text a little.
        if context is None or AROUND + 2 * len(text.encode()) <= context:
            continue
        count = longest_of(card.sentences(text))
        if count > context:
            raise UsageError(too_long(where, text, count, model, context))


@functools.cache
def _context(model: str) -> int | None:
    """Tokens that a model's text tower takes; None where its config cannot be read, which its own check names."""
    try:
        config = json.loads(config_file(model).read_text(encoding="utf-8"))
        return int(config["text_cfg"].get("context_length", CONTEXT))
    except (UsageError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
