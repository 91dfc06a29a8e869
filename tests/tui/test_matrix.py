"""Every action for every role and every kind of thing: the key, the footer, the palette, the help and the
broker say the same; who may not is refused by the broker all the same; what was done is in the audit."""

import re
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from itertools import product
from typing import Any, NamedTuple

import pytest

from tests.client.real import RealBroker
from tests.tui.dumps import lines
from tests.tui.live import ScriptedWorker, Seat, dashboard, dead_letters
from tq.client.async_client import AsyncClient
from tq.client.task import Task
from tq.model.errors import AccessDenied
from tq.model.identity import Role
from tq.tui.actions import ACTIONS, CANCEL, DRAIN, HOLD, PURGE, RESUBMIT, RETRY, UNDO, Action, Target
from tq.tui.commandline import Place
from tq.tui.screens.base import TopScreen
from tq.tui.screens.confirm import Confirm
from tq.tui.screens.edit import Edit
from tq.tui.screens.help import help_text
from tq.tui.screens.listing import ListScreen

LOOKING = (Role.VIEWER, Role.PRODUCER, Role.WORKER)
ACTING = (Role.OPERATOR, Role.ADMIN)
SIZE = (240, 40)
"""Wide enough for all of a footer."""
PAIRS = [(kind, action) for kind in Target for action in ACTIONS if kind in action.targets]
AUDITED = {
    RETRY: "retry",
    RESUBMIT: "resubmit",
    PURGE: "purge",
    CANCEL: "cancel",
    HOLD: "pause",
    DRAIN: "drain",
    UNDO: "undo",
}
Ask = Callable[[AsyncClient], Coroutine[Any, Any, object]]


class Thing(NamedTuple):
    """One thing to act on: where it is seen, and what each action on it asks the broker for. `preview`: the token of an
    operation that somebody else has prepared."""

    place: Place
    name: str
    preview: bytes
    tasks: str = ""
    """A selector of the tasks that are meant, if it is tasks."""

    def requests(self, action: Action) -> list[Ask]:
        """Everything that carries out an action or a part of it."""
        if action in (RETRY, PURGE, RESUBMIT) or (action is CANCEL and self.tasks):
            asks: list[Ask] = [lambda to: to.prepare(action.id, self.tasks), lambda to: to.commit(self.preview)]
            return [*asks, lambda to: to.resubmit(self.name)] if action is RESUBMIT else asks
        return {
            CANCEL: [lambda to: to.cancel_operation(self.name)],
            HOLD: [lambda to: to.pause_queue(self.name), lambda to: to.resume_queue(self.name)],
            DRAIN: [lambda to: to.drain_worker(self.name)],
            UNDO: [lambda to: to.undo(self.name)],
        }[action]


@pytest.fixture
async def admin(broker: RealBroker) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(broker.address) as opened:
        yield opened


@asynccontextmanager
async def thing(admin: AsyncClient, address: str, kind: Target, action: Action) -> AsyncIterator[Thing]:
    """Something of a kind, alone in its queue, to which the action can be done."""
    queue = f"q{secrets.token_hex(4)}"
    match kind:
        case Target.DEAD | Target.GROUP:
            dead, _ = await dead_letters(address, queue, [("KeyError", "7")] * 2)
            selector = f"queue:{queue}" if kind is Target.GROUP else f"id:{dead}"
            place = Place("dead" if kind is Target.GROUP else "found", selector)
            yield Thing(place, dead, await _preview(admin, selector), selector)
        case Target.TASK | Target.QUEUE:
            first, _ = await admin.submit_tasks([Task("send", queue=queue)] * 2)
            if action is RESUBMIT:  # only what has ended is submitted again
                await admin.cancel(first)
            selector = f"id:{first}" if kind is Target.TASK else f"queue:{queue}"
            place = Place("found", selector) if kind is Target.TASK else Place("queues", queue)
            yield Thing(place, queue if action is HOLD else first, await _preview(admin, selector), selector)
        case Target.WORKER:
            worker = await ScriptedWorker(f"w-{queue}", queue, ["send"]).connect(address)
            yield Thing(Place("workers", f"w-{queue}"), worker.incarnation.hex(), b"")
            await worker.close()
        case Target.OPERATION:
            await admin.submit_tasks([Task("send", queue=queue)] * 100)
            prepared = await admin.prepare("cancel", f"queue:{queue}")
            # One a second: that which is to be stopped goes on until it is.
            operation = await admin.commit(prepared.token, rate=1 if action is CANCEL else 500)
            if action is not CANCEL:
                await admin.wait_for_operation(operation.id)
            yield Thing(Place("activity", queue), operation.id.hex(), b"")


