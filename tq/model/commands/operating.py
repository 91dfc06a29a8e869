"""Requests about queues, workers, dead letters and the broker, and operations on many tasks."""

from typing import Annotated

from msgspec import Meta

from tq.model.commands.fields import BaseRequest, Ids, Limit, Name, Note, OperationId, Rate
from tq.model.groups import GroupOrder
from tq.model.operations import RATE, UNDO_RATE, Action, Overrides
from tq.model.selector import SELECTOR_CHARS_MAX


class ListQueues(BaseRequest, frozen=True, tag=20):
    """Reply: QueuePage, all of them."""


class PauseQueue(BaseRequest, frozen=True, tag=21):
    """Nothing more is dispatched from this queue; what runs goes on. Reply: Affected."""

    queue: Name
    reason: Note = ""


class ResumeQueue(BaseRequest, frozen=True, tag=22):
    """Reply: Affected."""

    queue: Name


class ListWorkers(BaseRequest, frozen=True, tag=27):
    """Reply: WorkerPage, all of them."""


class GetWorker(BaseRequest, frozen=True, tag=41):
    """Worker processes with what they have in hand. Reply: WorkerReply.

    `worker` is a name (all processes of it), or an incarnation in hex, or a unique beginning of one.
    """

    worker: Name


class DrainWorker(BaseRequest, frozen=True, tag=28):
    """Tell workers to take nothing more and end when they are idle. Reply: Affected.

    `worker` is a name (all incarnations of it) or an incarnation in hex, or a unique beginning of one.
    """

    worker: Name


class GetStats(BaseRequest, frozen=True, tag=29):
    """Reply: StatsReply."""


class Backup(BaseRequest, frozen=True, tag=30):
    """A consistent copy of the data into a new directory on the broker's machine. Reply: Affected."""

    directory: Annotated[str, Meta(max_length=4_000)]


class ListGroups(BaseRequest, frozen=True, tag=31):
    """The failure groups that have dead letters. Reply: GroupPage.

    `selector` may ask for queue, err, group, age (since the latest death) and free text in the error.
    """

    selector: Annotated[str, Meta(max_length=SELECTOR_CHARS_MAX)] = ""
    order: GroupOrder = GroupOrder.COUNT
    is_descending: bool = True
    limit: Limit = 100


class PrepareOperation(BaseRequest, frozen=True, tag=32):
    """Freeze and count the tasks to which something is about to be done: those of a selector (an empty one: all), or
    these ids. Changes nothing. Reply: Prepared, when they are counted.
    """

    action: Action
    selector: Annotated[str, Meta(max_length=SELECTOR_CHARS_MAX)] = ""
    task_ids: Ids = []
    is_hard: bool = False
    overrides: Overrides = Overrides()


class CommitOperation(BaseRequest, frozen=True, tag=33):
    """Start what was prepared; a second time changes nothing. Reply: OperationReply."""

    token: OperationId
    reason: Note = ""
    rate: Rate = RATE


class ListOperations(BaseRequest, frozen=True, tag=34):
    """Reply: OperationPage, the latest first."""

    limit: Limit = 100


class GetOperation(BaseRequest, frozen=True, tag=35):
    """Reply: OperationReply, at the latest after `wait_ms`, before if the operation ends.

    `operation` is an id in hex, or a unique beginning of one.
    """

    operation: Name
    wait_ms: Annotated[int, Meta(ge=0, le=60_000)] = 0


class CancelOperation(BaseRequest, frozen=True, tag=36):
    """Stop an operation; what it has done stays done. Reply: OperationReply."""

    operation: Name
    reason: Note = ""


class UndoOperation(BaseRequest, frozen=True, tag=37):
    """Start an operation that takes another one back; one that still runs is stopped first. Reply: OperationReply, of
    the new one, or of the one that does so already."""

    operation: Name
    reason: Note = ""
    rate: Rate = UNDO_RATE
