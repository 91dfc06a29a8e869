"""Requests about single tasks: submit, look, wait, cancel, submit again."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from tq.model.commands.fields import BATCH_MAX, LOG_LINES_MAX, BaseRequest, Count, Id, Ids, Limit, Name, Note
from tq.model.selector import SELECTOR_CHARS_MAX
from tq.model.task import PRIORITY_MAX, TaskSpec


class Order(StrEnum):
    """How a listing is sorted; each can be reversed. docs/selectors.md says what it costs."""

    ANY = "any"  # as it is found fastest: what is ready in the order it will run, then what waits for a time, ...
    ID = "id"  # as the ids were made
    AGE = "age"  # the youngest first: dead letters by when they died, others by when their ids were made
    QUEUE = "queue"  # by the name of the queue


class Submit(BaseRequest, frozen=True, tag=2):
    """Take these tasks, all or none. Reply: Submitted."""

    tasks: Annotated[list[TaskSpec], Meta(min_length=1, max_length=BATCH_MAX)]


class GetTask(BaseRequest, frozen=True, tag=3):
    """Reply: TaskReply."""

    task_id: Id


class Wait(BaseRequest, frozen=True, tag=4):
    """Reply: OutcomeReply once the task has ended, or error TIMED_OUT."""

    task_id: Id
    timeout_ms: Annotated[int, Meta(ge=0, le=86_400_000)]


class Unwait(BaseRequest, frozen=True, tag=54):
    """Wait no more: the Wait with this request id on this connection is answered TIMED_OUT at once, if it waits. No
    reply."""

    wait_id: Count


class Cancel(BaseRequest, frozen=True, tag=5):
    """Waiting tasks are cancelled at once; running ones are asked to stop and never retried. Reply: Affected.

    Ended tasks are skipped, and so are unknown ones unless it is the only one.
    """

    task_ids: Ids
    reason: Note = ""


class ListTasks(BaseRequest, frozen=True, tag=6):
    """A page of the tasks of a selector. Reply: TaskPage; its cursor and its `as_of` go into the next request."""

    selector: Annotated[str, Meta(max_length=SELECTOR_CHARS_MAX)] = ""
    order: Order = Order.ANY
    is_descending: bool = False
    limit: Limit = 100
    cursor: Annotated[bytes, Meta(max_length=512)] = b""
    as_of: Count = 0


class Resubmit(BaseRequest, frozen=True, tag=26):
    """A new task from an ended one, with another payload, queue or priority if given. Reply: Submitted."""

    task_id: Id
    new_id: Id
    payload: bytes | None = None
    content_type: Name | None = None
    queue: Name | None = None
    priority: Annotated[int, Meta(ge=0, le=PRIORITY_MAX)] | None = None
    delay_ms: Count = 0
    reason: Note = ""


class GetSignature(BaseRequest, frozen=True, tag=42):
    """What the handler of a task type takes, as a connected worker announced it. Reply: SignatureReply."""

    task_type: Name


class Why(BaseRequest, frozen=True, tag=38):
    """Why a task is where it is. Reply: WhyReply."""

    task_id: Id


class GetLog(BaseRequest, frozen=True, tag=39):
    """The lines that the handlers of a task have logged, with a number above `after`. Reply: LogPage."""

    task_id: Id
    after: Count = 0
    limit: Annotated[int, Meta(ge=1, le=LOG_LINES_MAX)] = LOG_LINES_MAX


class TakeStack(BaseRequest, frozen=True, tag=40):
    """Where the handler of a running task is. Reply: StackReply, once its worker has said so, within 5 s."""

    task_id: Id
