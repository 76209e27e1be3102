"""The strict reader: one line with the place for every fault, and no value that is not what it looks like."""

from __future__ import annotations

import pytest

from adaclip.errors import UsageError
from adaclip.system.reading import check_plain, parse_json, parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", r"x\.yaml, line 3, column 1: key 'a' stands twice"),
        ("a:\n  b: 1\n  b: 2\n", r"line 3, column 3: key 'b' stands twice"),
        ("a: [1\n", r"x\.yaml, line 2, column 1: not valid YAML"),
        ("a: !!python/object:os.system {}\n", "line 1, column 4: the tag .* is not used here"),
        ("a: 1\n\tb: 2\n", "line 2, column 1: not valid YAML"),
        ("? [1, 2]\n: 3\n", "a key must be a text"),
        ("? {a: 1}\n: 3\n", "a key must be a text"),
        ("a: .inf\n", "line 1, column 4: inf is not a finite number"),
        ("a: [1, .NaN]\n", "line 1, column 8: nan is not a finite number"),
        ("a: 1.0e+999\n", "not a finite number"),
        ("a: 99999999999999999999\n", "a whole number that large"),
        ("a: 1{}\n".format("0" * 5000), "is not a number that can be used"),
        ("a: 0x_\n", "is not a number that can be used"),
        ("a: 010\n", "010 is read as an octal number"),
        ("a: 1:20\n", "1:20 is read as a number to the base of 60"),
        ("a: 2020-01-01\n", "is read as a date: put it in quotes"),
        ("a: =\n", "the tag .* is not used here"),
        ("a: !!binary aGk=\n", "the tag .* is not used here"),
        ("no: 1\n", "key no is read as a yes or no: put it in quotes"),
        ("1: 1\n", "key 1 is read as a number: put it in quotes"),
        ('"a\\nb": 1\n', "holds a line break"),
        ('a: "\\ud800"\n', "a control character"),
        ('a: "\\0"\n', "a control character"),
        ("a: \x07\n", "line 1, column 4: not valid YAML: a character that text cannot have"),
        ("a: &x [*x]\n", "an alias that holds itself"),
        ("a: *x\n", "undefined alias"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: not valid YAML"),
        ("a: " + "[" * 500 + "]" * 500 + "\n", "nested more than"),
        ("a: " + "[" * 100_000 + "\n", "nested more than"),
        (
            "a0: &a0 [0]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)),
            "aliases that stand for",
        ),
    ],
)
def test_yaml_faults_are_one_line(tmp_path, text, words):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(UsageError, match=words) as caught:
        read_yaml(tmp_path / "x.yaml")
    assert "\n" not in str(caught.value)


def test_a_merge_key_is_no_duplicate(tmp_path):
    (tmp_path / "x.yaml").write_text("base: &base {a: 1, b: 2}\nother: {<<: *base, b: 3}\n")
    assert read_yaml(tmp_path / "x.yaml")["other"] == {"a": 1, "b": 3}


@pytest.mark.parametrize("make", ["absent", "folder", "bytes"])
def test_files_that_cannot_be_read(tmp_path, make):
    path = tmp_path / "x.yaml"
    if make == "folder":
        path.mkdir()
    elif make == "bytes":
        path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"x\.yaml") as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 2}', "x: key 'a' stands twice"),
        ('{"a": NaN}', "x: NaN is not a finite number"),
        ('{"a": 1e999}', "x: a: inf is not a finite number"),
        ('{"a": [1,]}', "x, line 1, column .*: not valid JSON"),
        ("[" * 100_000, "x: nested more than"),
        ('{"a": "\\ud800"}', "x: a: a control character"),
    ],
)
def test_json_is_read_as_strictly(text, words):
    with pytest.raises(UsageError, match=words) as caught:
        parse_json(text, "x")
    assert "\n" not in str(caught.value)


def test_a_json_file_is_read_as_json(tmp_path):
    (tmp_path / "x.json").write_text('{\n\t"a": 1\n}')
    assert read_yaml(tmp_path / "x.json") == {"a": 1}


def test_ordinary_values_pass():
    text = "a: {b: [1, -2.5, 1.0e-3, true, null, ~, text, 'no', \"12:30\", 1_000]}\nc: Größe\n"
    value = parse_yaml(text, "x")
    assert value == {"a": {"b": [1, -2.5, 0.001, True, None, None, "text", "no", "12:30", 1000]}, "c": "Größe"}
    check_plain(value, "x")


def test_values_that_no_reader_gave_are_refused_too():
    for value in ({"a": {1: 2}}, {"a": [float("nan")]}, {"a": {"b": object()}}, {"a": 2**80}):
        with pytest.raises(UsageError, match=r"^x: a"):
            check_plain(value, "x")
