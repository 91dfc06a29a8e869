"""/api/v1/tasks: submit, look, wait, cancel, retry, resubmit, and why."""

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response
from litestar.params import FromQuery, HeaderParameter, PathParameter, QueryParameter, RawBody

from tq.client.async_client import AsyncClient
from tq.edges.rest import documents
from tq.edges.rest.answers import answer, decode_cursor, encode_cursor, found, page_address
from tq.edges.rest.bodies import NewTask, NewTasks, Reasoned, Resubmission, trace_of_header
from tq.edges.rest.callers import Connected, while_connected
from tq.edges.rest.operating import carry_out
from tq.edges.rest.routing import BYTES, Gives, found_as, named, read, route
from tq.model.commands import BATCH_MAX, LOG_LINES_MAX, Order
from tq.model.durations import duration_ms
from tq.model.errors import InvalidArgument, TaskCancelled, TaskFailed
from tq.model.names import KEY_BYTES_MAX, NAME_BYTES_MAX
from tq.model.operations import Action
from tq.model.replies import TaskPage
from tq.model.selector import Field, Selector, StateTerm, Term, literal_term, parse
from tq.model.task import Outcome, State
from tq.views.records import (
    explanation_record,
    line_record,
    operation_record,
    outcome_record,
    signature_record,
    stack_record,
    summary_record,
    task_record,
)

WAIT_MS_MAX = 600_000
"""How long one request waits at most; then it is asked again."""
LOOK_SECONDS = 2.0
"""How long tasks of a selector are looked for before a page is answered that has none and is not the last."""
SELECTOR_HELP = "docs/selectors.md, such as queue:mail* err:Timeout age:>2h"

Selecting = Annotated[str, QueryParameter(description=SELECTOR_HELP, max_length=2_000)]
Limit = Annotated[int, QueryParameter(description="how many at most", ge=1, le=BATCH_MAX)]
# Not `str | None`: the framework takes the text "null" for None there, and no queue has to be called otherwise.
OfQueue = Annotated[str, QueryParameter(name="queue", description="short for queue:QUEUE", max_length=NAME_BYTES_MAX)]
OfType = Annotated[str, QueryParameter(name="type", description="short for type:TYPE", max_length=NAME_BYTES_MAX)]
OfState = Annotated[
    Literal["any", "pending", "in_progress", "completed", "failed", "dead_letter", "cancelled"],
    QueryParameter(name="state", description="short for state:STATE"),
]
Cursor = Annotated[str, QueryParameter(description="from `next`", max_length=2_000)]
AsOf = Annotated[int, QueryParameter(description="from `next`", ge=0, le=1 << 53)]
IdempotencyKey = Annotated[str, HeaderParameter(name="Idempotency-Key", max_length=KEY_BYTES_MAX + 2)]
Traceparent = Annotated[str, HeaderParameter(name="traceparent", description="whose doing it is: W3C Trace Context")]
TaskIdInPath = Annotated[str, PathParameter(description="the task's id, a UUID")]
_TAG = "tasks"


@route(
    "POST",
    "/tasks",
    takes=NewTask,
    gives={
        201: Gives(documents.TAKEN, "It is on disk."),
        200: Gives(documents.TAKEN, "It was there already, by its key or its id."),
    },
    refuses=(413, 507),
    tag=_TAG,
)
async def submit_task(
    client: Connected,
    body: RawBody,
    idempotency_key: IdempotencyKey = "",
    traceparent: Traceparent = "",
) -> Response[Any]:
    """Submit a task.

    Once it is answered, the task is on disk. Repeating it with the same `id`, `key` or header `Idempotency-Key` gives
    the same task.
    """
    task = read(body, NewTask).to_task(unquoted(idempotency_key), trace_of_header(traceparent))
    (taken,) = await client.submit_together([task])
    return answer(taken._asdict(), 201 if taken.is_new else 200, {"Location": f"/api/v1/tasks/{taken.id}"})


