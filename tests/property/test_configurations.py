"""Five thousand damaged configurations: each is planned, or refused in one line; none ends otherwise."""

from __future__ import annotations

import contextlib
import copy
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adaclip.cli import main
from adaclip.plan.beforehand import plan_of
from adaclip.plan.config import load_config, read_config
from adaclip.plan.resolve import plan_document
from tests.property.odd import KEYS, ODD, SNIPPETS

ROOT = Path(__file__).parents[2]
OWN: dict[str, Any] = {
    "title": "Bolts and nuts",
    "data": "data",
    "results": "results/own",
    "leakage": "warn",
    "sets": ["bolts", "nuts", "headct"],
    "datasets": {
        "bolts": {"raw": "photos/bolts", "categories": {"m5": "small bolt"}},
        "nuts": {"raw": "photos/nuts", "title": "Nuts", "domain": "industrial", "labels": ["image", "mask"]},
        "headct": {"raw": "photos/headct"},
    },
    "backbones": {
        "tiny": {"model": "tiny", "image_size": 56, "pretrained": None},
        "large": {"model": "ViT-L-14-336", "pretrained": "openai", "image_size": 518},
    },
    "defaults": {
        "backbone": "tiny",
        "seeds": [0, 1],
        "model": {"prompt_depth": 2, "fusion_weight": 0.2},
        "train": {"epochs": 2, "betas": [0.5, 0.999], "selection": None},
        "evaluate_with": {"smoothing": 4, "fpr_limit": 0.3},
    },
    "runtime": {"device": "cpu", "threads": 1},
    "protocols": {"both": [{"auxiliary": ["bolts"], "evaluate": ["nuts"]}, {"auxiliary": ["nuts"]}]},
    "experiments": {
        "main": {"title": "ours: {auxiliary}", "protocol": "both"},
        "depth": {"auxiliary": ["bolts"], "evaluate": ["nuts"], "sweep": {"model.prompt_depth": [1, 2]}},
        "each": {"for_each_auxiliary": ["bolts", "nuts"]},
        "clip": {"method": "clip", "backbone": "large", "evaluate": "others"},
    },
    "tables": {
        "table_1": {
            "answers": "Table 1",
            "by": "domain",
            "metrics": ["image.auroc"],
            "rows": [{"experiments": ["main"]}, {"each": "depth"}, {"title": "CLIP", "experiments": ["clip"]}],
        }
    },
    "curves": {"fig_5": {"x": "model.prompt_depth", "experiments": ["depth"]}},
}


def part_of_the_demo() -> dict[str, Any]:
    """The demo with few of its experiments, so that it is planned in milliseconds."""
    value = dict(read_config(ROOT / "config" / "demo.yaml"))
    kept = ("main", "depth", "transfer", "from_industrial", "random")
    value["experiments"] = {name: value["experiments"][name] for name in kept}
    value["curves"] = {name: curve for name, curve in value["curves"].items() if curve["experiments"] == ["depth"]}
    value["tables"] = {"table_1": {"rows": [{"experiments": ["main"]}, {"experiments": ["from_industrial"]}]}}
    return value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    """Where the configurations are checked: with the images that the right ones name."""
    place = tmp_path_factory.mktemp("configurations")
    for name in ("bolts", "nuts", "headct"):
        (place / "photos" / name / "good").mkdir(parents=True)
        (place / "photos" / name / "good" / "1.png").touch()
    with contextlib.chdir(place):
        yield place


def holds(path: Path) -> None:
    """A configuration is planned, or refused in one line, and says nothing else on the error stream."""
    said, refused = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(refused):
        code = main(["check", str(path)])
    lines = refused.getvalue().splitlines()
    if code == 0:
        assert lines == []
        config = load_config(path)
        registry, plan = plan_of(config)
        document = plan_document(plan, {name: {"title": registry[name].title} for name in plan.sets})
        json.dumps(document, allow_nan=False, ensure_ascii=False).encode("utf-8")
        said.getvalue().encode("utf-8")
    else:
        assert code in (1, 2)
        assert len(lines) == 1, lines
        assert lines[0].startswith("adaclip: error: ")
        assert len(lines[0]) < 1500, lines[0]
        lines[0].encode("utf-8")


def places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything in a value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(way for key, part in parts for way in places(part, (*above, key)))]


def at(value: Any, way: tuple[Any, ...]) -> Any:
    for step in way:
        value = value[step]
    return value


