"""From the key E to a new task: the old one is read and corrected, the correction checked and shown, and then it is
asked. Of many tasks at once only queue, priority and delay are changed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tq.client.async_client import AsyncClient
from tq.model.errors import InvalidArgument, WrongState
from tq.model.ids import format_id
from tq.model.operations import RATE
from tq.model.plain import plain
from tq.model.signatures import TaskSignature
from tq.model.task import TaskView
from tq.tui.columns import Cell
from tq.tui.screens.base import Selection
from tq.tui.screens.confirm import Answer, Question
from tq.tui.screens.edit import Correction, Draft, Edit
from tq.tui.shell import Command, words_of
from tq.views.corrections import Payload, check, corrected, diff, editable

if TYPE_CHECKING:
    from tq.tui.acting import Acting
    from tq.tui.app import TopApp

EDIT_CHARS_MAX = 100_000
"""A longer payload is not edited on the screen: each key would cost more than is felt as none."""


class Old(NamedTuple):
    """A task that has ended, and what its handler takes, as far as a worker says."""

    task: TaskView
    signature: TaskSignature | None

    @property
    def payload(self) -> Payload:
        """What it was given."""
        return Payload(self.task.payload, self.task.content_type)


async def resubmit(top: "TopApp", acting: "Acting", client: AsyncClient, selection: Selection) -> bool:
    """Submit what is selected again: one task corrected, many as they are; False: it was decided not to.

    Raises:
        TqError: there is no such task, or it may still run.
    """
    if selection.is_one:
        return await _resubmit_one(top, acting, client, selection.ids[0])
    return await _resubmit_many(top, acting, client, selection)


async def _resubmit_one(top: "TopApp", acting: "Acting", client: AsyncClient, task_id: str) -> bool:
    """Correct one task, and submit it as a new one.

    Raises:
        TqError: there is no such task, or it may still run.
    """
    task = await client.get_task(task_id)
    if not task.state.is_final:
        raise WrongState(
            f"task {task_id} is {task.state.value}: only ended tasks are resubmitted", hint="X cancels it first"
        )
    old = Old(task, await client.signature(task.task_type))
    draft = draft_of(old, top.reach)

    async def submit(correction: Correction) -> bool:
        new = corrected_payload(old, draft, correction)
        answer = await acting.ask(one_question(old, new, correction, top.reach))
        if answer is None:
            return False
        has_other = new != old.payload
        new_id = await client.resubmit(
            task_id,
            new.data if has_other else None,
            new.content_type if has_other else None,
            queue=correction.overrides.queue,
            priority=correction.overrides.priority,
            delay=correction.delay,
            reason=answer.reason,
        )
        top.notify(f"{new_id}\nmade from {task_id}, which stays as it is", title="new task", markup=False, timeout=10)
        return True

    return await top.push_screen_wait(Edit(draft, submit, has_editor=top.is_local))


async def _resubmit_many(top: "TopApp", acting: "Acting", client: AsyncClient, selection: Selection) -> bool:
    """Submit all ended tasks of a selection again, elsewhere or later if that is wanted."""
    selector = selection.selector
    ids = () if selector else selection.ids  # of failure groups, the ids are those of the groups
    what = plain(selector) if selector else f"{len(ids):,} tasks"
    note = "Each becomes a new task; payloads stay as they are. What may still run is left out."

    async def submit(correction: Correction) -> bool:
        overrides = correction.overrides
        prepared = await client.prepare("resubmit", selector, ids, overrides=overrides)
        if not prepared.count:
            raise InvalidArgument("none of them has ended")
        where = ", ".join(f"{plain(one.queue)} {one.count:,}" for one in prepared.queues[:5])
        facts = [Cell(f"  ! {warning}", "warn") for warning in prepared.warnings]
        facts += [Cell(f"  from     {where}"), *_moves(correction)]
        words = words_of(selector) if selector else list(ids)
        question = Question(
            f"Resubmit {prepared.count:,} task{'' if prepared.count == 1 else 's'}?",
            facts,
            "resubmit",
            Command("tq resubmit", words, _options(correction)).text(top.reach),
            rate=prepared.rate,
        )
        answer: Answer | None = await acting.ask(question, prepared.expires_at_ms)
        if answer is None:
            return False
        operation = await client.commit(prepared.token, answer.reason, answer.rate or RATE)
        top.notify(f"operation {operation.id.hex()[:8]}", title=f"resubmit: {prepared.count:,} tasks", markup=False)
        return True

    draft = Draft(f"Resubmit {what}", note)
    return await top.push_screen_wait(Edit(draft, submit, has_editor=False))


def draft_of(old: Old, reach: Sequence[str]) -> Draft:
    """What is shown to be corrected. `reach`: the options that name the broker."""
    task = old.task
    title = f"Resubmit {task.task_type}  {format_id(task.id)}  from queue {task.queue}, priority {task.priority}"
    takes = f"takes {old.signature}" if old.signature is not None else "no connected worker says what it takes"
    before = f"   resubmitted before, as {format_id(task.resubmitted_as)}" if task.resubmitted_as else ""
    try:
        text = editable(old.payload)
    except InvalidArgument as refusal:
        return Draft(title, f"{refusal.message}{before}")
    if len(text) > EDIT_CHARS_MAX:
        verb = Command("tq task resubmit --edit", (format_id(task.id),)).text(reach)
        return Draft(title, f"the payload is too long to be edited here: {verb}{before}")
    return Draft(title, f"{takes}{before}", text, ".txt" if old.payload.form == "text" else ".json")


def corrected_payload(old: Old, draft: Draft, correction: Correction) -> Payload:
    """The payload that the typed text says, checked.

    Raises:
        InvalidArgument: it cannot be read, or the handler would refuse it.
    """
    if correction.text is None or correction.text == draft.text:
        return old.payload
    new = corrected(old.payload, correction.text)
    if old.signature is not None:
        check(old.signature, new)
    return new


def one_question(old: Old, new: Payload, correction: Correction, reach: Sequence[str]) -> Question:
    """What is asked: all that is different in the new task."""
    looks = {"-": "bad", "+": "good"}
    changes = [Cell(f"  {plain(line)}", looks.get(line[:1], "dim")) for line in diff(old.payload, new)]
    facts = [*_moves(correction, old.task), *changes]
    if not facts:
        facts = [Cell("  Nothing is changed: the same again.")]
    options = []
    if new != old.payload and correction.text is not None:
        options += [f"{'--payload' if new.form == 'text' else '--args'}={correction.text}"]
        options += [f"--content-type={new.content_type}"] if new.form == "text" and new.content_type else []
    line = Command("tq task resubmit", (format_id(old.task.id),), [*options, *_options(correction)])
    return Question(f"Resubmit {old.task.task_type} as a new task?", facts, "resubmit", line.text(reach))


def _moves(correction: Correction, task: TaskView | None = None) -> list[Cell]:
    """Where the new tasks go, as far as that is somewhere else."""
    queue, priority, delay_ms = (
        correction.overrides.queue,
        correction.overrides.priority,
        correction.overrides.delay_ms,
    )
    facts = []
    if queue is not None and (task is None or queue != task.queue):
        facts.append(Cell(f"  queue    {f'{plain(task.queue)} -> ' if task else ''}{plain(queue)}"))
    if priority is not None and (task is None or priority != task.priority):
        facts.append(Cell(f"  priority {f'{task.priority} -> ' if task else ''}{priority}"))
    if delay_ms:
        facts.append(Cell(f"  not before {plain(correction.delay)} from now"))
    return facts


def _options(correction: Correction) -> list[str]:
    queue, priority, delay_ms = correction.overrides.queue, correction.overrides.priority, correction.overrides.delay_ms
    words = [f"--queue={queue}"] if queue is not None else []
    words += [f"--priority={priority}"] if priority is not None else []
    return words + ([f"--delay={correction.delay}"] if delay_ms else [])
