"""A copy of the project with three tiny sets, to run the real workflow in."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import yaml
from PIL import Image

from tests.sets import draw_image

ROOT = Path(__file__).parents[2]
#: Jobs as a dry run lists them: a rule, and what its wildcards are.
Job = tuple[str, ...]

CONFIG = {
    "title": "Three tiny sets",
    "data": "data",
    "results": "results",
    "datasets": {name: {"raw": f"originals/{name}", "domain": "custom"} for name in ("alpha", "beta", "gamma")},
    "backbones": {"tiny": {"model": "tiny", "image_size": 32}},
    "defaults": {
        "model": {"prompt_depth": 2, "clusters": 2},
        "train": {"epochs": 1, "batch_size": 2},
        "evaluate_with": {"size": 32},
    },
    "runtime": {"device": "cpu", "threads": 1, "workers": 0},
    "experiments": {
        "on_alpha": {"title": "On alpha", "auxiliary": ["alpha"]},
        "on_beta": {"title": "On beta", "auxiliary": ["beta"], "evaluate": ["gamma"]},
    },
}


@dataclass(frozen=True)
class Project:
    """A folder with the workflow, a package of its own, and the config."""

    folder: Path

    @property
    def config(self) -> dict:
        return yaml.safe_load((self.folder / "config.yaml").read_text())

    def configure(self, change: Callable[[dict], None]) -> None:
        config = self.config
        change(config)
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def edit(self, module: str) -> None:
        """Add a line to a module of this project's own package."""
        path = self.folder / "adaclip" / module
        path.write_text(path.read_text() + "\n# Edited.\n")

    def start(self, *arguments: str, config: str | None = "config.yaml") -> subprocess.Popen[str]:
        chosen = ["--configfile", config] if config is not None else []
        # Packages of others may be installed into `site`.
        path = os.pathsep.join((str(self.folder), str(self.folder / "site")))
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
        return subprocess.Popen(
            [Path(sys.executable).with_name("snakemake"), *chosen, *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, fails: bool = False, config: str | None = "config.yaml") -> str:
        """Run snakemake to its end and give what it said."""
        process = self.start(*arguments, config=config)
        said, _ = process.communicate(timeout=300)
        assert (process.returncode != 0) == fails, said
        return said

    def planned(self) -> set[Job]:
        """The jobs that a dry run lists."""
        said = self.run("-n", "-p")
        jobs = set()
        for block in re.split(r"^(?:local)?(?:rule|checkpoint) ", said, flags=re.MULTILINE)[1:]:
            wildcards = re.search(r"^ *wildcards: (.*)$", block, re.MULTILINE)
            values = re.findall(r"\w+=([^,\n]+)", wildcards[1]) if wildcards else []
            jobs.add((block.partition(":")[0], *values))
        return jobs - {("all",)}

    def copy(self, folder: Path) -> Project:
        """Another one with the same files and times."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

    def files(self, *folders: str) -> dict[str, bytes]:
        """What stands in these folders."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for folder in folders
            for path in sorted((self.folder / folder).rglob("*"))
            if path.is_file()
        }


def make_project(folder: Path) -> Project:
    folder.mkdir(parents=True)
    for name in ("adaclip", "workflow", "profiles"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", folder)
    for number, name in enumerate(("alpha", "beta", "gamma")):
        draw_original(folder / "originals" / name, seed=number, category="bolt" if name == "alpha" else "nut")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG, sort_keys=False))
    return Project(folder)


def draw_original(folder: Path, seed: int, category: str, images: int = 4) -> None:
    """A user's own folder in MVTec's layout."""
    rng = np.random.default_rng(seed)
    for index in range(images):
        defect = index % 2 == 1
        pixels, mask = draw_image(rng, 64, 64, defect)
        name = f"{category}/test/{'hole' if defect else 'good'}/{index:03}.png"
        save(folder / name, pixels)
        if defect:
            save(folder / f"{category}/ground_truth/hole/{index:03}_mask.png", mask)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def kill_tree(process: subprocess.Popen[str]) -> None:
    """SIGKILL a process and everything below it, as a machine that goes down does."""
    tree = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for member in tree:
        member.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    psutil.wait_procs(tree, timeout=30)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.05)
