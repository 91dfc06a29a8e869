"""The ledger blames what a broker must not do, and nothing else."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.ledger import Ledger
from tq.model.task import State, TaskOptions, TaskSpec, TaskView

A, B = b"a" * 16, b"b" * 16


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger")
    made.start_boot()
    yield made
    made.close()


def spec(task_id: bytes, key: str | None = None) -> TaskSpec:
    return TaskSpec(task_id, "t", b"", options=TaskOptions(key=key) if key else None)


def view(task_id: bytes, state: State, result: bytes = b"", reason: str = "") -> TaskView:
    return TaskView(
        id=task_id, task_type="t", queue="q", priority=128, state=state, payload=b"", content_type="",
        submitted_at_ms=0, scheduled_at_ms=0, started_at_ms=0, ended_at_ms=0, expires_at_ms=0, attempt=1,
        max_retries=3, crashes=0, max_crashes=3, timeout_ms=0, worker="", no_handler=False, cancel_requested=False,
        progress=None, result=result, result_content_type="", reason=reason, history=(), key=None, tags=(),
        resubmit_of=None, resubmitted_as=None,
    )  # fmt: skip


def submit(ledger: Ledger, task_id: bytes = A) -> None:
    ledger.intend(spec(task_id))
    ledger.submitted([spec(task_id)], {})


def complete(ledger: Ledger, token: int) -> None:
    ledger.delivered(A, token, ledger.boot)
    ledger.will_ack(A, token)
    ledger.acked(A, token, is_settled=True)


def bury(ledger: Ledger, token: int) -> None:
    ledger.delivered(A, token, ledger.boot)
    ledger.will_bury(A)
    ledger.failed(A, token, is_final=True, is_settled=True)


def totals(submitted: int, completed: int, cancelled: int) -> Counter[str]:
    return Counter(submitted_total=submitted, completed_total=completed, cancelled_total=cancelled)


def test_a_life_in_order_is_not_blamed(ledger: Ledger) -> None:
    submit(ledger)
    ledger.delivered(A, 1, 1)
    ledger.failed(A, 1, is_final=False, is_settled=True)
    bury(ledger, 2)
    ledger.will_retry(A)
    ledger.start_boot()
    complete(ledger, 3)
    ledger.repeated(A, 3, is_settled=False)
    ledger.check_view(view(A, State.COMPLETED, b"3"), 3)
    ledger.audit({A: view(A, State.COMPLETED, b"3")}, totals(1, 1, 0))

    assert ledger.violations == []
    assert ledger.counts["acks acknowledged"] == 1


def test_what_was_not_answered_may_be_either_way(ledger: Ledger) -> None:
    ledger.intend(spec(A))
    ledger.intend(spec(B))
    ledger.delivered(B, 1, 1)
    ledger.will_ack(B, 1)
    ledger.acked(B, 1, is_settled=False)
    ledger.audit({B: view(B, State.COMPLETED, b"1")}, totals(1, 1, 0))

    assert ledger.violations == []


def test_a_key_leads_to_the_task_that_had_it_first(ledger: Ledger) -> None:
    for task_id in (A, B):
        ledger.intend(spec(task_id, key="k"))
    ledger.submitted([spec(A, key="k")], {})
    ledger.submitted([spec(B, key="k")], {0: A})
    complete(ledger, 1)
    ledger.audit({A: view(A, State.COMPLETED, b"1")}, totals(1, 1, 0))

    assert ledger.violations == []


def rerun_after_cancel(ledger: Ledger) -> None:
    was_completed = ledger.will_cancel(A)
    ledger.cancelled(A, was_completed=was_completed)
    ledger.start_boot()
    ledger.delivered(A, 9, ledger.boot)


def cancel_of_the_completed(ledger: Ledger) -> None:
    complete(ledger, 1)
    ledger.cancelled(A, was_completed=ledger.will_cancel(A))


def token_of_an_earlier_boot(ledger: Ledger) -> None:
    submit(ledger, B)
    ledger.delivered(B, 7, 1)
    ledger.start_boot()
    ledger.delivered(A, 7, 2)


def stale_token_taken(ledger: Ledger) -> None:
    ledger.delivered(A, 1, 1)
    ledger.delivered(A, 2, 1)
    ledger.will_ack(A, 1)
    ledger.acked(A, 1, is_settled=True)


def second_task_of_a_key(ledger: Ledger) -> None:
    for task_id in (B, b"c" * 16):
        ledger.intend(spec(task_id, key="k"))
        ledger.submitted([spec(task_id, key="k")], {})


@pytest.mark.parametrize(
    ("steps", "blame"),
    [
        ([lambda it: it.missing(A)], "is gone"),
        ([lambda it: it.audit({}, totals(0, 0, 0))], "is gone"),
        ([lambda it: it.audit({A: view(A, State.PENDING)}, totals(1, 0, 0))], "still pending"),
        ([lambda it: it.audit({A: view(A, State.CANCELLED, reason="r")}, totals(1, 0, 1))], "nobody asked"),
        ([lambda it: it.audit({A: view(A, State.DEAD_LETTER, reason="r")}, totals(1, 0, 0))], "nobody buried"),
        ([lambda it: it.audit({A: view(A, State.COMPLETED, b"5")}, totals(1, 1, 0))], "nobody reported it"),
        ([lambda it: complete(it, 1), lambda it: it.check_view(view(A, State.PENDING), 1)], "and now pending"),
        ([lambda it: complete(it, 1), lambda it: it.delivered(A, 2, 1)], "ran again under token 2, completed under 1"),
        ([lambda it: complete(it, 1), lambda it: it.repeated(A, 1, is_settled=True)], "settled it twice"),
        ([lambda it: complete(it, 1), lambda it: it.acked(A, 1, is_settled=True)], "completed under 1 before"),
        ([lambda it: complete(it, 1), lambda it: it.failed(A, 1, is_final=False, is_settled=True)], "failed under 1"),
        ([lambda it: bury(it, 1), lambda it: it.delivered(A, 2, 1)], "a dead letter since 1"),
        ([lambda it: it.delivered(A, 5, 1), lambda it: it.delivered(A, 5, 1)], "token 5 after 5"),
        ([lambda it: it.delivered(B, 1, 1)], "an unknown task was delivered"),
        ([lambda it: it.submitted([spec(A)], {0: B})], "an unknown task is said to exist"),
        ([lambda it: submit(it, B), lambda it: it.submitted([spec(A)], {0: B})], "answered with another task"),
        ([rerun_after_cancel], "cancelled in boot 1"),
        ([cancel_of_the_completed], "cancelled after it was completed"),
        ([token_of_an_earlier_boot], "of the boot before"),
        ([stale_token_taken], "had been given"),
        ([second_task_of_a_key], "has two tasks"),
    ],
)  # fmt: skip
def test_a_broken_promise_is_blamed(ledger: Ledger, steps: list[Callable[[Ledger], None]], blame: str) -> None:
    submit(ledger)
    for step in steps:
        step(ledger)

    assert any(blame in violation for violation in ledger.violations), ledger.violations


@pytest.mark.parametrize("name", ["submitted_total", "completed_total", "cancelled_total"])
def test_counters_are_compared_with_a_count(ledger: Ledger, name: str) -> None:
    submit(ledger)
    complete(ledger, 1)
    wrong = totals(1, 1, 0)
    wrong[name] += 1
    ledger.audit({A: view(A, State.COMPLETED, b"1")}, wrong)

    assert [name in violation for violation in ledger.violations] == [True]


def test_a_task_that_nobody_submitted_is_blamed(ledger: Ledger) -> None:
    ledger.audit({A: view(A, State.COMPLETED, b"1")}, totals(1, 1, 0))

    assert any("nobody submitted" in violation for violation in ledger.violations)


def test_what_was_said_is_on_disk(ledger: Ledger, tmp_path: Path) -> None:
    submit(ledger)
    complete(ledger, 3)
    ledger.sync()

    assert (tmp_path / "ledger").read_text().splitlines()[1:] == [f"submitted {A.hex()} 0", f"completed {A.hex()} 3"]
