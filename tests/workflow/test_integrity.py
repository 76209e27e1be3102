"""Single flipped bits in what a real run left: found, named, and made again."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path

import pytest

from adaclip.data.damage import verify_data
from adaclip.system.faults import Checked
from adaclip.system.records import FOLDER
from adaclip.upkeep.verify import DIARIES, verify_results
from tests.workflow.project import Project, make_project

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]
#: What holds seconds, or is made from what does, and so differs from run to run.
TIMED = re.compile(
    r"results/(sha256/)?(.*/cost\.json|tables/(cost|comparison|index)\.|figures/(accuracy_cost|index)\.|report/)|.*/\.snakemake"
)


def made(project: Project) -> dict[str, bytes]:
    """Every file of results and data, but for logs and times that Snakemake writes for people."""
    files = project.files("results", "data")
    return {name: content for name, content in files.items() if not set(name.split("/")[1:3]) & set(DIARIES)}


def lasting(project: Project) -> dict[str, bytes]:
    """Those of them that every run makes with the same bytes."""
    return {name: content for name, content in made(project).items() if not TIMED.match(name)}


def kind_of(name: str) -> str:
    """What sort of file it is: its folder's, and its suffix."""
    parts = name.split("/")
    return f"{'/'.join(parts[:2])} {Path(name).name if parts[1] == 'runs' else Path(name).suffix}"


def places(project: Project, count: int, seed: int) -> list[tuple[str, int]]:
    """Files and bits of them, drawn from all kinds of files in turn."""
    draw = random.Random(seed)
    by_kind: dict[str, list[str]] = {}
    for name, content in sorted(project.files("results", "data").items()):
        if content:
            by_kind.setdefault(kind_of(name), []).append(name)
    kinds = list(by_kind)
    draw.shuffle(kinds)
    drawn = [draw.choice(by_kind[kind]) for kind in islice(cycle(kinds), count)]
    return [(name, draw.randrange(8 * (project.folder / name).stat().st_size)) for name in drawn]


def flip(project: Project, name: str, bit: int) -> None:
    path = project.folder / name
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def verify(project: Project) -> Checked:
    found = verify_results(project.folder / "results", jobs=1)
    found.add(verify_data(project.folder / "data", jobs=1))
    return found


def command(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    """`adaclip` with this project's package, in its folder."""
    return subprocess.run(
        [sys.executable, "-m", "adaclip.cli", *words],
        cwd=project.folder,
        env={"PYTHONPATH": str(project.folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def is_told(name: str, line: str) -> bool:
    """Whether a line names a damaged file; damage to a digest is told of its file, and names both."""
    begun = line.partition(": damaged")[0]
    told = name.replace(f"/{FOLDER}/", "/", 1).removesuffix(".sha256")
    return name in line and (begun.endswith(told) or (begun.startswith(name.removesuffix("SHA256SUMS"))))


def test_each_of_fifty_flipped_bits_is_found_and_nothing_else(project):
    assert verify(project).faults == []
    chosen = places(project, 50, seed=1)
    assert {"results/features .safetensors", "results/figures .svg", "results/report .html", "data/prepared .png"} <= {
        kind_of(name) for name, _ in chosen
    }
    for name, bit in chosen:
        flip(project, name, bit)
        [fault] = verify(project).faults
        assert is_told(name, str(fault).replace(f"{project.folder}/", "")), (name, str(fault))
        flip(project, name, bit)
    assert verify(project).faults == []


def test_what_is_damaged_is_removed_and_made_again_with_the_same_bytes(project):
    before, everything = lasting(project), made(project).keys()
    chosen = dict(places(project, 30, seed=2))
    # What is costly to lose is among them.
    chosen |= {
        "results/runs/on_beta/seed-0/checkpoint.safetensors": 99_999,
        "results/features/tiny/gamma.safetensors": 7,
    }
    for name, bit in chosen.items():
        flip(project, name, bit)
    said = command(project, "verify", "results", "--data", "data")
    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert "run adaclip verify results --data data --remove, then snakemake --cores all" in said.stderr
    told = [line for line in said.stdout.splitlines() if ": damaged" in line]
    assert [line for line in told if not any(is_told(name, line) for name in chosen)] == []
    # Images are not looked at where the digests of them are damaged.
    untold = [name for name in chosen if not any(is_told(name, line) for line in told)]
    assert all(name.startswith("data/prepared/") for name in untold)
    assert f"not what was written: {len(told)}:" in said.stderr
    said = command(project, "verify", "results", "--data", "data", "--remove")
    assert said.returncode == 0, said.stderr
    project.run("--cores", "2")
    assert verify(project).faults == []
    assert made(project).keys() == everything
    after = lasting(project)
    assert [name for name in before if after[name] != before[name]] == []
    assert project.planned() == set()


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ("results/runs/on_beta/seed-0/checkpoint.safetensors", "results/runs/on_beta/seed-0/gamma/metrics.json"),
        ("results/features/tiny/gamma.safetensors", "results/runs/on_beta/seed-0/gamma/metrics.json"),
        ("data/prepared/gamma/images/nut/test/hole/001.png", "results/runs/on_beta/seed-0/gamma/metrics.json"),
        ("results/runs/on_beta/seed-0/gamma/metrics.json", "results/tables/results.csv"),
    ],
)
def test_without_being_verified_damage_stops_the_job_that_reads_it(project, name, again):
    path = project.folder / name
    flip(project, name, 8 * path.stat().st_size - 77)
    (project.folder / again).unlink()
    said = project.run("--cores", "1", again, fails=True)
    assert "Traceback" not in said
    logs = "".join(log.read_text() for log in (project.folder / "results/logs").rglob("*.log"))
    [line] = [line for line in logs.splitlines() if "adaclip: error" in line]
    assert f"{Path(name).name} is damaged" in line
    assert not (project.folder / again).exists()


def test_drawn_and_fetched_originals_are_made_again_with_the_same_bytes(tmp_path):
    project = make_project(tmp_path / "drawn")
    names = ["ksdd", "btad"]
    experiment = {"auxiliary": ["ksdd"], "evaluate": ["btad"]}
    simulated = {"simulate": {"images": 4, "size": 96}, "sets": names, "experiments": {"drawn": experiment}}
    project.configure(lambda config: (config.pop("datasets"), config.update(simulated)))
    project.run("--cores", "2", "prepared")
    before = project.files("data")
    for damaged in (
        ("data/mirror/btad/btad.zip", "data/raw/ksdd/.fetched.json", "data/raw/btad.fetched.json"),
        ("data/mirror/btad/SHA256SUMS", "data/mirror/ksdd/SIMULATED.txt", "data/raw/btad/btad.zip"),
    ):
        for name in damaged:
            flip(project, name, 8 * 47 + 3)
        told = sorted(command(project, "verify", "results", "--data", "data").stdout.splitlines())
        assert [line.split(": ")[:2] for line in told] == [[name, "damaged"] for name in sorted(damaged)]
        assert command(project, "verify", "results", "--data", "data", "--remove").returncode == 0
        project.run("--cores", "2", "prepared")
        assert project.files("data") == before
        assert verify(project).faults == []
