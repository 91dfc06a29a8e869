"""Who is confined to some queues asks for nothing outside of them, and is shown nothing outside of them.

tq/model/roles.py says of each request what it reaches. One that names queues, tasks or a selector is judged by them;
one that lists everything is answered with what may be seen; one that concerns the whole broker is refused.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, assert_never

import msgspec

from tq.engine.ledger import Ledger
from tq.engine.operations.committing import QUEUES_SHOWN_MAX
from tq.model.commands import Hello, Request, WorkerHello
from tq.model.identity import Actor
from tq.model.ids import format_id
from tq.model.operations import QueueCount
from tq.model.patterns import glob
from tq.model.replies import OperationPage, QueuePage, Reply
from tq.model.roles import RULES, Reach, beyond


def confine(ledger: Ledger, actor: Actor, request: Request) -> Request:
    """The request as it may be carried out: itself, or narrowed.

    Raises:
        AccessDenied: it reaches beyond the queues of the actor.
    """
    if isinstance(request, Hello) and request.worker is not None:
        _check_worker(actor, request.worker)
        return request
    match RULES[type(request)].reach:
        case Reach.NOTHING | Reach.LISTED:
            return request
        case Reach.NAMED:
            return _narrowed(ledger, actor, request)
        case Reach.WHOLE:
            raise beyond(actor, f"{type(request).__name__} concerns the whole broker")
        case reach:
            assert_never(reach)


def cut_down(actor: Actor, reply: Reply | None) -> Reply | None:
    """The reply without what the actor may not see."""
    match reply:
        case QueuePage():
            may_see = sees(actor)
            return msgspec.structs.replace(reply, queues=[queue for queue in reply.queues if may_see(queue.name)])
        case OperationPage():
            own = [operation for operation in reply.operations if _is_within(actor, operation.queues)]
            return msgspec.structs.replace(reply, operations=own)
        case _:
            return reply


def _check_worker(actor: Actor, worker: WorkerHello) -> None:
    if not worker.queues:
        raise beyond(actor, "a worker without --queues serves all of them")
    _check_queues(actor, (preference.name for preference in worker.queues))


def _narrowed(ledger: Ledger, actor: Actor, request: Any) -> Request:
    """Judge a request by its fields; which it has depends on its kind (see Reach.NAMED)."""
    fields: tuple[str, ...] = request.__struct_fields__
    queues = _named_queues(request)
    ids = [*getattr(request, "task_ids", ()), *([request.task_id] if "task_id" in fields else ())]
    _check_queues(actor, queues)
    _check_tasks(ledger, actor, ids)
    if "operation" in fields:
        _check_operation(ledger, actor, request.operation)
    elif "selector" in fields and not ids:
        # In front: whatever the rest is, it can only narrow this further.
        mine = ",".join(glob(pattern).text for pattern in actor.queues)
        narrowed: Request = msgspec.structs.replace(request, selector=f"queue:{mine} {request.selector}".rstrip())
        return narrowed
    elif not ids and not queues:
        raise beyond(actor, f"{type(request).__name__} without a queue concerns all of them")
    return request  # type: ignore[no-any-return]


def _named_queues(request: Any) -> list[str]:
    """The queues that a request names, wherever it does."""
    found = [*getattr(request, "queues", ()), *(spec.queue for spec in getattr(request, "tasks", ()))]
    for holder in (request, getattr(request, "overrides", None)):
        queue = getattr(holder, "queue", None)
        if queue:
            found.append(queue)
    return found


def _check_tasks(ledger: Ledger, actor: Actor, ids: Iterable[bytes]) -> None:
    """Tasks that do not exist are no secret: what is asked for says so."""
    may_touch = sees(actor)
    for task_id in ids:
        record = ledger.find_or_none(task_id)
        if record is not None and not may_touch(record.stored.spec.queue):
            raise beyond(actor, f"task {format_id(task_id)} is in another queue")


def _check_operation(ledger: Ledger, actor: Actor, name: str) -> None:
    key = ledger.operations.find(name)
    if not _is_within(actor, ledger.operations.rows[key].queues):
        raise beyond(actor, f"operation {key.hex()} concerns other queues")


def _is_within(actor: Actor, counts: Sequence[QueueCount]) -> bool:
    """Whether an operation concerns only queues of the actor. Of very many queues its record does not name all."""
    may_touch = sees(actor)
    return len(counts) < QUEUES_SHOWN_MAX and all(may_touch(count.queue) for count in counts)


def _check_queues(actor: Actor, names: Iterable[str]) -> None:
    may_touch = sees(actor)
    for name in names:
        if not may_touch(name):
            raise beyond(actor, f"queue {name[:200]!r} is not one of them")


def sees(actor: Actor) -> Callable[[str], bool]:
    """Whether an actor may know of a queue, by its name."""
    return _test_of(actor.queues) if actor.queues else lambda _name: True


@lru_cache(maxsize=1_024)
def _test_of(queues: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a queue's name matches one of the patterns."""
    matchers = [glob(pattern).matcher() for pattern in queues]
    return lambda name: any(matches(name) for matches in matchers)
