"""What the everyday commands import: the dashboard, ssh and the web are for those who ask for them.

Numbers of modules are asserted, for they do not depend on the machine; times are in docs/performance.md.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.processes import Daemon, daemon, environment
from tests.client.real import RealBroker, real_broker
from tq.client.blocking import Client
from tq.client.task import Task

DOORS = (
    *("textual", "textual_serve", "asyncssh", "aiohttp", "tq.tui", "tq.doors"),
    *("litestar", "uvicorn", "grpc", "prometheus_client", "tq.edges"),
)
"""The ways in, and what they need: a process of its own each."""
DRAWING = ("rich", "pygments")
BROKERS_OWN = ("rocksdict", "tq.engine", "tq.server", "tq.storage")

_RUN = """
import json, sys
sys.argv = ["tq", *sys.argv[1:]]
from tq.cli.main import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
PROGRAM = (sys.executable, "-c", _RUN)

APP = """
import json, sys
from pathlib import Path
import tq
app = tq.App("imports")
@app.task
def modules() -> None:
    Path("modules").write_text(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    with real_broker(tmp_path_factory.mktemp("imports")) as running:
        yield running


def imported(*arguments: str) -> set[str]:
    """The modules that a run of tq has imported at its end."""
    done = subprocess.run([*PROGRAM, *arguments], capture_output=True, timeout=60, env=environment())
    assert done.returncode == 0, done.stderr.decode()
    return set(json.loads(done.stderr.splitlines()[-1]))


def at_the_end_of(process: Daemon) -> set[str]:
    """The modules that a daemon has imported when it is ended."""
    assert process.end() == 0
    return set(json.loads(process.log.splitlines()[-1]))


def found(names: tuple[str, ...], modules: set[str]) -> list[str]:
    return [name for name in names if name in modules]


def weighed(modules: set[str]) -> int:
    """How many of them are neither Python's own nor of the measuring of coverage."""
    tops = {name: name.partition(".")[0] for name in modules}
    return sum(top not in sys.stdlib_module_names and top not in ("coverage", "_pytest") for top in tops.values())


def test_the_version_is_said_before_anything_is_imported() -> None:
    modules = imported("--version")

    assert found((*DOORS, *DRAWING, *BROKERS_OWN, "typer", "msgspec", "asyncio"), modules) == []
    assert weighed(modules) <= 12


@pytest.mark.parametrize(
    "arguments",
    [("submit", "--type", "a", "--queue", "imports"), ("queue", "list", "-o", "json"), ("stats", "-o", "json")],
)
def test_a_short_command_imports_nothing_that_draws_or_serves(broker: RealBroker, arguments: tuple[str, ...]) -> None:
    modules = imported(*arguments, "--url", broker.address)

    assert found((*DOORS, *DRAWING, *BROKERS_OWN), modules) == []
    assert weighed(modules) <= 220


@pytest.mark.parametrize("arguments", [("--help",), ("top", "--help"), ("door", "--help")])
def test_the_tree_of_verbs_imports_none_of_what_its_verbs_need(arguments: tuple[str, ...]) -> None:
    modules = imported(*arguments)

    assert found((*DOORS, *DRAWING, *BROKERS_OWN, "asyncio"), modules) == []


def test_what_prints_a_screens_data_draws_no_screen(broker: RealBroker) -> None:
    modules = imported("top", broker.address, "--json")

    assert found(("textual", *BROKERS_OWN), modules) == []


def test_a_broker_imports_no_door(tmp_path: Path) -> None:
    flags = ("broker", "--port", "0", "--data-dir", str(tmp_path / "data"), "--log-format", "json")
    with daemon(*flags, program=PROGRAM) as process:
        process.wait_for("broker_started")
        modules = at_the_end_of(process)

    assert found((*DOORS, "tq.worker"), modules) == []


def test_a_worker_and_its_processes_import_no_door(broker: RealBroker, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    flags = ("worker", "shop:app", "--url", broker.address, "--log-format", "json")
    with daemon(*flags, program=PROGRAM, cwd=tmp_path) as process, Client(broker.address) as client:
        client.wait(client.submit_task(Task("modules")), 60)
        parent = at_the_end_of(process)

    child = set(json.loads((tmp_path / "modules").read_text()))
    assert found((*DOORS, *DRAWING, *BROKERS_OWN), parent) == []
    assert found((*DOORS, *DRAWING, *BROKERS_OWN), child) == []


def test_the_dashboard_begins_without_what_few_of_its_screens_need() -> None:
    """Each session of a door is a process of its own: what it imports is there as often as somebody looks."""
    run = "import json, sys, tq.cli.top, tq.tui.app; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, timeout=60, env=environment(), check=True)

    rare = ("email", "csv", "statistics", "msgpack", "textual.widgets._text_area", "tq.tui.screens.edit")
    assert found(rare, set(json.loads(done.stdout))) == []
