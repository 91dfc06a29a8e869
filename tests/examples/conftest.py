"""A broker and a worker for one example, as its first lines tell a user to start them: `tq up APP`."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.cli.processes import daemon, environment

EXAMPLES = Path(__file__).parents[2] / "examples"
Up = Callable[[str, Path], AbstractContextManager[str]]


@pytest.fixture
def up(tmp_path: Path) -> Up:
    """Runs an application of a directory until the end of the block; gives the address of its broker."""

    @contextlib.contextmanager
    def running(app: str, directory: Path) -> Iterator[str]:
        flags = ("--port", "0", "--data-dir", str(tmp_path / "data"), "--log-format", "json")
        with daemon("up", app, *flags, cwd=directory, env=environment(PYTHONPATH=str(directory))) as process:
            process.wait_for("worker_connected")
            yield f"unix://{tmp_path}/data/tq.sock"
            assert process.end() == 0

    return running
