"""From a key to the broker: what an action asks first, what it does, and what it says afterwards.

Everything that concerns tasks is an operation in two phases: the broker freezes and counts the set, the user sees it,
and only the frozen set is moved, whatever the rows on the screen do meanwhile.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tq.client.async_client import AsyncClient
from tq.model.ids import format_id
from tq.model.operations import RATE
from tq.model.plain import plain
from tq.model.replies import Prepared
from tq.model.watching import QueueLive
from tq.tui.actions import CANCEL, DRAIN, HOLD, PURGE, RETRY, UNDO, Action, Target, Tier, why_not
from tq.tui.columns import Cell
from tq.tui.figures import length
from tq.tui.screens.base import Selection
from tq.tui.screens.confirm import Answer, Confirm, Question

if TYPE_CHECKING:
    from tq.tui.app import TopApp

NAMED_MAX = 5
"""Things of a selection that a question names one by one."""


class Acting:
    """Carries out actions for an application. Remembers the last operation of this session, for `U`."""

    def __init__(self, top: "TopApp") -> None:
        self._top = top
        self.last_operation = ""
        """The id of the operation that this session started last, in hex; empty: none."""

    def refusal(self, action: Action, selection: Selection | None) -> str:
        """Why it cannot be done now; empty if it can."""
        if self._top.client is None:
            return "a recording cannot be changed"
        if action is UNDO and self.last_operation and (selection is None or selection.target is not Target.OPERATION):
            return "" if self._top.role.may(action.needs) else why_not(action, self._top.role, Target.OPERATION)
        why = why_not(action, self._top.role, selection.target if selection is not None else None)
        if not why and self._top.is_locked and self._tier(action, selection) is not Tier.AT_ONCE:
            return "what is shown is too old to act on: wait until it is live"
        return why

    def _tier(self, action: Action, selection: Selection | None) -> Tier:
        greeting = self._top.greeting
        is_one = selection is not None and selection.is_one
        tier = action.one if is_one else action.many
        asks_always = greeting is not None and greeting.confirms_always
        return Tier.ASK if tier is Tier.AT_ONCE and asks_always else tier

    async def act(self, action: Action, selection: Selection | None) -> None:
        """Do it, asking first where the action says so.

        Raises:
            TqError: the broker refused, or is gone.
        """
        client = self._top.client
        assert client is not None, "refusal() said so"
        if action is UNDO:
            await self._undo(client, selection)
            return
        assert selection is not None, "refusal() said so"
        if action is HOLD:
            await self._hold(client, selection)
        elif action is DRAIN:
            await self._drain(client, selection)
        elif action is CANCEL and selection.target is Target.OPERATION:
            await self._cancel_operation(client, selection)
        elif action in (RETRY, PURGE, CANCEL):
            await self._operate(client, action, selection)

    # -- tasks --------------------------------------------------------------------------------------------------

    async def _operate(self, client: AsyncClient, action: Action, selection: Selection) -> None:
        selector, ids = _set_of(action, selection)
        prepared = await client.prepare(action.id, selector, ids)
        if not prepared.count:
            self._top.notify(f"nothing to {action.id} there", markup=False)
            return
        tier = self._tier(action, selection)
        answer = Answer("", 0)
        if tier is not Tier.AT_ONCE:
            given = await self._ask(_question(action, selection, prepared, tier, self._top.now_ms))
            if given is None:
                return
            answer = given
        operation = await client.commit(prepared.token, answer.reason, answer.rate or RATE)
        self.last_operation = operation.id.hex()
        undo = "   U takes it back" if action.undone_by == "undo" else ""
        self._top.notify(
            f"operation {self.last_operation[:8]}{undo}",
            title=f"{action.label}: {prepared.count:,} tasks",
            markup=False,
        )

    async def _ask(self, question: Question) -> Answer | None:
        return await self._top.push_screen_wait(Confirm(question, self._top.look.glyphs))

    # -- the others ---------------------------------------------------------------------------------------------

    async def _hold(self, client: AsyncClient, selection: Selection) -> None:
        queues = {name: self._top.mirror.rows("queues").get(name) for name in selection.ids}
        held = [name for name, row in queues.items() if isinstance(row, QueueLive) and row.state == "paused"]
        free = [name for name in selection.ids if name not in held]
        verb, names = ("hold", free) if free else ("resume", held)
        reason = ""
        if self._tier(HOLD, selection) is not Tier.AT_ONCE:
            command = "; ".join(f"tq queue {'pause' if free else 'resume'} {name}" for name in names)
            facts = [Cell(f"  {name}") for name in names[:NAMED_MAX]]
            answer = await self._ask(Question(f"{verb} {len(names)} queues?", facts, verb, command))
            if answer is None:
                return
            reason = answer.reason
        for name in names:
            await (client.pause_queue(name, reason) if free else client.resume_queue(name))
        self._top.notify(
            f"{', '.join(plain(name) for name in names[:NAMED_MAX])}   H {'resumes' if free else 'holds again'}",
            title=f"{'held' if free else 'resumed'}: {len(names)}",
            markup=False,
        )

    async def _drain(self, client: AsyncClient, selection: Selection) -> None:
        rows = self._top.mirror.rows(next(iter(self._top.here.scopes), "") if self._top.here is not None else "")
        names = {one: getattr(rows.get(one), "name", one) for one in selection.ids}
        facts = [Cell(f"  {name}") for name in list(names.values())[:NAMED_MAX]]
        facts.append(
            Cell("They take nothing more, finish what runs, and end. A supervisor may start them again.", "dim")
        )
        command = "; ".join(f"tq worker drain {one}" for one in names)
        answer = await self._ask(Question(f"Drain {len(names)} worker processes?", facts, "drain", command))
        if answer is None:
            return
        for one in names:
            await client.drain_worker(one)
        self._top.notify("they end when they are idle", title=f"draining: {len(names)}", markup=False)

    async def _cancel_operation(self, client: AsyncClient, selection: Selection) -> None:
        facts = [Cell("What it has done stays done, and can be undone.", "dim")]
        command = "; ".join(f"tq op cancel {one}" for one in selection.ids)
        answer = await self._ask(Question(f"Stop operation {selection.ids[0][:8]}?", facts, "stop it", command))
        if answer is None:
            return
        for one in selection.ids:
            await client.cancel_operation(one, answer.reason)

    async def _undo(self, client: AsyncClient, selection: Selection | None) -> None:
        is_chosen = selection is not None and selection.target is Target.OPERATION
        wanted = selection.ids[0] if is_chosen and selection is not None else self.last_operation
        found = await client.operation(wanted)
        facts = [
            Cell(f"  {found.action} {plain(found.target)}: {found.done:,} of {found.total:,} done"),
            Cell("Each task goes back to where it was, if nothing else has moved it since and it does not run.", "dim"),
        ]
        answer = await self._ask(Question(f"Undo operation {wanted[:8]}?", facts, "undo", f"tq undo {wanted[:16]}"))
        if answer is None:
            return
        undoing = await client.undo(wanted, answer.reason)
        self.last_operation = ""
        self._top.notify(f"operation {undoing.id.hex()[:8]}", title="taking it back", markup=False)


def _set_of(action: Action, selection: Selection) -> tuple[str, Sequence[str]]:
    """The selector, or the ids, that the broker is asked to freeze."""
    if selection.selector:
        return selection.selector, ()
    if selection.target is Target.QUEUE:
        states = "pending,failed" if action is PURGE else "pending,failed,in_progress"
        return f"state:{states} queue:{','.join(quoted(name) for name in selection.ids)}", ()
    return "", selection.ids


def quoted(name: str) -> str:
    """A name as a selector takes it."""
    return f'"{name}"' if any(not (char.isalnum() or char in "._-") for char in name) else name


def _question(action: Action, selection: Selection, prepared: Prepared, tier: Tier, now_ms: int) -> Question:
    facts = [Cell(f"  {plain(selection.selector)}")] if selection.selector else []
    queues = ", ".join(f"{plain(one.queue)} {one.count:,}" for one in prepared.queues[:NAMED_MAX])
    if len(prepared.queues) > NAMED_MAX:
        queues += f" and {len(prepared.queues) - NAMED_MAX} more"
    facts += [
        Cell(f"  queues   {queues}"),
        Cell(f"  frozen   at change {prepared.as_of:,}: what comes to be there after this is not touched"),
        Cell(
            f"  takes    about {length(prepared.estimated_ms)} at {prepared.rate:,}/s; it goes on without this screen"
        ),
    ]
    for task in prepared.sample[:3]:
        error = f"{task.error_type}: {task.message}" if task.error_type else task.state.value
        facts.append(Cell(f"  sample   {format_id(task.id)}  {task.task_type}  {error}", "dim"))
    facts += [Cell(f"  ! {warning}", "warn") for warning in prepared.warnings]
    if action is PURGE:
        facts.append(Cell("  to the trash: U or tq undo brings it back while it is kept there", "dim"))
    word = ""
    if tier is Tier.TYPE:
        word = selection.ids[0] if selection.target is Target.QUEUE and selection.is_one else str(prepared.count)
    left_ms = prepared.expires_at_ms - now_ms
    if now_ms and left_ms > 0:
        facts.append(Cell(f"  this preview holds for {length(left_ms)}", "dim"))
    what = selection.selector or " ".join(selection.ids[:NAMED_MAX])
    return Question(
        title=f"{action.label.capitalize()} {prepared.count:,} task{'' if prepared.count == 1 else 's'}?",
        facts=facts,
        verb=action.label,
        command=action.command.format(target=what),
        word=word,
        rate=prepared.rate,
        needs_reason=tier is Tier.TYPE,
    )
