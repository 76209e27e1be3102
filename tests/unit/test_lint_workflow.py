"""The lint of the workflow lets one lint pass and no other."""

from __future__ import annotations

from tests.lint_workflow import ACCEPTED, other_lints


def test_another_lint_is_said():
    said = f"Lints for rule a:\n    * {ACCEPTED}:\n      words\n    * No log directive defined:\n      words\n"
    assert other_lints(said) == ["No log directive defined"]
    assert other_lints(f"    * {ACCEPTED}:\n") == []