@route(
    "POST",
    "/tasks/bulk",
    takes=NewTasks,
    gives={201: Gives(documents.TAKEN_TOGETHER, "All are on disk.")},
    refuses=(413, 507),
    tag=_TAG,
)
async def submit_tasks(client: Connected, body: RawBody, traceparent: Traceparent = "") -> Response[Any]:
    """Submit up to 1000 tasks, all or none.

    Each may have an `id` or a `key` of its own, and then the request may be repeated.
    """
    trace = trace_of_header(traceparent)
    tasks = [task.to_task(trace=trace) for task in read(body, NewTasks).tasks]
    taken = await client.submit_together(tasks)
    return answer({"tasks": [each._asdict() for each in taken]}, 201)


@route(
    "GET",
    "/tasks/{task_id:str}",
    gives={200: found_as(documents.TASK, "All that is known of it.")},
    refuses=(404,),
    tag=_TAG,
)
async def get_task(request: Request[Any, Any, Any], client: Connected, task_id: TaskIdInPath) -> Response[Any]:
    """Look at a task."""
    return found(request, task_record(await client.get_task(task_id)))


@route("GET", "/tasks", gives={200: found_as(documents.TASK_PAGE, "A page of them.")}, refuses=(404,), tag=_TAG)
async def list_tasks(
    request: Request[Any, Any, Any],
    client: Connected,
    selector: Selecting = "",
    of_state: OfState = "any",
    of_queue: OfQueue = "",
    of_type: OfType = "",
    sort: Annotated[Literal["id", "age", "queue", "any"], QueryParameter(description="any: as found fastest")] = "any",
    reverse: FromQuery[bool] = False,
    limit: Limit = 100,
    cursor: Cursor = "",
    as_of: AsOf = 0,
) -> Response[Any]:
    """List the tasks of a selector, page by page.

    All pages show the tasks as of the first: follow `next`, or the header Link.
    """
    chosen = combined(selector, state=None if of_state == "any" else State(of_state), queue=of_queue, task_type=of_type)
    return page_of_tasks(request, await look_for_page(client, chosen, sort, reverse, limit, cursor, as_of))


