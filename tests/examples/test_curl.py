"""The walkthrough with curl does what it says, on a broker as it is."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.processes import daemon
from tests.edges.real import edge_broker
from tests.examples.conftest import EXAMPLES

CURL = EXAMPLES / "curl"
pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl: apt-get install curl")


def test_the_walkthrough_walks_through(tmp_path: Path) -> None:
    with (
        edge_broker(tmp_path) as broker,
        daemon("worker", "handlers:app", "--url", broker.address, "--log-format", "json", cwd=CURL) as worker,
    ):
        worker.wait_for("connected")
        walked = subprocess.run(
            ["sh", str(CURL / "walkthrough.sh")],
            env={**os.environ, "TQ": f"{broker.rest}/api/v1"},
            capture_output=True,
            text=True,
            timeout=100,
        )

    assert walked.returncode == 0, walked.stderr[-2_000:]
    assert "That was a task's whole life" in walked.stderr
