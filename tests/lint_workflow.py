"""Snakemake's own lint of the workflow, but for one lint that it cannot follow; `make lint` asks.

python tests/lint_workflow.py config/demo.yaml

The rules name no conda environment: they run the `adaclip` that is installed beside Snakemake, whose package is part of
this folder, and Snakemake copies an environment's file away from the lock that it would have to install.
"""

from __future__ import annotations

import re
import subprocess
import sys

ACCEPTED = "Specify a conda environment or container for each rule."
LINT = re.compile(r"^ {4}\* (.*?):?$", re.MULTILINE)


def other_lints(said: str) -> list[str]:
    """Lints in what Snakemake said that are not the accepted one."""
    return [title for title in LINT.findall(said) if title != ACCEPTED]


def main(config: str) -> int:
    """Lint; 0 where nothing but the accepted lint is said."""
    command = [sys.executable, "-m", "snakemake", "--lint", "--configfile", config]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    wrong = other_lints(said)
    # Anything but lints, such as a fault in a rule file, ends it too.
    if wrong or (done.returncode and ACCEPTED not in said):
        print(said)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
