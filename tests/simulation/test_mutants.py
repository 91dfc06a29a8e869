"""Mutation testing of the engine: of the small changes that rules can make, the suite must notice nearly all. What it
does not notice is printed, to be looked at: a test is missing, or the change has no effect (one in ten has none: a
counter that only has to grow, an initial value that is never read)."""

import os
import random
from pathlib import Path

import pytest

from tests.simulation.mutants import mutants
from tests.simulation.test_planted_bugs import ROOT, copy_sources, run

ENGINE = ROOT / "tq" / "engine"
COUNT = int(os.environ.get("TQ_MUTANTS", "200"))
SEED = int(os.environ.get("TQ_MUTANTS_SEED", "1"))

WALKS = """
import sys
from tests.simulation.test_walks import walk
try:
    for seed in range(60):
        walk(seed)
except BaseException:
    sys.exit(1)
"""


def test_the_rules_make_different_mutants_that_are_python() -> None:
    found = list(mutants(ENGINE / "sweeping.py"))

    assert len(found) > 20
    assert len({source for _, source in found}) == len(found)
    for what, source in found:
        compile(source, what, "exec")


@pytest.mark.campaign
@pytest.mark.timeout(0)
def test_nearly_every_mutant_is_noticed(tmp_path: Path) -> None:
    """TQ_MUTANTS of them, drawn by TQ_MUTANTS_SEED."""
    everything = [(path, what, source) for path in sorted(ENGINE.glob("*.py")) for what, source in mutants(path)]
    chosen = random.Random(SEED).sample(everything, min(COUNT, len(everything)))
    copy_sources(tmp_path)
    survivors = []
    for path, what, source in chosen:
        copy = tmp_path / "tq" / "engine" / path.name
        copy.write_text(source)
        options = ("-x", "-q", "--no-header", "-p", "no:randomly", "-p", "no:cacheprovider", "--timeout", "30")
        suite = run(tmp_path, "-m", "pytest", *options, "tests/engine")
        if suite.returncode == 0 and run(tmp_path, "-c", WALKS).returncode == 0:
            survivors.append(what)
            print(f"survived: {what}", flush=True)
        copy.write_text(path.read_text())
    noticed = len(chosen) - len(survivors)
    print(f"{noticed} of {len(chosen)} mutants noticed, of {len(everything)} there are")
    assert noticed >= 0.85 * len(chosen)
