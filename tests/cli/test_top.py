"""`tq top` without a screen: drawn once, printed, recorded, replayed; and each screen's data equal to its command's."""

import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli.conftest import RunningBroker, RunningWorker
from tests.cli.processes import call_tq, on_terminal, run_tq
from tests.tui.fakes import GREETING, NOW_MS, part, queue, totals
from tests.tui.test_recording import recorded
from tq.client.async_client import AsyncClient
from tq.client.task import Task
from tq.model.ids import format_id
from tq.model.task import State
from tq.tui.app import Look, TopApp
from tq.tui.commandline import HOME, WORDS, Place, parse_command, verb_of
from tq.tui.feed import Connected, Frame, LiveFeed
from tq.tui.glyphs import ASCII
from tq.tui.once import all_there, as_text
from tq.tui.places import MODES, OPENS
from tq.tui.screens.listing import ListScreen

SIZE = (160, 60)
_AGE = re.compile(r"(\d+(ms|s|m|h|d))+")


class Frozen(NamedTuple):
    """A broker in which nothing happens: `waiting` is a paused queue with two tasks, `failing` has a dead letter."""

    broker: RunningBroker
    waiting: str
    failing: str
    dead: str


@pytest.fixture(scope="module")
def frozen(broker: RunningBroker, _worker: RunningWorker) -> Frozen:
    client, waiting = broker.client, "parity"
    dead = client.submit_task(Task("fail", queue=_worker.queue, max_retries=0))
    client.wait(dead, 30)
    client.submit_tasks([Task("nobody", queue=waiting), Task("nobody", queue=waiting, delay="1h")])
    client.pause_queue(waiting, reason="frozen")
    prepared = client.prepare("purge", f"queue:{waiting} state:dead_letter")
    assert prepared.count == 0
    return Frozen(broker, waiting, _worker.queue, dead)


@asynccontextmanager
async def showing(frozen: Frozen, line: str) -> AsyncIterator[TopApp]:
    """The dashboard at a place, with all that it shows."""
    address = frozen.broker.address
    app = TopApp(
        LiveFeed(AsyncClient(address)), Look(ASCII), AsyncClient(address), time.monotonic, start=parse_command(line)
    )
    async with app.run_test(size=SIZE) as pilot:
        await all_there(app, pilot, seconds=30)
        yield app


def listed(app: TopApp) -> dict[str, Any]:
    assert isinstance(app.here, ListScreen)
    return {row_id: app.here.list.row(row_id) for row_id in app.here.list.ids}


def printed(frozen: Frozen, line: str) -> Any:
    """What the command of a place prints as JSON."""
    verb = verb_of(parse_command(line))
    end = verb.index("--") if "--" in verb else len(verb)
    done = call_tq(*verb[:end], "-o", "json", "--url", frozen.broker.address, *verb[end:])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# -- parity: what a screen shows is what its command prints -----------------------------------------------------


async def test_queues(frozen: Frozen) -> None:
    async with showing(frozen, "queues") as app:
        rows = listed(app)
        drawn = next(line for line in as_text(app).splitlines() if f" {frozen.waiting} " in line)

    records = {record["name"]: record for record in printed(frozen, "queues")}
    assert list(rows) != []
    assert set(rows) == set(records)
    for name, row in rows.items():
        record = records[name]
        same = ("ready", "in_progress", "scheduled", "retrying", "dead", "no_handler")
        assert {field: getattr(row, field) for field in same} == {field: record[field] for field in same}
        assert (row.state == "paused") == record["is_paused"]
    assert drawn.split(f" {frozen.waiting} ")[1].split()[:3] == ["#", "paused", str(records[frozen.waiting]["ready"])]


async def test_workers(frozen: Frozen) -> None:
    async with showing(frozen, "workers") as app:
        rows = listed(app)

    records = {record["incarnation"]: record for record in printed(frozen, "workers")}
    assert list(rows) != []
    assert set(rows) == set(records)
    for incarnation, row in rows.items():
        record = records[incarnation]
        assert (row.name, row.host, row.pid) == (record["name"], record["host"], record["pid"])
        assert (row.slots, row.leases) == (record["concurrency"], record["leases"])


