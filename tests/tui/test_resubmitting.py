"""A task is corrected on the screen, checked against what its handler takes, shown as a diff, and submitted as new."""

import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from tests.client.real import RealBroker
from tests.tui.dumps import text
from tests.tui.live import ScriptedWorker, Seat, dashboard, dead_letters
from tq.app.codec import ARGUMENTS, encode
from tq.client.async_client import AsyncClient
from tq.client.task import Task
from tq.model.ids import format_id, parse_id
from tq.model.signatures import Parameter, TaskSignature
from tq.tui.app import TopApp
from tq.tui.commandline import Place
from tq.tui.screens.confirm import Confirm
from tq.tui.screens.edit import Edit
from tq.tui.screens.listing import ListScreen

SIGNATURE = TaskSignature("send", [Parameter("user_id", ["int"]), Parameter("mail", ["str"])])


@pytest.fixture
async def worker(broker: RealBroker, queue: str) -> AsyncIterator[ScriptedWorker]:
    """A worker that says what `send` takes, and is idle."""
    announcing = await ScriptedWorker("announcing", f"{queue}-other", ["send"], [SIGNATURE]).connect(broker.address)
    yield announcing
    await announcing.close()


@asynccontextmanager
async def editing(broker: RealBroker, task_id: str, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Seat]:
    """A dashboard with the form for one task."""
    async with dashboard(broker.address, size=size) as seat:
        seat.app.open(Place("task", task_id))
        await seat.until(lambda: "dead_letter" in text(seat.app), "the task")
        await seat.press("E")
        await seat.until(lambda: isinstance(seat.app.screen, Edit), "the form")
        await seat.press()
        yield seat


async def reviewed(seat: Seat) -> None:
    await seat.press("ctrl+s")
    await seat.until(lambda: isinstance(seat.app.screen, Confirm), "the question")
    await seat.press()


async def dead(broker: RealBroker, queue: str, payload: bytes, content_type: str) -> str:
    return (await dead_letters(broker.address, queue, [("KeyError", "7")], payload=payload, content_type=content_type))[
        0
    ]