async def look_for_page(
    client: AsyncClient, selector: Selector, sort: str, reverse: bool, limit: int, cursor: str, as_of: int
) -> TaskPage:
    """A page of a listing. The broker looks at a bounded number of tasks for each, so it may be empty and not the last;
    then it is asked for the next, for a while.

    Raises:
        SelectorInvalid, QueueNotFound: as for the client's `list_tasks`.
        InvalidArgument: the cursor is none.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + LOOK_SECONDS
    page = first = await client.list_tasks(selector, Order(sort), reverse, limit, decode_cursor(cursor), as_of)
    while page.cursor and not page.tasks and clock() < deadline:
        page = await client.list_tasks(selector, Order(sort), reverse, limit, page.cursor, page.as_of)
    return msgspec.structs.replace(page, total=first.total, is_total_exact=first.is_total_exact)


def combined(text: str, *, state: State | None = None, queue: str = "", task_type: str = "") -> Selector:
    """A selector with the terms of the parameters that are short for one.

    Raises:
        SelectorInvalid: it makes no sense, or all of it together is too long.
    """
    terms: list[Term] = list(parse(text).terms)
    if state is not None:
        terms.append(StateTerm((state,)))
    if queue:
        terms.append(literal_term(Field.QUEUE, queue))
    if task_type:
        terms.append(literal_term(Field.TYPE, task_type))
    return parse(Selector(tuple(terms)).text)


def page_of_tasks(request: Request[Any, Any, Any], page: TaskPage) -> Response[Any]:
    """A page of a listing, with the way to the next one."""
    following = None
    if page.cursor:
        following = page_address(request, cursor=encode_cursor(page.cursor), as_of=str(page.as_of))
    record = {
        "tasks": [summary_record(task) for task in page.tasks],
        "next": following,
        "as_of": page.as_of,
        "total": page.total,
        "is_total_exact": page.is_total_exact,
        "stopped_by": page.stopped_by,
    }
    return found(request, record, {"next": following} if following else None)


@route(
    "GET",
    "/tasks/{task_id:str}/result",
    gives={
        200: Gives(documents.OUTCOME, "How it ended, well or not."),
    },
    refuses=(404, 504),
    tag=_TAG,
)
async def get_result(
    request: Request[Any, Any, Any],
    client: Connected,
    task_id: TaskIdInPath,
    timeout: Annotated[str, QueryParameter(description='how long to wait, such as "30s"; "0s" to 10m', max_length=40)],
) -> Response[Any]:
    """Wait until a task has ended, and say how.

    The answer comes when it ends; 504 when it has not within the timeout: ask again.
    """
    return answer(outcome_record(await _ended(request, client, task_id, timeout)))


@route(
    "GET",
    "/tasks/{task_id:str}/result/raw",
    gives={
        200: Gives(bytes, "The bytes as the handler returned them, with their content type.", BYTES),
    },
    refuses=(404, 424, 504),
    tag=_TAG,
)
async def get_raw_result(
    request: Request[Any, Any, Any],
    client: Connected,
    task_id: TaskIdInPath,
    timeout: Annotated[str, QueryParameter(description='how long to wait, such as "30s"; "0s" to 10m', max_length=40)],
) -> Response[Any]:
    """Wait for the result itself: its bytes.

    424 if the task failed for good or was cancelled. To be taken for data, whatever it is: no browser shows it as a
    page of this address.
    """
    outcome = await _ended(request, client, task_id, timeout)
    if outcome.state is State.DEAD_LETTER:
        error = outcome.error
        raise TaskFailed(
            f"task {task_id} failed for good: {error.error_type if error else outcome.reason}",
            hint=f"GET /api/v1/tasks/{task_id} shows its attempts",
        )
    if outcome.state is not State.COMPLETED:
        raise TaskCancelled(f"task {task_id} was cancelled{f': {outcome.reason}' if outcome.reason else ''}")
    headers = {
        # A header, for of a media type the framework would make one with two charsets.
        "Content-Type": _media_type(outcome.content_type),
        "Cache-Control": "no-store",
        "Content-Disposition": "attachment",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return Response(outcome.result, headers=headers)


def _media_type(content_type: str) -> str:
    """What a worker said of a result, if it can stand in a header."""
    is_one = bool(content_type) and content_type.isascii() and content_type.isprintable()
    return content_type if is_one else BYTES


async def _ended(request: Request[Any, Any, Any], client: AsyncClient, task_id: str, timeout: str) -> Outcome:
    return await while_connected(request, client.wait(task_id, wait_seconds(timeout)))


def wait_seconds(timeout: str) -> float:
    """How long a request may wait.

    Raises:
        InvalidArgument: not a duration, or longer than one request waits.
    """
    length_ms = duration_ms(timeout, "timeout")
    if length_ms > WAIT_MS_MAX:
        raise InvalidArgument(f"timeout {timeout!r} is longer than one request waits", hint="at most 10m; ask again")
    return length_ms / 1_000


@route(
    "POST",
    "/tasks/{task_id:str}/cancel",
    takes=Reasoned,
    gives={
        200: Gives(documents.OPERATION, "The operation that did so; it can be undone."),
    },
    refuses=(404, 409),
    tag=_TAG,
)
async def cancel_task(client: Connected, task_id: TaskIdInPath, body: RawBody) -> Response[Any]:
    """Cancel a task.

    One that waits is cancelled at once; one that runs is asked to stop, and never retried. 409 if it has ended.
    """
    return answer(operation_record(await carry_out(client, Action.CANCEL, [task_id], read(body, Reasoned))))


@route(
    "POST",
    "/tasks/{task_id:str}/retry",
    takes=Reasoned,
    gives={
        200: Gives(documents.OPERATION, "The operation that did so; it can be undone until the task starts."),
    },
    refuses=(404, 409),
    tag=_TAG,
)
async def retry_task(client: Connected, task_id: TaskIdInPath, body: RawBody) -> Response[Any]:
    """Run a dead letter again, with fresh attempts."""
    return answer(operation_record(await carry_out(client, Action.RETRY, [task_id], read(body, Reasoned))))


@route(
    "POST",
    "/tasks/{task_id:str}/resubmit",
    takes=Resubmission,
    gives={
        201: Gives(documents.TAKEN, "The new task."),
    },
    refuses=(404, 409, 413),
    tag=_TAG,
)
async def resubmit_task(client: Connected, task_id: TaskIdInPath, body: RawBody) -> Response[Any]:
    """Submit a new task made from one that has ended, as it was or corrected.

    A corrected payload is checked against what a connected worker says that its handler takes. The old task stays, and
    each names the other.
    """
    changes = read(body, Resubmission)
    task = await client.get_task(task_id)
    signature = await client.signature(task.task_type) if changes.is_checked else None
    corrected = changes.corrected(task, signature)
    new_id = await client.resubmit(
        task_id,
        corrected.data if corrected is not None else None,
        corrected.content_type if corrected is not None else None,
        queue=changes.queue,
        priority=changes.priority_number,
        delay=changes.delay,
        reason=changes.reason,
    )
    return answer({"id": new_id, "is_new": True}, 201, {"Location": f"/api/v1/tasks/{new_id}"})


@route(
    "GET",
    "/tasks/{task_id:str}/why",
    gives={200: found_as(documents.EXPLANATION, "The deciding reason first.")},
    refuses=(404,),
    tag=_TAG,
)
async def explain_task(request: Request[Any, Any, Any], client: Connected, task_id: TaskIdInPath) -> Response[Any]:
    """Say why a task is where it is: what it waits for, where it runs, or how it ended."""
    return found(request, explanation_record(await client.why(task_id)))


@route(
    "GET",
    "/tasks/{task_id:str}/log",
    gives={200: found_as(documents.LOG_PAGE, "The latest 500 at most.")},
    refuses=(404,),
    tag=_TAG,
)
async def get_log(
    request: Request[Any, Any, Any],
    client: Connected,
    task_id: TaskIdInPath,
    after: Annotated[int, QueryParameter(description="a line's number: those above it", ge=0, le=1 << 53)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=LOG_LINES_MAX)] = LOG_LINES_MAX,
) -> Response[Any]:
    """What the handlers of a task have logged, over all its attempts."""
    page = await client.task_log(task_id, after, limit)
    lines = [line_record(line) for line in page.lines]
    return found(request, {"lines": lines, "total": page.total, "is_over": page.is_over})


@route(
    "GET",
    "/tasks/{task_id:str}/stack",
    gives={200: Gives(documents.STACK, "Its frames, the innermost last.")},
    refuses=(404, 409, 504),
    tag=_TAG,
)
async def take_stack(client: Connected, task_id: TaskIdInPath) -> Response[Any]:
    """Where the handler of a running task is, taken now by its worker."""
    return answer(stack_record(await client.task_stack(task_id)))


@route(
    "GET",
    "/task-types/{task_type:str}/signature",
    gives={
        200: found_as(documents.SIGNATURE_OR_NONE, "Null: no connected worker has said so."),
    },
    tag=_TAG,
)
async def get_signature(
    request: Request[Any, Any, Any], client: Connected, task_type: Annotated[str, PathParameter(max_length=200)]
) -> Response[Any]:
    """What the handler of a task type takes, as a connected worker announced it."""
    signature = await client.signature(named(task_type))
    return found(request, {"signature": signature_record(signature) if signature is not None else None})


def unquoted(key: str) -> str | None:
    """The key of the header Idempotency-Key: a quoted string, as its draft at the IETF has it, or the text itself; None
    if there is no such header."""
    if len(key) > 1 and key[0] == key[-1] == '"':
        return key[1:-1]
    return key or None


ROUTES = [
    submit_task, submit_tasks, get_task, list_tasks, get_result, get_raw_result, cancel_task, retry_task,
    resubmit_task, explain_task, get_log, take_stack, get_signature,
]  # fmt: skip
