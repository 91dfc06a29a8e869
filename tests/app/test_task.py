"""Enqueuing: what goes to the backend, and what comes back."""

from typing import Any

import pytest

from tests.app.fakes import RecordingBackend
from tq.app.app import App
from tq.app.codec import ARGUMENTS, VALUE, decode, encode
from tq.model.errors import InvalidArgument, TaskCancelled, TaskFailed, TaskNotFound
from tq.model.task import AttemptRecord, Outcome, State

FIRST, SECOND = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"

app = App("shop")


@app.task(queue="mail")
async def welcome(user_id: int, tenant: str = "acme") -> tuple[int, str]:
    return user_id, tenant


@pytest.fixture
def backend() -> RecordingBackend:
    backend = RecordingBackend()
    app.use_backend(backend)
    return backend


def arguments(backend: RecordingBackend) -> list[Any]:
    return [decode(spec.payload) for spec in backend.specs]


async def test_enqueue_submits_the_arguments_by_name(backend: RecordingBackend) -> None:
    handle = await welcome.enqueue(7, tenant="b")
    other = welcome.enqueue_sync(8)

    assert (handle.id, other.id, handle.task_type) == (FIRST, SECOND, "welcome")
    assert arguments(backend) == [{"user_id": 7, "tenant": "b"}, {"user_id": 8}]
    assert backend.specs[0].content_type == ARGUMENTS
    assert repr(handle) == f"<TaskHandle welcome {FIRST}>"


async def test_wrong_arguments_reach_no_broker(backend: RecordingBackend) -> None:
    with pytest.raises(InvalidArgument, match="task 'welcome': argument 'user_id': Expected `int`, got `str`"):
        await welcome.enqueue("seven")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="task 'welcome': too many positional arguments"):
        welcome.enqueue_sync(1, "a", 3)  # type: ignore[call-arg]

    assert backend.specs == []


async def test_options_make_a_copy_and_never_meet_the_arguments(backend: RecordingBackend) -> None:
    later = welcome.options(delay="10m", key="welcome-7")
    await later.options(queue="slow").enqueue(7)
    await welcome.enqueue(7)

    assert [(spec.queue, spec.options and spec.options.key) for spec in backend.specs] == [
        ("slow", "welcome-7"),
        ("mail", None),
    ]
    assert later.name == welcome.name
    assert later.signature is welcome.signature


async def test_many_go_in_one_submit(backend: RecordingBackend) -> None:
    handles = await welcome.enqueue_many([(1,), {"user_id": 2, "tenant": "b"}])
    more = welcome.enqueue_many_sync((number,) for number in range(3))

    assert [handle.id for handle in handles] == [FIRST, SECOND]
    assert len(more) == 3
    assert backend.batches == [2, 3]
    assert arguments(backend)[:2] == [{"user_id": 1}, {"user_id": 2, "tenant": "b"}]


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        ([(1,), ("x",)], "argument 'user_id'"),
        ([1, 2], "int is no call of many"),
        (["ab"], "str is no call of many"),
    ],
)
async def test_of_many_none_is_submitted_when_one_is_wrong(
    backend: RecordingBackend, calls: list[Any], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        await welcome.enqueue_many(calls)

    assert backend.batches == []


def test_one_key_for_many_tasks_is_refused(backend: RecordingBackend) -> None:
    keyed = welcome.options(key="k")

    with pytest.raises(InvalidArgument, match="one key for 2 tasks would make them one"):
        keyed.enqueue_many_sync([(1,), (2,)])
    assert len(keyed.enqueue_many_sync([(1,)])) == 1


def ended(state: State, **fields: Any) -> Outcome:
    given: dict[str, Any] = {"result": b"", "content_type": "", "reason": "", "error": None, **fields}
    return Outcome(id=bytes(15) + b"\x01", state=state, **given)


async def test_a_result_has_the_type_of_the_annotation(backend: RecordingBackend) -> None:
    backend.outcomes[FIRST] = ended(State.COMPLETED, result=encode((7, "a")), content_type=VALUE)
    handle = welcome.handle(FIRST)

    assert await handle.result() == (7, "a")
    assert handle.result_sync(timeout="5s") == (7, "a")
    assert (await handle.wait("1s")).state is State.COMPLETED
    assert handle.wait_sync("1s").state is State.COMPLETED
    assert [call[2] for call in backend.calls] == [60_000, 5_000, 1_000, 1_000]


async def test_a_task_that_did_not_end_well_raises_why(backend: RecordingBackend) -> None:
    error = AttemptRecord(4, "failed", 0, 0, "w", "ValueError", "no such user")
    backend.outcomes[FIRST] = ended(State.DEAD_LETTER, error=error)
    backend.outcomes[SECOND] = ended(State.CANCELLED, reason="user deleted")

    with pytest.raises(TaskFailed, match="ValueError: no such user"):
        await welcome.handle(FIRST).result()
    with pytest.raises(TaskCancelled, match="user deleted"):
        welcome.handle(SECOND).result_sync()


async def test_a_handle_cancels_and_asks(backend: RecordingBackend) -> None:
    handle = welcome.handle(FIRST)

    assert await handle.cancel("user deleted") is True
    assert handle.cancel_sync() is True
    assert backend.calls == [("cancel", FIRST, "user deleted"), ("cancel", FIRST, "")]
    with pytest.raises(TaskNotFound):
        await handle.status()
    with pytest.raises(TaskNotFound):
        handle.status_sync()


async def test_durations_of_handles_have_units(backend: RecordingBackend) -> None:
    with pytest.raises(InvalidArgument, match="timeout 60 is a bare int"):
        await welcome.handle(FIRST).result(timeout=60)  # type: ignore[arg-type]