@pytest.mark.usefixtures("worker")
async def test_a_correction_is_shown_as_a_diff_and_becomes_a_new_task_that_names_the_old_one(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    old = await dead(broker, queue, encode({"user_id": 7, "mail": "a@b"}), ARGUMENTS)

    async with editing(broker, old) as seat:
        assert "takes send(user_id: int, mail: str)" in text(seat.app)
        area = seat.app.screen.query_one(TextArea)
        area.text = area.text.replace("7", "8")
        seat.app.screen.query_one("#queue", Input).value = f"{queue}-slow"
        await reviewed(seat)
        shown = text(seat.app)
        assert f"queue    {queue} -> {queue}-slow" in shown
        assert '-  "user_id": 7' in shown
        assert '+  "user_id": 8' in shown
        assert (await client.get_task(old)).resubmitted_as is None
        await seat.press("y")
        await seat.until(lambda: "new task" in "".join(seat.said))
        said = seat.said[-1]
        await seat.until(lambda: "resubmitted as" in text(seat.app), "the lineage on the screen of the task")

    before = await client.get_task(old)
    assert before.resubmitted_as is not None
    assert format_id(before.resubmitted_as) in said
    assert f"made from {old}" in said
    new = await client.get_task(format_id(before.resubmitted_as))
    assert (new.payload, new.queue, new.resubmit_of) == (
        encode({"user_id": 8, "mail": "a@b"}),
        f"{queue}-slow",
        parse_id(old),
    )


@pytest.mark.parametrize(
    ("typed", "refusal"),
    [('{"user_id": "8", "mail": "x"}', "user_id"), ('{"user_id": 8}', "mail"), ('{"user_id": 8,', "not JSON: ")],
)
@pytest.mark.usefixtures("worker")
async def test_what_the_handler_would_refuse_is_refused_and_stays_to_be_corrected(
    broker: RealBroker, client: AsyncClient, queue: str, typed: str, refusal: str
) -> None:
    old = await dead(broker, queue, encode({"user_id": 7, "mail": "a@b"}), ARGUMENTS)

    async with editing(broker, old) as seat:
        seat.app.screen.query_one(TextArea).text = typed
        await seat.press("ctrl+s")
        await seat.until(lambda: refusal in "".join(text(seat.app).splitlines()[-4:]), "the refusal")
        assert seat.app.screen.query_one(TextArea).text == typed

    assert (await client.get_task(old)).resubmitted_as is None


@pytest.mark.parametrize(
    ("field", "typed", "refusal"), [("priority", "urgent", "is not a priority"), ("delay", "soon", "delay")]
)
async def test_a_field_that_makes_no_sense_is_refused(
    broker: RealBroker, queue: str, field: str, typed: str, refusal: str
) -> None:
    old = await dead(broker, queue, b"{}", "application/json")

    async with editing(broker, old, size=(60, 12)) as seat:
        seat.app.screen.query_one(f"#{field}", Input).value = typed
        await seat.press("ctrl+s")
        await seat.until(lambda: refusal in text(seat.app), "the refusal")
        assert isinstance(seat.app.screen, Edit)


async def test_no_to_the_question_goes_back_to_what_was_typed_and_esc_asks_twice(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    old = await dead(broker, queue, b"hello", "text/plain")

    async with editing(broker, old) as seat:
        seat.app.screen.query_one(TextArea).text = "hello there"
        await reviewed(seat)
        await seat.press("escape")
        assert isinstance(seat.app.screen, Edit)
        assert seat.app.screen.query_one(TextArea).text == "hello there"
        await seat.press("escape")
        assert "Esc again leaves" in text(seat.app)
        await seat.press("escape")
        assert len(seat.app.screen_stack) == 2, "the form is gone: the task, on top of the queues"

    assert (await client.get_task(old)).resubmitted_as is None


async def test_bytes_are_not_edited_but_can_go_elsewhere(broker: RealBroker, client: AsyncClient, queue: str) -> None:
    old = await dead(broker, queue, b"\x00\x01", "application/octet-stream")

    async with editing(broker, old) as seat:
        assert "cannot be edited as text" in text(seat.app)
        assert not seat.app.screen.query(TextArea)
        seat.app.screen.query_one("#priority", Input).value = "high"
        await reviewed(seat)
        assert "priority 128 -> 212" in text(seat.app)
        await seat.press("y")
        await seat.until(lambda: "new task" in "".join(seat.said))

    new_id = (await client.get_task(old)).resubmitted_as
    assert new_id is not None
    new = await client.get_task(format_id(new_id))
    assert (new.payload, new.priority) == (b"\x00\x01", 212)


async def test_what_has_not_ended_is_not_resubmitted(broker: RealBroker, client: AsyncClient, queue: str) -> None:
    waiting = await client.submit_task(Task("send", queue=queue))

    async with dashboard(broker.address) as seat:
        seat.app.open(Place("task", waiting))
        await seat.until(lambda: "pending" in text(seat.app), "the task")
        await seat.press("E")
        await seat.until(lambda: "only ended tasks are resubmitted" in "".join(seat.said))


async def test_many_marked_dead_letters_go_elsewhere_without_being_edited(
    broker: RealBroker, client: AsyncClient, queue: str
) -> None:
    ids = await dead_letters(broker.address, queue, [("KeyError", "7")] * 3)

    async with dashboard(broker.address) as seat:
        seat.app.open(Place("found", f"queue:{queue} state:dead_letter"))
        await seat.until(lambda: isinstance(seat.app.screen, ListScreen) and len(seat.app.screen.list) == 3)
        await seat.press("space", "space", "E")  # the two youngest
        await seat.until(lambda: isinstance(seat.app.screen, Edit), "the form")
        await seat.press()
        await seat.type(f"{queue}-slow")
        await reviewed(seat)
        assert "Resubmit 2 tasks?" in text(seat.app)
        assert f"queue    {queue}-slow" in text(seat.app)
        await seat.press("y")
        await seat.until(lambda: "resubmit: 2 tasks" in "".join(seat.said))

    await client.wait_for_operation((await client.operations(1))[0].id)
    successors = [(await client.get_task(task_id)).resubmitted_as for task_id in ids]
    assert [one is None for one in successors] == [True, False, False]
    assert {(await client.get_task(format_id(one))).queue for one in successors if one} == {f"{queue}-slow"}


class Suspending(TopApp):
    """Hands over a terminal that is not there."""

    @contextmanager
    def suspend(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def with_editor(
    broker: RealBroker, task_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_local: bool
) -> AsyncIterator[tuple[TopApp, "Pilot[None]", Path]]:
    """The form for a task, and an editor that notes the file's mode and writes 9 for 7."""
    script, seen = tmp_path / "editor.py", tmp_path / "seen"
    script.write_text(
        "import os, pathlib, sys\npath = pathlib.Path(sys.argv[1])\n"
        f"pathlib.Path({str(seen)!r}).write_text(f'{{os.stat(path).st_mode}} {{path}}')\n"
        "path.write_text(path.read_text().replace('7', '9'))\n"
    )
    monkeypatch.setenv("VISUAL", "")
    monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
    async with dashboard(broker.address, app_type=Suspending, is_local=is_local) as seat:
        seat.app.open(Place("task", task_id))
        await seat.until(lambda: "dead_letter" in text(seat.app), "the task")
        await seat.press("E")
        await seat.until(lambda: isinstance(seat.app.screen, Edit), "the form")
        await seat.press("ctrl+o")
        yield seat.app, seat.pilot, seen


async def test_at_this_machine_the_payload_is_edited_in_the_editor_in_a_private_file(
    broker: RealBroker, queue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await dead(broker, queue, b'{"a":7}', "application/json")

    async with with_editor(broker, old, tmp_path, monkeypatch, is_local=True) as (app, _, seen):
        assert app.screen.query_one(TextArea).text == '{\n  "a": 9\n}'
        assert "$EDITOR" in text(app)

    mode, path = seen.read_text().split()
    assert stat.S_IMODE(int(mode)) == 0o600
    assert not Path(path).exists()


async def test_behind_a_door_no_editor_is_started(
    broker: RealBroker, queue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await dead(broker, queue, b'{"a":7}', "application/json")

    async with with_editor(broker, old, tmp_path, monkeypatch, is_local=False) as (app, _, seen):
        assert '"a": 7' in app.screen.query_one(TextArea).text
        assert "$EDITOR" not in text(app)

    assert not seen.exists()
