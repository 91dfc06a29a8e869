"""Would the tests notice? Each planted bug goes into a copy of the sources, and the suite must fail on it."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

from tests.simulation.planted import BUGS, Bug

ROOT = Path(__file__).parents[2]
SEEDS = int(os.environ.get("TQ_BUG_SEEDS", "300"))
CHOSEN = [bug for bug in BUGS if re.search(os.environ.get("TQ_BUGS", ""), bug.name)]

WALKS = f"""
import sys
from tests.simulation.test_walks import walk
for seed in range({SEEDS}):
    try:
        walk(seed)
    except AssertionError:
        print(seed + 1)
        sys.exit(1)
"""


def copy_sources(directory: Path) -> None:
    """All that the tests of the engine need, into a directory that is there."""
    for name in ("tq", "tests", "docs"):
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", directory)


def plant(bug: Bug, directory: Path) -> None:
    """A copy of the sources with the bug in it."""
    copy_sources(directory)
    path = directory / "tq" / "engine" / bug.file
    source = path.read_text()
    assert source.count(bug.old) == 1, f"{bug.name}: {bug.file} has changed; plant it anew"
    path.write_text(source.replace(bug.old, bug.new))


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in the copy. The current directory comes first in the path, before the installed sources."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def test_each_bug_can_be_planted() -> None:
    """In the ordinary suite, so that a change of the engine brings its bugs along."""
    sources = {bug.file: (ROOT / "tq" / "engine" / bug.file).read_text() for bug in BUGS}

    assert [bug.name for bug in BUGS if sources[bug.file].count(bug.old) != 1] == []


@pytest.mark.campaign
@pytest.mark.timeout(0)
def test_every_planted_bug_is_noticed(tmp_path: Path) -> None:
    """By the suite, all of them; and by how many random walks, where they do. TQ_BUGS is a pattern for some of them."""
    missed = []
    seeds = []
    started = time.monotonic()
    for number, bug in enumerate(CHOSEN):
        directory = tmp_path / str(number)
        directory.mkdir()
        plant(bug, directory)
        walks = run(directory, "-c", WALKS)
        seed = int(walks.stdout) if walks.stdout.strip().isdigit() else None
        options = ("-x", "-q", "--no-header", "-p", "no:randomly", "-p", "no:cacheprovider", "--timeout", "60")
        ignored = "--ignore=tests/simulation/test_planted_bugs.py"  # what it reads is not as it was
        suite = run(directory, "-m", "pytest", *options, ignored, "tests/engine", "tests/simulation")
        failed = [line for line in suite.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        by = failed[0].split("::")[-1].split(" - ")[0] if failed else "NOT NOTICED"
        print(f"| {bug.name} | {seed or '-'} | {by} |", flush=True)
        if seed is not None:
            seeds.append(seed)
        if not failed:
            missed.append(bug.name)
        shutil.rmtree(directory)
    noticed = len(CHOSEN) - len(missed)
    print(f"{len(CHOSEN)} bugs, {noticed} noticed; by walks {len(seeds)}, after {median(seeds or [0])} (median)")
    print(f"{time.monotonic() - started:.0f} s")
    assert not missed
