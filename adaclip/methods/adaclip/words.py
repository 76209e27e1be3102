"""Whether the text tower takes the words that stand for categories, found out without making a model."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable

from adaclip.clip.architectures import config_file
from adaclip.clip.text import longest_of, too_long
from adaclip.errors import UsageError

#: More tokens than any sentence of `prompts.py` has besides the words, its beginning and its end included.
AROUND = 20
#: What open_clip takes where a model's config names no context.
CONTEXT = 77


def refuse_long_words(words: Iterable[str], model: str, where: str) -> None:
    """Refuse words whose sentences would be cut, without making the model.

    Args:
        words: what stands for the categories of a set.
        model: name of a backbone's model, or the path of its config.
        where: whose words they are, for the error.

    Raises:
        UsageError: naming the words, their length and the limit.
    """
    context = _context(model)
    for text in words:
        # A token is at least one byte, so that short words need no tokenizer, whose import takes seconds. Cleaning can
        # lengthen a text a little.
        if context is None or AROUND + 2 * len(text.encode()) <= context:
            continue
        count = _longest(text)
        if count > context:
            raise UsageError(too_long(where, text, count, model, context))


def _longest(text: str) -> int:
    """Tokens of the longest sentence about some words, with beginning and end."""
    from adaclip.methods.adaclip.prompts import sentences

    return longest_of(line for state in sentences(text) for line in state)


@functools.cache
def _context(model: str) -> int | None:
    """Tokens that a model's text tower takes; None where its config cannot be read, which its own check names."""
    try:
        config = json.loads(config_file(model).read_text(encoding="utf-8"))
        return int(config["text_cfg"].get("context_length", CONTEXT))
    except (UsageError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
