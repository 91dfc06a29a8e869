"""What is copied and saved as JSON: the same as the command line prints; and where files may not be written, none."""

import asyncio
import json
import resource
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.processes import run_tq
from tests.client.real import RealBroker
from tests.tui.dumps import lines, settled, text
from tests.tui.fakes import NOW_MS, FakeFeed, part, queue
from tests.tui.live import ScriptedWorker, Seat, dashboard, dead_letters
from tq.client.async_client import AsyncClient
from tq.client.task import Task
from tq.model.errors import InvalidArgument
from tq.tui.app import Look, TopApp
from tq.tui.commandline import Place
from tq.tui.glyphs import ASCII
from tq.tui.new_file import open_new, write_new
from tq.tui.screens.listing import ListScreen
from tq.tui.taking import COPIED_BYTES_MAX, default_name
from tq.tui.widgets.footer import Footer

RATES = ("_10s", "_60s", "_per_minute", "oldest_ready_ms", "last_seen_at_ms", "rss_bytes", "cpu_percent")
"""Ends of names of what is another number a moment later."""


async def printed(broker: RealBroker, *arguments: str) -> str:
    """What tq prints."""
    done = await asyncio.to_thread(run_tq, *arguments, "-o", "json", "--url", broker.address)
    assert done.returncode == 0, done.stderr
    return done.stdout


def steady(document: str) -> Any:
    """A document without what is another number a moment later."""
    return json.loads(document, object_hook=lambda one: {k: v for k, v in one.items() if not k.endswith(RATES)})


async def copied(seat: Seat, place: Place, rows: int = 1) -> str:
    """What is on the clipboard after `Y` in a place."""
    await seat.app.go(place)
    await seat.until(lambda: stands_on(seat, place, rows), f"{place}")
    seat.app.copy_to_clipboard("")
    await seat.press("Y")
    await seat.until(lambda: seat.app.clipboard, "the copy")
    return seat.app.clipboard


def stands_on(seat: Seat, place: Place, rows: int) -> bool:
    here = seat.app.here
    if here is None or here.place != place or not here.has_begun:
        return False
    return len(here.list) == rows if isinstance(here, ListScreen) else "fetching" not in text(seat.app)


async def save(seat: Seat, name: str) -> None:
    """`o`, this name, Enter."""
    await seat.press("o", "ctrl+u", "ctrl+k")
    await seat.type(name)
    await seat.press("enter")


async def test_a_task_is_copied_as_the_command_prints_it(broker: RealBroker, client: AsyncClient, queue: str) -> None:
    payload = '{"to":"zoë\\u202e"}'.encode()
    task_id = await client.submit_task(Task("send", payload, queue=queue, content_type="application/json"))

    async with dashboard(broker.address) as seat:
        of_page = await copied(seat, Place("task", task_id))
        of_row = await copied(seat, Place("tasks", f"id:{task_id}"))

    assert f"{of_page}\n" == await printed(broker, "task", "get", task_id)
    assert of_row == of_page
    assert "\\u202e" in of_page


async def test_a_queue_an_error_and_a_worker_are_copied_as_their_lines_of_a_listing(
    broker: RealBroker, queue: str
) -> None:
    await dead_letters(broker.address, queue, [("KeyError", "7")] * 2)
    worker = await ScriptedWorker(f"w-{queue}", queue, ["send"]).connect(broker.address)

    async with dashboard(broker.address) as seat:
        of_queue = await copied(seat, Place("queues", queue))
        of_group = await copied(seat, Place("dead", f"queue:{queue}"))
        of_worker = await copied(seat, Place("workers", f"w-{queue}"))
        of_process = await copied(seat, Place("worker", worker.incarnation.hex()), rows=0)

        queues = [one for one in steady(await printed(broker, "queue", "list")) if one["name"] == queue]
        workers = [one for one in steady(await printed(broker, "worker", "list")) if one["name"] == f"w-{queue}"]
        assert [steady(of_queue)] == queues
        assert [steady(of_group)] == steady(await printed(broker, "dead", "groups", f"queue:{queue}"))
        assert [steady(of_worker)] == workers
        shown = steady(await printed(broker, "worker", "show", worker.incarnation.hex()))
        assert [steady(of_process)] == shown
    await worker.close()


