"""What the cases share: a command that must end in one line."""

from __future__ import annotations

import json

import pytest

from adaclip.cli import main

TINY = json.dumps({"model": "tiny", "image_size": 56})


def one_line(capsys: pytest.CaptureFixture[str], arguments: list[object], code: int = 1) -> str:
    """The error of a command that must end with `code` and one line."""
    assert main([str(argument) for argument in arguments]) == code
    text = capsys.readouterr().err
    lines = [line for line in text.splitlines() if line.startswith("adaclip: error: ")]
    assert len(lines) == 1
    assert "Traceback" not in text
    return lines[0]