async def _preview(admin: AsyncClient, selector: str) -> bytes:
    return (await admin.prepare("purge", selector)).token


async def stand_on(seat: Seat, place: Place) -> TopScreen:
    """Go where the thing is, with the cursor on it."""
    await seat.app.go(place)
    await seat.until(
        lambda: (
            isinstance(seat.app.screen, ListScreen)
            and seat.app.screen.filter_text == place.argument
            and seat.app.greeting is not None
            and seat.app.screen.query("#count")
            and len(seat.app.screen.list) == 1
        ),
        f"what to act on, at {place}",
    )
    await seat.press()
    assert seat.app.here is not None
    return seat.app.here


async def told(seat: Seat, key: str) -> list[str]:
    """What is said when a key is pressed."""
    seat.app.clear_notifications()
    await seat.press(key)
    return seat.said


def in_footer(seat: Seat, action: Action) -> bool:
    """Whether the footer has the key of an action."""
    return f" {action.key} {action.label} " in lines(seat.app)[-1]


def in_palette(seat: Seat, screen: TopScreen) -> dict[str, str]:
    """What the palette says of each action, by its label."""
    labels = {action.label.capitalize() for action in ACTIONS}
    return {one.title: one.help for one in seat.app.get_system_commands(screen) if one.title in labels}


def in_help(seat: Seat, screen: TopScreen) -> dict[str, str]:
    """What the help says of each action, by its key."""
    acting = help_text(screen, seat.app).plain.split("\nAct ")[-1].split("\nMove\n")[0]
    return dict(re.findall(r"^  ([A-Z]) +(.+)$", acting, re.MULTILINE))


def _unfit(action: Action, kind: Target) -> str:
    """Why an action is not for such a thing; empty if it is."""
    if kind in action.targets:
        return ""
    could_die = kind is Target.TASK and Target.DEAD in action.targets
    return "not a dead letter" if could_die else f"not for a {kind.value}"


async def agree(seat: Seat, screen: TopScreen, kind: Target, role: Role) -> None:
    """Footer, palette, help and key say of each action whether it can be done to what is selected, and if not, why."""
    shown = screen.refusals()
    palette, helped = in_palette(seat, screen), in_help(seat, screen)
    assert set(palette) == {action.label.capitalize() for action in shown}
    assert set(helped) == {action.key for action in shown}
    for action in ACTIONS:
        why = "" if role in ACTING else f"{role}: needs operator"
        why = why or _unfit(action, kind)
        assert in_footer(seat, action) is (action in shown)
        if action not in shown:
            assert why, "what can be done is offered"
            assert await told(seat, action.key) == (_of_undo(role) if action is UNDO else [])
            continue
        assert shown[action] == why
        assert palette[action.label.capitalize()] == f"key {action.key}{f'   ({why})' if why else ''}"
        assert helped[action.key].startswith(f"{action.label}: ")
        assert helped[action.key].endswith(f"({why})") is bool(why)
        if why:
            assert await told(seat, action.key) == [f"{action.key} {action.label}: {why}"]
            assert seat.app.screen is screen


