"""The walkthrough with curl does what it says, on a broker as it is."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.processes import daemon
from tests.edges.rest.serving import serving
from tests.examples.conftest import EXAMPLES

CURL = EXAMPLES / "curl"
pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl: apt-get install curl")


def test_the_walkthrough_walks_through(tmp_path: Path) -> None:
    with daemon("broker", "--port", "0", "--data-dir", str(tmp_path), "--log-format", "json") as broker:
        broker.wait_for("broker_started")
        address = f"unix://{tmp_path}/tq.sock"
        with (
            daemon("worker", "handlers:app", "--url", address, "--log-format", "json", cwd=CURL) as worker,
            serving(address) as url,
        ):
            worker.wait_for("connected")
            walked = subprocess.run(
                ["sh", str(CURL / "walkthrough.sh")],
                env={**os.environ, "TQ": f"{url}/api/v1"},
                capture_output=True,
                text=True,
                timeout=100,
            )

    assert walked.returncode == 0, walked.stderr[-2_000:]
    assert "That was a task's whole life" in walked.stderr
