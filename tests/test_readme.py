"""The README does what it says: its application and its commands are run exactly as printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.processes import daemon, environment

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent


def _block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def test_the_application_and_the_commands_work_as_printed(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(_block("python"))
    env = environment(PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}")
    (start,) = re.findall(r"^    (tq up .*)$", README.split("## An application")[1], re.MULTILINE)
    done = []

    with daemon(*start.split()[1:], program=[str(BIN / "tq")], env=env, cwd=tmp_path) as up:
        up.wait_for("worker_connected")
        for command in _block("sh").splitlines():
            run = subprocess.run(
                ["bash", "-c", command], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60
            )
            done.append((command.split(" --")[0], run.returncode, run.stdout))
        assert up.end() == 0

    codes = [code for _, code, _ in done]
    assert codes == [0, 0, 1, 0, 0, 0], done
    assert done[0][2] == "welcomed Ada\n"
    assert "there is no user 0" in done[3][2]
    assert "Traceback" in done[4][2]


def test_an_application_fits_in_twenty_lines() -> None:
    lines = [line for line in _block("python").splitlines() if line.strip()]

    assert len(lines) <= 20


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#:]+)\)", README))
def test_every_link_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_targets_of_the_makefile(target: str) -> None:
    assert f"    make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
