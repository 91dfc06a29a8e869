"""From a key to the broker: what an action asks first, what it does, and what it says afterwards.

Everything that concerns tasks is an operation in two phases: the broker freezes and counts the set, the user sees it,
and only the frozen set is moved, whatever the rows on the screen do meanwhile.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tq.client.async_client import AsyncClient
from tq.model.ids import format_id
from tq.model.operations import RATE, Operation, OperationState
from tq.model.patterns import Pattern
from tq.model.plain import plain
from tq.model.replies import Prepared
from tq.model.selector import Field, StateTerm, TextTerm
from tq.model.task import State
from tq.model.watching import QueueLive
from tq.tui.actions import CANCEL, DRAIN, HOLD, PURGE, RESUBMIT, UNDO, Action, Target, Tier
from tq.tui.columns import Cell
from tq.tui.figures import length
from tq.tui.screens.base import Selection
from tq.tui.screens.confirm import Answer, Confirm, Question
from tq.tui.shell import Command, each, one_each, words_of

if TYPE_CHECKING:
    from tq.tui.app import TopApp

NAMED_MAX = 5
"""Things of a selection that a question names one by one."""
STAYS_DONE = "What was done stays done, and can be undone."
STALE = "too old to act on: wait until it is live"


class Acting:
    """Carries out actions for an application. Remembers the last operation of this session, for `U`."""

    def __init__(self, top: "TopApp") -> None:
        self._top = top
        self.last_operation = ""
        """The id of the operation that this session started last and can take back, in hex; empty: none."""

    def refusal(self, action: Action, selection: Selection | None) -> str:
        """Why it cannot be done now; empty if it can."""
        target = selection.target if selection is not None else None
        if action is UNDO:  # of what is selected, or of what was done last, wherever one is
            target = Target.OPERATION
        why = self._top.why_not(action, target)
        if not why and action is UNDO and not self.undone_by(selection):
            return "nothing was done here that it could take back"
        if not why and self._top.client is None:
            return "there is no broker to ask"
        if not why and self._top.is_locked and self.tier(action, selection) is not Tier.AT_ONCE:
            return STALE
        return why

    def undone_by(self, selection: Selection | None) -> tuple[str, ...]:
        """The operations that `U` takes back, by their ids in hex: those selected, else the last of this session."""
        if selection is not None and selection.target is Target.OPERATION:
            return selection.ids
        return (self.last_operation,) if self.last_operation else ()

    def tier(self, action: Action, selection: Selection | None) -> Tier:
        """How sure the user has to be to do it to this; a cluster or a profile may want to be asked always."""
        greeting = self._top.greeting
        is_one = selection is not None and selection.is_one
        tier = action.one if is_one else action.many
        asks_always = greeting is not None and greeting.confirms_always
        return Tier.ASK if tier is Tier.AT_ONCE and asks_always else tier

    async def act(self, action: Action, selection: Selection | None) -> None:
        """Do it, asking first where the action says so; what it was done to is marked no longer.

        Raises:
            TqError: the broker refused, or is gone.
        """
        client = self._top.client
        assert client is not None, "refusal() said so"
        screen = self._top.here
        if action is UNDO:
            is_done = await self._undo(client, selection)
            selection = selection if selection is not None and selection.target is Target.OPERATION else None
        else:
            assert selection is not None, "refusal() said so"
            is_done = await self._begin(client, action, selection)
        if is_done and selection is not None and screen is not None:
            with screen.drawing():
                screen.release(selection)

    async def _begin(self, client: AsyncClient, action: Action, selection: Selection) -> bool:
        """Whether it was begun; False: it was decided not to, or there is nothing to do."""
        if action is HOLD:
            return await self._hold(client, selection)
        if action is DRAIN:
            return await self._drain(client, selection)
        if action is CANCEL and selection.target is Target.OPERATION:
            return await self._cancel_operation(client, selection)
        if action is RESUBMIT:
            from tq.tui.resubmitting import resubmit  # here: it brings an editor and a codec, and few need them

            return await resubmit(self._top, self, client, selection)
        return await self._operate(client, action, selection)

    # -- tasks --------------------------------------------------------------------------------------------------

    async def _operate(self, client: AsyncClient, action: Action, selection: Selection) -> bool:
        selector, ids = set_of(selection)
        prepared = await client.prepare(action.id, selector, ids)
        if not prepared.count:
            self._top.notify(f"nothing to {action.id} there", markup=False)
            return False
        tier = self.tier(action, selection)
        answer = Answer("", 0)
        if tier is not Tier.AT_ONCE:
            typed = command_of(action, selection).text(self._top.reach)
            question = _question(action, selection, prepared, tier, typed, self._top.now_ms)
            given = await self.ask(question, prepared.expires_at_ms)
            if given is None:
                return False
            answer = given
        operation = await client.commit(prepared.token, answer.reason, answer.rate or RATE)
        name = operation.id.hex()
        self.last_operation = name if action.undone_by == UNDO.id else ""
        undo = f"   {UNDO.key} takes it back" if self.last_operation else ""
        self._top.notify(
            f"operation {name[:8]}{undo}",
            title=f"{action.label}: {prepared.count:,} task{'' if prepared.count == 1 else 's'}",
            markup=False,
        )
        return True

    async def ask(self, question: Question, expires_at_ms: int = 0) -> Answer | None:
        """Ask; None: no. While the question stands the broker may be lost, or the preview become too old: then `y` does
        not go on, and says why."""

        def why_not_now() -> str:
            if self._top.is_locked:
                return STALE
            if expires_at_ms and self._top.now_ms > expires_at_ms:
                return "this preview is over: leave with Esc, and ask again to see what is there now"
            return ""

        return await self._top.push_screen_wait(Confirm(question, self._top.look.glyphs, why_not_now))

    # -- the others ---------------------------------------------------------------------------------------------

    async def _hold(self, client: AsyncClient, selection: Selection) -> bool:
        queues = {name: self._top.mirror.rows("queues").get(name) for name in selection.ids}
        held = [name for name, row in queues.items() if isinstance(row, QueueLive) and row.state == "paused"]
        free = [name for name in selection.ids if name not in held]
        verb, names = ("hold", free) if free else ("resume", held)
        reason = ""
        if self.tier(HOLD, selection) is not Tier.AT_ONCE:
            facts = _named(names)
            what = f"{len(names)} queues" if len(names) > 1 else "this queue"
            typed = each(one_each(f"tq queue {'pause' if free else 'resume'}", names), self._top.reach)
            answer = await self.ask(Question(f"{verb.capitalize()} {what}?", facts, verb, typed))
            if answer is None:
                return False
            reason = answer.reason
        for name in names:
            await (client.pause_queue(name, reason) if free else client.resume_queue(name))
        self._top.notify(
            f"{', '.join(plain(name) for name in names[:NAMED_MAX])}   H {'resumes' if free else 'holds again'}",
            title=f"{'held' if free else 'resumed'}: {len(names)}",
            markup=False,
        )
        return True

    async def _drain(self, client: AsyncClient, selection: Selection) -> bool:
        rows = self._top.mirror.rows(next(iter(self._top.here.scopes), "") if self._top.here is not None else "")
        facts = _named([getattr(rows.get(one), "name", one) for one in selection.ids])
        facts += [
            Cell("They take nothing more, finish what runs, and end.", "dim"),
            Cell("A supervisor may start them again.", "dim"),
        ]
        number = len(selection.ids)
        title = f"Drain {number:,} worker process{'' if number == 1 else 'es'}?"
        typed = each(one_each(DRAIN.command, selection.ids), self._top.reach)
        answer = await self.ask(Question(title, facts, "drain", typed))
        if answer is None:
            return False
        for one in selection.ids:
            await client.drain_worker(one)
        self._top.notify("they end when they are idle", title=f"draining: {number:,}", markup=False)
        return True

    async def _cancel_operation(self, client: AsyncClient, selection: Selection) -> bool:
        found = [await client.operation(one) for one in selection.ids]
        running = [one for one in found if one.state is OperationState.RUNNING]
        if not running:
            self._top.notify(f"nothing runs there any more; {UNDO.key} takes back what was done", markup=False)
            return False
        ids = [one.id.hex() for one in running]
        facts = [*_of_operations(running), Cell(STAYS_DONE, "dim")]
        what = f"operation {ids[0][:8]}" if len(ids) == 1 else f"{len(ids)} operations"
        typed = each(one_each("tq op cancel", ids), self._top.reach)
        answer = await self.ask(Question(f"Stop {what}?", facts, "stop", typed))
        if answer is None:
            return False
        for one in ids:
            await client.cancel_operation(one, answer.reason)
        self._top.notify("what was done stays done", title=f"stopped: {what}", markup=False)
        return True

    async def _undo(self, client: AsyncClient, selection: Selection | None) -> bool:
        wanted = self.undone_by(selection)
        found = [await client.operation(one) for one in wanted]
        facts = [
            *_of_operations(found),
            Cell("Each task goes back to where it was, if nothing else has moved it since", "dim"),
            Cell("and it does not run.", "dim"),
        ]
        what = f"operation {wanted[0][:8]}" if len(wanted) == 1 else f"{len(wanted)} operations"
        typed = each(one_each(UNDO.command, wanted), self._top.reach)
        answer = await self.ask(Question(f"Undo {what}?", facts, "undo", typed))
        if answer is None:
            return False
        undoing = [await client.undo(one, answer.reason) for one in wanted]
        if self.last_operation in wanted:
            self.last_operation = ""
        self._top.notify(
            ", ".join(f"operation {one.id.hex()[:8]}" for one in undoing[:NAMED_MAX]),
            title="taking it back",
            markup=False,
        )
        return True


def set_of(selection: Selection) -> tuple[str, Sequence[str]]:
    """The selector, or the ids, that the broker is asked to freeze. Of a queue, what waits: what runs goes on, and
    dead letters have their own screen."""
    if selection.selector:
        return selection.selector, ()
    if selection.target is Target.QUEUE:
        return f"{queue_term(selection.ids)} {StateTerm((State.PENDING, State.FAILED)).text}", ()
    return "", selection.ids


def queue_term(names: Sequence[str]) -> str:
    """The term of a selector for exactly these queues, whatever characters their names have."""
    return TextTerm(Field.QUEUE, tuple(Pattern((name,)) for name in names)).text


def command_of(action: Action, selection: Selection) -> Command:
    """The command that does the same to the same tasks."""
    selector, ids = set_of(selection)
    verb = "tq resubmit" if action is RESUBMIT and not selection.is_one else action.command
    return Command(verb, words_of(selector) if selector else ids)


def _of_operations(operations: Sequence[Operation]) -> list[Cell]:
    facts = [f"  {one.action} {plain(one.target)}: {one.done:,} of {one.total:,} done" for one in operations]
    more = [f"  and {len(facts) - NAMED_MAX:,} more"] if len(facts) > NAMED_MAX else []
    return [Cell(fact) for fact in facts[:NAMED_MAX] + more]


def _named(names: Sequence[str]) -> list[Cell]:
    facts = [Cell(f"  {plain(name)}") for name in names[:NAMED_MAX]]
    if len(names) > NAMED_MAX:
        facts.append(Cell(f"  and {len(names) - NAMED_MAX:,} more"))
    return facts


def _question(
    action: Action, selection: Selection, prepared: Prepared, tier: Tier, typed: str, now_ms: int
) -> Question:
    """What is asked before something is done to tasks; the facts in the order of their weight, for where there is no
    room for all of them. `typed`: the command that does the same."""
    selector, _ = set_of(selection)
    queues = ", ".join(f"{plain(one.queue)} {one.count:,}" for one in prepared.queues[:NAMED_MAX])
    if len(prepared.queues) > NAMED_MAX:
        queues += f" and {len(prepared.queues) - NAMED_MAX} more"
    facts = [Cell(f"  ! {warning}", "warn") for warning in prepared.warnings]
    facts.append(Cell(f"  queues   {queues}"))
    if selector:
        facts.append(Cell(f"  which    {plain(selector)}"))
    facts.append(
        Cell(f"  takes    about {length(prepared.estimated_ms)} at {prepared.rate:,}/s; goes on without this screen")
    )
    facts.append(Cell(f"  frozen   at change {prepared.as_of:,}: what comes there later is not touched"))
    if action is PURGE:
        facts.append(Cell("  trash    U or tq undo brings it back while it is kept there", "dim"))
    for task in prepared.sample[:3]:
        error = f"{task.error_type}: {task.message}" if task.error_type else task.state.value
        facts.append(Cell(f"  sample   {format_id(task.id)}  {task.task_type}  {error}", "dim"))
    left_ms = prepared.expires_at_ms - now_ms
    if now_ms and left_ms > 0:
        facts.append(Cell(f"  this preview holds for {length(left_ms)}", "dim"))
    word = ""
    if tier is Tier.TYPE:
        word = selection.ids[0] if selection.target is Target.QUEUE and selection.is_one else str(prepared.count)
    return Question(
        title=f"{action.label.capitalize()} {prepared.count:,} task{'' if prepared.count == 1 else 's'}?",
        facts=facts,
        verb=action.label,
        command=typed,
        word=word,
        rate=prepared.rate,
        needs_reason=tier is Tier.TYPE,
    )
