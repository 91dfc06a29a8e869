"""What an operation must do, written plainly: a set of tasks by what they were, and what became of each.

Which tasks a slice takes is the engine's choice, and the model takes it over; that each is of the set, still where it
was, and taken once, it checks. An undo it predicts, as far as the engine has walked.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tq.model.operations import Action

if TYPE_CHECKING:
    from tests.simulation.plain import PlainModel, PlainTask

Shape = tuple[object, ...]

STATUSES = {
    Action.RETRY: {"dead_letter"},
    Action.PURGE: {"ready", "scheduled", "failed", "dead_letter"},
    Action.CANCEL: {"ready", "scheduled", "failed"},  # the simulation cancels only what waits
}


def shape_of(task: "PlainTask") -> Shape:
    """What changes whenever a task comes to another place."""
    return (
        *(task.birth, task.state, task.place, task.scheduled_at, task.ended_at),
        *(task.crashes, len(task.history), task.handed_back),
    )


@dataclass
class PlainSet:
    """What a preview froze: the tasks, with their shape and how often each had been leased.

    `were_away`: those that another operation took and an undo put back. A walk may have come by meanwhile.
    """

    action: Action
    members: dict[bytes, tuple[Shape, int]]
    expires_at: int = 0
    were_away: set[bytes] = field(default_factory=set)


@dataclass
class Moved:
    """Where a task was, and its shape after the move."""

    before: "PlainTask"
    after: Shape


@dataclass
class PlainOperation:
    frozen: PlainSet
    moved: dict[bytes, Moved] = field(default_factory=dict)
    undo_of: bytes | None = None
    seen: set[bytes] = field(default_factory=set)  # of an undo: those that it has passed
    done: int = 0
    is_over: bool = False


class PlainOperations:
    """All previews and operations of a model."""

    def __init__(self) -> None:
        self.previews: dict[int, PlainSet] = {}  # by request, while they are counted
        self.prepared: dict[bytes, PlainSet] = {}
        self.all: dict[bytes, PlainOperation] = {}

    def freeze(
        self, model: "PlainModel", request_id: int, action: Action, queue: str | None, ids: list[bytes] | None
    ) -> PlainSet:
        """What a preview is about from now on."""
        members = {
            task_id: (shape_of(task), task.leased)
            for task_id, task in model.tasks.items()
            if task.status in STATUSES[action]
            and (queue is None or task.spec.queue == queue)
            and (ids is None or task_id in ids)
        }
        frozen = self.previews[request_id] = PlainSet(action, members)
        return frozen

    def offer(self, model: "PlainModel", request_id: int, token: bytes, count: int, expires_at: int) -> None:
        """The engine has counted a set, perhaps while some of its tasks moved on."""
        frozen = self.previews.pop(request_id)
        staying = [task_id for task_id in frozen.members if self.is_untouched(model, frozen, task_id)]
        assert len(staying) <= count <= len(frozen.members), "a preview miscounts"
        frozen.expires_at = expires_at
        self.prepared[token] = frozen

    def is_untouched(self, model: "PlainModel", frozen: PlainSet, task_id: bytes) -> bool:
        """Whether a task is where it was, all the time, and never was leased since."""
        task = model.tasks.get(task_id)
        if task is None or task_id in frozen.were_away:
            return False
        return frozen.members[task_id] == (shape_of(task), task.leased) and task.lease is None

    def move(self, model: "PlainModel", operation_id: bytes, task_id: bytes) -> None:
        """The engine has moved a task."""
        operation = self.all[operation_id]
        task = model.tasks.get(task_id)
        action = operation.frozen.action
        assert not operation.is_over, "an operation that has ended moves a task"
        assert task is not None, "an operation moves a task that does not exist"
        assert task_id in operation.frozen.members, "an operation moves a task that is not of its set"
        assert operation.frozen.members[task_id][0] == shape_of(task), "an operation moves what has moved on"
        assert task.status in STATUSES[action], f"a {action} of a task that is {task.status}"
        assert task_id not in operation.moved, "an operation moves a task twice"
        before = copy.deepcopy(task)
        model.cause = action.value
        if action is Action.RETRY:
            model.retry(task)
        else:
            model.purge(task, "purged" if action is Action.PURGE else "cancelled")
        operation.moved[task_id] = Moved(before, shape_of(task))
        operation.done += 1

    def walk_undo(self, model: "PlainModel", operation_id: bytes, cursor: bytes, *, is_over: bool) -> None:
        """An undo has passed the tasks up to `cursor`."""
        operation = self.all[operation_id]
        assert operation.undo_of is not None
        moved = self.all[operation.undo_of].moved
        model.cause = "undo"
        for task_id in sorted(moved):
            if task_id in operation.seen or not (is_over or task_id <= cursor):
                continue
            operation.seen.add(task_id)
            task, before = model.tasks.get(task_id), moved[task_id].before
            if (
                task is not None
                and task.lease is None
                and shape_of(task) == moved[task_id].after
                and task.resubmitted_as == before.resubmitted_as
            ):
                model.put_back(task, before)
                operation.done += 1
                for frozen in self._all_sets():
                    frozen.were_away.add(task_id)

    def end(self, model: "PlainModel", operation_id: bytes, *, is_whole: bool) -> None:
        """The engine says that it is over; `is_whole`: and that nobody stopped it."""
        operation = self.all[operation_id]
        if operation.is_over:
            return
        operation.is_over = True
        if is_whole and operation.undo_of is None:
            left = [task_id for task_id in operation.frozen.members if task_id not in operation.moved]
            assert not [task_id for task_id in left if self.is_untouched(model, operation.frozen, task_id)], (
                "an operation that says it is done has left tasks behind"
            )

    def _all_sets(self) -> Iterator[PlainSet]:
        yield from self.previews.values()
        yield from self.prepared.values()
        yield from (operation.frozen for operation in self.all.values())

    def restart(self) -> None:
        """Previews end with their broker."""
        self.previews.clear()
        self.prepared.clear()