def _of_undo(role: Role) -> list[str]:
    """`U` means what was done last, wherever one is: it always has an answer."""
    nothing = "nothing was done here that it could take back"
    return [f"U undo: {nothing if role in ACTING else f'{role}: needs operator'}"]


def test_every_action_is_tried_on_everything_that_it_is_for() -> None:
    assert {action for _, action in PAIRS} == set(ACTIONS) == set(AUDITED)
    assert {kind for kind, _ in PAIRS} == set(Target)
    assert {*LOOKING, *ACTING} == set(Role) - {Role.NONE}


@pytest.mark.parametrize(("role", "kind"), list(product(LOOKING, Target)))
async def test_who_may_only_look_is_told_why_and_refused_by_the_broker_all_the_same(
    broker: RealBroker, admin: AsyncClient, role: Role, kind: Target
) -> None:
    name = f"anna-{secrets.token_hex(4)}"
    applicable = [action for one, action in PAIRS if one is kind]
    async with (
        thing(admin, broker.address, kind, applicable[-1]) as there,
        dashboard(broker.address, role=role, acts_for=name, size=SIZE) as seat,
    ):
        screen = await stand_on(seat, there.place)
        await agree(seat, screen, kind, role)
        assert f"({role}: needs operator)" in lines(seat.app)[-1]

        assert seat.app.client is not None
        for action in applicable:
            for request in there.requests(action):
                with pytest.raises(AccessDenied):
                    await request(seat.app.client)

    assert await admin.audit(who=f"*{name}*") == []


async def confirmed(seat: Seat, kind: Target, action: Action) -> None:
    """Say yes to whatever is asked."""
    if action is HOLD or (action is RETRY and kind is Target.DEAD):
        return
    if action is RESUBMIT:
        await seat.until(lambda: isinstance(seat.app.screen, Edit) and seat.app.screen.is_mounted, "the form")
        await seat.press()
        await seat.press("ctrl+s")
    await seat.until(lambda: isinstance(seat.app.screen, Confirm) and seat.app.screen.is_mounted, "the question")
    await seat.press()
    dialog = seat.app.screen
    assert isinstance(dialog, Confirm)
    if action is PURGE:
        await seat.press("tab", *dialog._question.word, "tab", "tab", *"why", "tab")
    await seat.press("y")


@pytest.mark.parametrize("role", ACTING)
@pytest.mark.parametrize(("kind", "action"), PAIRS, ids=lambda one: getattr(one, "id", None))
async def test_what_an_operator_is_offered_is_done_and_audited_under_their_name(
    broker: RealBroker, admin: AsyncClient, role: Role, kind: Target, action: Action
) -> None:
    name = f"anna-{secrets.token_hex(4)}"
    async with (
        thing(admin, broker.address, kind, action) as there,
        dashboard(broker.address, role=role, acts_for=name, size=SIZE) as seat,
    ):
        screen = await stand_on(seat, there.place)
        await agree(seat, screen, kind, role)
        assert "needs operator" not in lines(seat.app)[-1]
        seat.app.clear_notifications()
        await seat.press(action.key)
        await confirmed(seat, kind, action)
        await seat.until(lambda: seat.said, "what was done")

    entries = await admin.audit(who=f"*{name}*")
    is_of_operation = action is CANCEL and kind is Target.OPERATION
    assert [entry.action for entry in entries] == ["cancel-operation" if is_of_operation else AUDITED[action]]
    assert entries[0].reason == ("why" if action is PURGE else "")


async def test_what_is_chosen_in_the_palette_is_done(broker: RealBroker, admin: AsyncClient) -> None:
    async with (
        thing(admin, broker.address, Target.QUEUE, HOLD) as there,
        dashboard(broker.address, size=SIZE) as seat,
    ):
        await stand_on(seat, there.place)
        await seat.press("ctrl+p", *"hold")
        await seat.press("enter", "enter")
        await seat.until(lambda: "held: 1" in "".join(seat.said), "that it is held")

        assert [one.is_paused for one in await admin.queues() if one.name == there.name] == [True]