async def test_dead_letters_by_error(frozen: Frozen) -> None:
    line = f"dead queue:{frozen.failing}"
    async with showing(frozen, line) as app:
        rows = listed(app)

    records = {record["fingerprint"]: record for record in printed(frozen, line)}
    assert list(rows) != []
    assert set(rows) == set(records)
    for fingerprint, row in rows.items():
        record = records[fingerprint]
        same = ("error_type", "message", "place", "count", "first_died_at_ms", "last_died_at_ms", "dead_total")
        assert {field: getattr(row, field) for field in same} == {field: record[field] for field in same}


@pytest.mark.parametrize("of", ["waiting", "failing"])
async def test_tasks(frozen: Frozen, of: str) -> None:
    line = f"tasks queue:{getattr(frozen, of)}"
    async with showing(frozen, line) as app:
        rows = listed(app)

    records = {record["id"]: record for record in printed(frozen, line)}
    assert list(rows) != []
    assert set(rows) == set(records)
    for task_id, row in rows.items():
        record = records[task_id]
        assert (format_id(row.id), row.state.value) == (record["id"], record["state"])
        same = ("task_type", "queue", "attempt", "error_type", "message", "worker")
        assert {field: getattr(row, field) for field in same} == {field: record[field] for field in same}


async def test_a_task(frozen: Frozen) -> None:
    line = f"task {frozen.dead}"
    async with showing(frozen, line) as app:
        page = as_text(app)

    record = printed(frozen, line)
    assert record["state"] == State.DEAD_LETTER.value
    last = record["history"][-1]
    for value in (
        frozen.dead,
        record["state"],
        record["task_type"],
        record["queue"],
        last["error_type"],
        last["worker"],
    ):
        assert str(value) in page


async def test_activity(frozen: Frozen) -> None:
    async with showing(frozen, "activity") as app:
        rows = listed(app)

    assert {record["id"] for record in printed(frozen, "activity")} <= set(rows)


def test_every_screen_has_a_command_that_prints_the_same() -> None:
    made = {name: screen() for name, screen in MODES.items()}
    made |= {name: make("019ab697-e800-7001-8203-040506070809") for name, make in OPENS.items() if name != "found"}

    for name, screen in made.items():
        words = [word for word in WORDS if word.screen == name]
        assert [word.verb for word in words if word.verb], f"{name}: give its Word in commandline.py the verb"
        assert screen.command.text().startswith(" ".join(("tq", *words[0].verb))), name


@pytest.mark.parametrize(
    "place", ["queues", "workers", "dead queue:{failing}", "tasks queue:{waiting}", "activity", "queue {waiting}"]
)
def test_json_and_plain_are_those_of_the_command(frozen: Frozen, place: str) -> None:
    """Of the broker that other tests use as well, only what is frozen."""
    line = place.format(failing=frozen.failing, waiting=frozen.waiting)
    verb = verb_of(parse_command(line))
    end = verb.index("--") if "--" in verb else len(verb)
    for option, output in (("--json", "json"), ("--plain", "table")):
        expected = call_tq(*verb[:end], "-o", output, "-u", frozen.broker.address, *verb[end:])
        done = call_tq("top", frozen.broker.address, "--screen", line, option)
        assert (done.returncode, _stable(done.stdout)) == (0, _stable(expected.stdout))


def _stable(text: str) -> list[list[str]]:
    """The words, without what moves with the clock."""
    moving = ("_ms", "cpu", "10s", "60s", "per_minute")
    lines = [line for line in text.splitlines() if not any(word in line for word in moving)]
    return [
        [word for word in line.split() if word not in ("ago", "now") and not _AGE.fullmatch(word)] for line in lines
    ]


# -- once -------------------------------------------------------------------------------------------------------


def test_once_draws_the_screen_in_the_size_that_is_asked_for(frozen: Frozen) -> None:
    done = run_tq(
        "top", frozen.broker.address, "--once", "--size", "100x20", "--screen", f"tasks queue:{frozen.waiting}"
    )

    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert len(lines) == 20
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith(" tq  unix://")
    assert f"> tasks / queue:{frozen.waiting}" in lines[1]
    assert sum("nobody" in line for line in lines) == 2
    assert "\x1b" not in done.stdout


def test_once_has_the_size_of_its_terminal(frozen: Frozen) -> None:
    with on_terminal("top", frozen.broker.address, "--once", "--theme", "ansi-dark", columns=70, lines=12) as terminal:
        assert terminal.end() == 0

    assert len(terminal.seen.splitlines()) == 12


