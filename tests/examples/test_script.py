"""The plain script: what it prints is what sha256sum checks."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.processes import environment
from tests.examples.conftest import EXAMPLES, Up


def test_the_sums_of_a_tree_are_those_of_sha256sum(up: Up, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    contents = {tree / "a": b"a", tree / "deep" / "empty": b"", tree / "deep" / "larger": bytes(100_000)}
    for path, content in contents.items():
        path.write_bytes(content)

    with up("checksums:app", EXAMPLES / "script") as address:
        done = subprocess.run(
            [sys.executable, "checksums.py", str(tree)],
            cwd=EXAMPLES / "script",
            env=environment(TQ_URL=address),
            capture_output=True,
            text=True,
            timeout=60,
        )

    expected = "".join(f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in contents.items())
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that not even root can read")
def test_a_file_that_cannot_be_read_is_named_and_the_others_are_not_held_up(up: Up, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "good").write_bytes(b"good")
    (tree / "memory").symlink_to("/proc/self/mem")  # nobody can read it from its start

    with up("checksums:app", EXAMPLES / "script") as address:
        done = subprocess.run(
            [sys.executable, "checksums.py", str(tree)],
            cwd=EXAMPLES / "script",
            env=environment(TQ_URL=address),
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert done.returncode == 1
    assert done.stdout == f"{hashlib.sha256(b'good').hexdigest()}  {tree}/good\n"
    assert f"{tree}/memory" in done.stderr