async def test_what_is_saved_is_what_the_listing_prints_for_their_owner_alone(
    broker: RealBroker, client: AsyncClient, queue: str, tmp_path: Path
) -> None:
    await client.submit_tasks([Task("send", queue=queue)] * 3)
    file = tmp_path / "found.json"

    async with dashboard(broker.address) as seat:
        await seat.app.go(Place("tasks", f"queue:{queue}"))
        await seat.until(lambda: stands_on(seat, Place("tasks", f"queue:{queue}"), 3))
        await save(seat, str(file))
        await seat.until(file.exists, "the file")

    listed = await printed(broker, "task", "list", f"queue:{queue}", "--sort", "age")
    assert file.read_text() == listed
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_more_than_a_terminal_takes_is_not_copied_and_the_command_is_told(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    task_id = await client.submit_task(Task("send", b"x" * COPIED_BYTES_MAX, queue=queue, content_type="text/plain"))

    async with dashboard(broker.address) as seat:
        await seat.app.go(Place("task", task_id))
        await seat.until(lambda: stands_on(seat, Place("task", task_id), 0))
        await seat.press("Y")
        await seat.until(lambda: seat.said, "the refusal")

        assert f"tq task get {task_id} -o json" in seat.said[-1]
        assert not seat.app.clipboard


@asynccontextmanager
async def recording(*, is_local: bool = True) -> AsyncIterator[Seat]:
    """A dashboard without a broker: there is what the stream brought."""
    feed = FakeFeed()
    app = TopApp(feed, Look(ASCII), is_local=is_local)
    async with app.run_test(size=(160, 40)) as pilot:
        feed.greet()
        feed.frame(part("totals", []), part("attention", []), part("queues", [queue("mail", ready=5), queue("orders")]))
        await settled(pilot)
        yield Seat(app, pilot)


async def test_without_a_broker_rows_are_saved_as_they_were_recorded(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    async with recording() as seat:
        await save(seat, str(file))
        await seat.until(lambda: "Saved" in "".join(seat.said))  # with all that is in it

        assert [(row["name"], row["ready"]) for row in json.loads(file.read_text())] == [("mail", 5), ("orders", 0)]


async def test_a_file_that_is_there_stays_as_it_is_and_the_line_stays_to_be_corrected(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_text("precious")
    async with recording() as seat:
        await save(seat, str(file))
        await seat.until(lambda: seat.said, "the refusal")
        assert "exists already" in seat.said[-1]
        assert str(file) in lines(seat.app)[-2]
        assert file.read_text() == "precious"

        await seat.press("2", "enter")
        await seat.until((tmp_path / "rows.json2").exists)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "needs a name"),
        ("no-such-directory/rows.json", "No such file or directory"),
        ("~nobody-at-all/x", "no name"),
    ],
)
async def test_a_name_that_cannot_be_written_is_refused_in_words(
    name: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with recording() as seat:
        await save(seat, name)
        await seat.until(lambda: seat.said, "the refusal")

        assert why in seat.said[-1]
        assert list(tmp_path.iterdir()) == []


async def test_behind_a_door_no_file_is_written_and_the_key_says_why() -> None:
    async with recording(is_local=False) as seat:
        hints = {hint.key: hint.why_not for hint in seat.app.screen.query_one(Footer)._hints}
        assert hints["o"] == "files: only where tq top itself runs"

        await seat.press("o")
        assert seat.said == [": files: only where tq top itself runs"]
        assert seat.app.focused is seat.app.screen.query_one("#table")


async def test_while_a_name_is_typed_the_footer_says_what_enter_does() -> None:
    async with recording() as seat:
        await seat.press("o")
        assert "Ent save what is shown as JSON to this file  Esc leave" in lines(seat.app)[-1]

        await seat.press("escape")
        assert "Y JSON" in lines(seat.app)[-1]


def test_the_name_that_is_proposed_says_what_and_when_and_stays_in_this_directory() -> None:
    assert default_name(Place("queues", "mail*"), NOW_MS) == "tq-queues-20231114T221320Z.json"
    assert default_name(Place("queue", "../a b/$(x)"), NOW_MS) == "tq-queue-..-a-b-x-20231114T221320Z.json"


def test_a_link_to_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")

    with pytest.raises(InvalidArgument, match="exists already"):
        open_new(tmp_path / "link", hint="")
    assert not (tmp_path / "target").exists()


def test_what_cannot_be_written_to_its_end_leaves_no_file(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    try:
        with pytest.raises(InvalidArgument, match="File too large"):
            write_new(tmp_path / "rows.json", "x" * 100, hint="")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert list(tmp_path.iterdir()) == []