def test_once_without_a_broker_exits_as_every_verb_does() -> None:
    done = run_tq("top", "127.0.0.1:1", "--once")

    assert done.returncode == 3
    assert "no broker answers at tcp://127.0.0.1:1" in done.stderr
    assert done.stdout == ""


def test_once_of_a_task_that_is_not_there_says_so(frozen: Frozen) -> None:
    unknown = "019ab697-e800-7001-8203-040506070809"
    done = run_tq("top", frozen.broker.address, "--once", "--screen", f"task {unknown}", "--size", "100x20")

    assert "there is no task" in done.stdout


def test_the_doctor_page_has_a_round_trip_and_the_brokers_figures(frozen: Frozen) -> None:
    done = run_tq("top", frozen.broker.address, "--once", "--screen", "doctor", "--size", "100x40")

    facts = dict(line.strip().split("  ", 1) for line in done.stdout.splitlines() if line.startswith("   "))
    assert "5 requests" in facts["round trip"]
    assert "sync" in facts["commit"]
    assert facts["size"].strip() == "100 x 40"
    assert facts["broker's clock"].strip() == "agrees with this machine's"


# -- recorded and replayed --------------------------------------------------------------------------------------


def test_what_was_recorded_is_replayed(tmp_path: Path) -> None:
    path = tmp_path / "r"
    first = Frame([part(scope, []) for scope in ("attention", "events")] + [part("totals", [totals()])], NOW_MS)
    depths = [Frame([part("queues", [queue("mail", ready=ready)])], NOW_MS + ready * 1_000) for ready in range(1, 61)]
    recorded(path, Connected(GREETING), first, *depths).close()

    done = run_tq("top", "--replay", str(path), "--at", "40s", "--once", "--size", "120x30")

    assert done.returncode == 0, done.stderr
    assert "REPLAY 0:40/1:01" in done.stdout
    assert next(line for line in done.stdout.splitlines() if " mail " in line).split()[4] == "39"


def test_a_torn_recording_is_replayed_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "r"
    everything = [part(scope, []) for scope in ("totals", "attention", "events", "queues")]
    recorded(path, Connected(GREETING), Frame(everything, NOW_MS), Frame([], NOW_MS)).close()
    path.write_bytes(path.read_bytes()[:-3])

    done = run_tq("top", "--replay", str(path), "--at", "1s", "--once")

    assert done.returncode == 0
    assert "is torn: its last" in done.stderr


def test_the_dashboard_records_what_it_shows(frozen: Frozen, tmp_path: Path) -> None:
    path = tmp_path / "incident"
    with on_terminal("top", frozen.broker.address, "--record", str(path), columns=120, lines=30) as terminal:
        terminal.read_until("REC 0.0 MiB")
        terminal.read_until(frozen.waiting)
        terminal.type("q")
        assert terminal.end() == 0

    done = run_tq("top", "--replay", str(path), "--at", "1h", "--once", "--size", "120x60")
    assert frozen.waiting in done.stdout


# -- what does not go together ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--once", "--json"], "--once and --json at once"),
        (["--record", "a", "--replay", "b"], "--record and --replay at once"),
        (["--record", "a", "--once"], "--record and --once at once"),
        (["--replay", "a", "--json"], "--json asks a broker"),
        (["db1:6379", "--replay", "a"], "--replay shows a file, not db1:6379"),
        (["--at", "3s"], "--at is a place in a recording"),
        (["--size", "80x24"], "--size is that of --once"),
        (["--once", "--size", "big"], "'big' is no size"),
        (["--once", "--screen", "nonsense"], "there is no command 'nonsense'"),
        (["--once", "--screen", "quit"], "there is no screen 'quit'"),
        (["--once", "--screen", "task"], ":task needs an id"),
        (["--once", "--replay", "/nowhere"], "/nowhere cannot be read"),
        (["--replay", "a"], "the dashboard needs a terminal"),
        ([], "the dashboard needs a terminal"),
    ],
)
def test_options_without_a_meaning_are_refused(arguments: list[str], said: str) -> None:
    done = call_tq("top", *arguments)

    assert done.returncode == 2
    assert said in done.stderr


def test_a_place_without_a_word_has_no_command() -> None:
    assert verb_of(Place("found", "x")) == []
    assert verb_of(HOME) == ["queue", "list"]
    assert verb_of(Place("queue", "a b")) == ["task", "list", "--", 'queue:"a b" state:pending,failed']