def damage(value: Any, draw: st.DrawFn) -> Any:
    """The value with one place changed."""
    way = draw(st.sampled_from(places(value)))
    odd = copy.deepcopy(draw(st.sampled_from(ODD)))
    if not way:
        return odd if draw(st.integers(0, 9)) == 0 else value
    holder, key = at(value, way[:-1]), way[-1]
    kind = draw(st.sampled_from(["replace", "replace", "remove", "rename", "add", "wrap", "deepen", "move"]))
    if kind == "replace":
        holder[key] = odd
    elif kind == "remove":
        del holder[key]
    elif kind == "rename" and isinstance(holder, dict):
        holder[draw(st.sampled_from(KEYS))] = holder.pop(key)
    elif kind == "add":
        inner = holder[key]
        if isinstance(inner, dict):
            inner[draw(st.sampled_from(KEYS))] = odd
        elif isinstance(inner, list):
            inner.append(odd)
        else:
            holder[key] = [inner, odd]
    elif kind == "wrap":
        holder[key] = draw(st.sampled_from([[holder[key]], {"a": holder[key]}, str(holder[key])]))
    elif kind == "deepen":
        for _ in range(draw(st.sampled_from([3, 60]))):
            holder[key] = [holder[key]]
    elif kind == "move":
        holder[key] = copy.deepcopy(at(value, draw(st.sampled_from(places(value)))))
    return value


@st.composite
def damaged_values(draw: st.DrawFn, base: dict[str, Any], most: int) -> Any:
    value = copy.deepcopy(base)
    for _ in range(draw(st.integers(0, most))):
        value = damage(value, draw)
    return value


@st.composite
def damaged_texts(draw: st.DrawFn, text: str) -> str:
    for _ in range(draw(st.integers(1, 4))):
        lines = text.splitlines(keepends=True) or [""]
        place = draw(st.integers(0, len(text)))
        line = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.sampled_from(["insert", "cut", "double", "drop", "indent", "swap", "end"]))
        if kind == "insert":
            text = text[:place] + draw(st.sampled_from(SNIPPETS)) + text[place:]
        elif kind == "cut":
            text = text[:place] + text[place + draw(st.integers(1, 9)) :]
        elif kind == "double":
            text = "".join([*lines[: line + 1], *lines[line:]])
        elif kind == "drop":
            text = "".join([*lines[:line], *lines[line + 1 :]])
        elif kind == "indent":
            text = "".join([*lines[:line], draw(st.sampled_from([" ", "  ", "\t"])), *lines[line:]])
        elif kind == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[line], lines[other] = lines[other], lines[line]
            text = "".join(lines)
        else:
            text = text[:place]
    return text


def many(examples: int):
    quick = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, derandomize=True, deadline=None, database=None, suppress_health_check=quick)


def write(path: Path, value: Any) -> Path:
    path.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), "utf-8", errors="surrogatepass")
    return path


def test_the_configurations_that_are_damaged_are_right(folder: Path) -> None:
    for value in (OWN, part_of_the_demo()):
        assert main(["check", str(write(folder / "right.yaml", value))]) == 0


@many(2900)
@given(value=damaged_values(OWN, 3))
def test_damaged_values(folder: Path, value: Any) -> None:
    holds(write(folder / "own.yaml", value))


@many(400)
@given(value=damaged_values(part_of_the_demo(), 3))
def test_damaged_parts_of_the_demo(folder: Path, value: Any) -> None:
    holds(write(folder / "demo.yaml", value))


@many(1700)
@given(text=damaged_texts(yaml.safe_dump(OWN, sort_keys=False)))
def test_damaged_texts(folder: Path, text: str) -> None:
    path = folder / "own.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    holds(path)


def test_every_key_of_the_text_is_refused_when_it_stands_twice(folder: Path, capsys) -> None:
    lines = yaml.safe_dump(OWN, sort_keys=False).splitlines()
    doubled = [number for number, line in enumerate(lines) if ":" in line and not line.lstrip().startswith("-")]
    assert len(doubled) > 50
    for number in doubled:
        key, indent = lines[number].strip().partition(":")[0], len(lines[number]) - len(lines[number].lstrip())
        # After what belongs to the key, so that the same mapping goes on.
        end = number + 1
        while end < len(lines) and (
            len(lines[end]) - len(lines[end].lstrip()) > indent or lines[end][indent:].startswith("- ")
        ):
            end += 1
        text = "\n".join([*lines[:end], f"{' ' * indent}{key}: 1", *lines[end:]])
        (folder / "twice.yaml").write_text(text + "\n")
        assert main(["check", "twice.yaml"]) == 2
        assert f"twice.yaml, line {end + 1}, column {indent + 1}: key '{key}' stands twice" in capsys.readouterr().err
