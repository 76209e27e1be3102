"""How long sentences are for the text tower, found out without making a model."""

from __future__ import annotations

from collections.abc import Iterable


def too_long(where: str, text: str, count: int, model: str, context: int) -> str:
    """The error for words that are cut."""
    short = text if len(text) <= 60 else f"{text[:57]}..."
    return (
        f"{where}: '{short}' makes a text prompt of {count} tokens, but {model} takes {context}: its end "
        "would be cut: give shorter words (`categories` of the data set, or --category)"
    )


def longest_of(sentences: Iterable[str]) -> int:
    """Tokens of the longest sentence, with beginning and end."""
    import open_clip

    tokenizer = open_clip.SimpleTokenizer()
    return max(len(tokenizer.encode(line)) + 2 for line in sentences)
