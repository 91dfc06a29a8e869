"""Who runs when, what is too late, what goes back: with executors that do nothing and a clock that is moved by hand."""

import itertools
import logging
from collections import deque
from collections.abc import Iterable

import msgspec
import pytest

import tq
from tq.app.task import RunIn
from tq.model.commands import Failure, Success
from tq.model.replies import Delivery
from tq.model.task import StoredTask, TaskSpec
from tq.worker.counts import Meter
from tq.worker.credit import STALL_SECONDS
from tq.worker.desk import STOP_SECONDS, Desk
from tq.worker.outbox import HandedBack, Outcome, Stopped
from tq.worker.runs import Run, Why
from tq.worker.stacks import Answer, Stack

app = tq.App("desk")


@app.task
async def loop() -> None: ...


@app.task
def thread() -> None: ...


@app.task(run_in="process")
def process() -> None: ...


class FakeExecutor:
    """Starts runs when the test says so."""

    def __init__(self) -> None:
        self.backlog: deque[Run] = deque()
        self.running: list[Run] = []
        self.stopped: list[tuple[Run, Why | None]] = []
        self.abandoned: list[Run] = []
        self.keeps_running = True

    def start(self, runs: list[Run]) -> None:
        self.backlog.extend(runs)

    def begin(self, now: float) -> Run:
        """The next of the backlog starts."""
        run = self.backlog.popleft()
        run.started_at = now
        self.running.append(run)
        return run

    def oldest_unstarted(self) -> Run | None:
        return self.backlog[0] if self.backlog else None

    def unstarted(self) -> int:
        return len(self.backlog)

    def take_back(self) -> list[Run]:
        taken = list(self.backlog)
        self.backlog.clear()
        return taken

    def started(self) -> Iterable[Run]:
        return list(self.running)

    def stop(self, run: Run) -> None:
        self.stopped.append((run, run.why))

    def abandon(self, run: Run) -> bool:
        self.abandoned.append(run)
        if run in self.running:
            self.running.remove(run)
        return self.keeps_running

    def place_of(self, run: Run) -> str:
        return "app.py:1"

    def take_stack(self, run: Run, answer: Answer) -> None:
        answer(Stack("thread", 7, "app.py:1", "the frames"))


class Rig:
    """A desk with two slots."""

    def __init__(self, slots: int = 2, meter: Meter | None = None) -> None:
        self.now = 1_000.0
        self.executors: dict[RunIn, FakeExecutor] = {
            "loop": FakeExecutor(),
            "thread": FakeExecutor(),
            "process": FakeExecutor(),
        }
        self.desk = Desk(
            app.handlers, self.executors, slots=slots, prefetch_max=100, clock=lambda: self.now, meter=meter
        )
        self._tokens = itertools.count(1)

    def deliver(self, *task_types: str, timeout_ms: int = 10_000) -> list[int]:
        tokens = [next(self._tokens) for _ in task_types]
        self.desk.deliver([_delivery(*pair, timeout_ms) for pair in zip(tokens, task_types, strict=True)])
        return tokens

    def begin(self, kind: RunIn = "loop") -> Run:
        return self.executors[kind].begin(self.now)

    def end(self, run: Run) -> None:
        executor = self.executors[run.kind]
        executor.running.remove(run)
        self.desk.finished([Success(run.task_id, run.token)], 0.001)

    def outcomes(self) -> list[Outcome]:
        requests = self.desk.outbox.take(itertools.count(1).__next__)
        for request in requests:
            self.desk.outbox.answered(request)
        found: list[Outcome] = []
        for request in requests:
            match type(request).__name__:
                case "Ack":
                    found += request.successes  # type: ignore[union-attr]
                case "Nack":
                    found += request.failures  # type: ignore[union-attr]
                case "Release":
                    found += [HandedBack(ref.task_id, ref.token, request.delay_ms) for ref in request.leases]  # type: ignore[union-attr]
                case _:
                    found += [Stopped(ref.task_id, ref.token) for ref in request.leases]  # type: ignore[union-attr]
        return found


def _id(token: int) -> bytes:
    return token.to_bytes(16, "big")


def _delivery(token: int, task_type: str, timeout_ms: int) -> Delivery:
    spec = TaskSpec(_id(token), task_type, b"\x80", timeout_ms=timeout_ms)
    return Delivery(token, 1, msgspec.Raw(msgspec.msgpack.encode(StoredTask(0, token, 0, 0, spec))))


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_run_goes_to_the_executor_of_its_kind(rig: Rig) -> None:
    rig.deliver("thread", "process")

    assert rig.executors["thread"].unstarted() == 1
    assert rig.executors["process"].unstarted() == 1
    assert rig.desk.in_hand == 2


def test_one_kind_alone_may_be_given_ahead(rig: Rig) -> None:
    rig.deliver(*["loop"] * 5)

    assert rig.executors["loop"].unstarted() == 5


def test_another_kind_waits_for_a_slot_of_its_own(rig: Rig) -> None:
    rig.deliver("loop", "loop", "loop", "thread", "loop")
    assert rig.executors["thread"].unstarted() == 0
    assert rig.executors["loop"].unstarted() == 3

    for _ in range(2):
        rig.end(rig.begin())

    assert rig.executors["thread"].unstarted() == 1
    assert rig.desk.unstarted == 3  # one of each kind given, and the last one behind them


def test_the_order_of_delivery_is_kept(rig: Rig) -> None:
    rig.deliver("loop", "thread")
    first, second = rig.deliver("loop", "loop")

    rig.end(rig.begin("thread"))

    given = [run.token for run in rig.executors["loop"].backlog]
    assert given == [1, first, second]


def test_what_has_not_started_in_time_goes_back_and_nothing_is_fetched_ahead(rig: Rig) -> None:
    rig.desk.credit.measure(500, 0.05, 0.05)
    tokens = rig.deliver("loop", "loop", "loop")
    running = rig.begin()
    rig.now += STALL_SECONDS - 0.01
    assert not rig.desk.tick()

    rig.now += 0.02

    assert rig.desk.tick()
    assert rig.outcomes() == [HandedBack(_id(token), token) for token in tokens[1:]]
    assert rig.desk.credit.prefetch == 0
    assert rig.desk.in_hand == 1
    rig.end(running)
    assert rig.desk.in_hand == 0


def test_a_run_in_time_is_left_alone(rig: Rig) -> None:
    rig.deliver("loop", timeout_ms=10_000)
    rig.begin()
    rig.now += 9.9

    rig.desk.tick()

    assert rig.executors["loop"].stopped == []


def test_a_timeout_counts_from_the_start(rig: Rig) -> None:
    rig.deliver("loop", timeout_ms=10_000)
    rig.now += 0.05
    run = rig.begin()
    rig.now += 9.99
    rig.desk.tick()
    assert rig.executors["loop"].stopped == []

    rig.now += 0.02
    rig.desk.tick()

    assert rig.executors["loop"].stopped == [(run, Why.TIMEOUT)]


def test_no_timeout_means_none(rig: Rig) -> None:
    rig.deliver("loop", timeout_ms=0)
    rig.begin()
    rig.now += 1e6

    rig.desk.tick()

    assert rig.executors["loop"].stopped == []


def test_a_handler_that_does_not_stop_fails_and_loses_its_slot(rig: Rig) -> None:
    rig.deliver("thread", timeout_ms=1_000)
    run = rig.begin("thread")
    rig.now += 1
    rig.desk.tick()
    rig.now += STOP_SECONDS - 0.01
    rig.desk.tick()
    assert rig.executors["thread"].abandoned == []

    rig.now += 0.01
    rig.desk.tick()

    (failure,) = rig.outcomes()
    assert isinstance(failure, Failure)
    assert failure.is_timeout
    assert "app.py:1" in failure.message
    assert rig.executors["thread"].abandoned == [run]
    assert (rig.desk.stuck, rig.desk.in_hand) == (1, 0)


def test_what_comes_after_that_is_dropped(rig: Rig) -> None:
    rig.deliver("thread", timeout_ms=1_000)
    run = rig.begin("thread")
    for seconds in (1, STOP_SECONDS):
        rig.now += seconds
        rig.desk.tick()
    rig.outcomes()

    rig.desk.finished([Success(run.task_id, run.token)], 7.0)

    assert rig.outcomes() == []


def test_a_process_that_is_killed_is_not_stuck(rig: Rig) -> None:
    rig.executors["process"].keeps_running = False
    rig.deliver("process", timeout_ms=1_000)
    rig.begin("process")

    for seconds in (1, STOP_SECONDS):
        rig.now += seconds
        rig.desk.tick()

    assert rig.desk.stuck == 0
    assert len(rig.outcomes()) == 1


def test_a_cancelled_run_that_does_not_stop_is_reported_as_cancelled(rig: Rig) -> None:
    (token,) = rig.deliver("thread")
    rig.begin("thread")
    rig.desk.cancel(token)
    rig.desk.cancel(token)
    rig.now += STOP_SECONDS

    rig.desk.tick()

    assert len(rig.executors["thread"].stopped) == 1
    assert rig.outcomes() == [Stopped(_id(token), token)]


def test_a_cancelled_run_that_has_not_started_is_not_handed_back(rig: Rig) -> None:
    first, second = rig.deliver("loop", "loop")
    rig.desk.cancel(second)

    rig.desk.hand_back_unstarted()

    assert sorted(rig.outcomes(), key=lambda one: one.token) == [
        HandedBack(_id(first), first),
        Stopped(_id(second), second),
    ]


def test_a_revoked_run_keeps_its_slot_until_it_ends_and_is_not_held(rig: Rig) -> None:
    (token,) = rig.deliver("loop")
    run = rig.begin()

    rig.desk.revoke(token)

    assert rig.desk.held() == []
    assert rig.desk.in_hand == 1
    rig.end(run)
    assert rig.outcomes() == []


def test_a_revoked_run_that_does_not_stop_is_reported_to_nobody(rig: Rig) -> None:
    (token,) = rig.deliver("loop")
    rig.begin()
    rig.desk.revoke(token)
    rig.now += STOP_SECONDS

    rig.desk.tick()

    assert rig.outcomes() == []
    assert rig.desk.in_hand == 0


def test_all_that_is_in_hand_or_unconfirmed_is_held(rig: Rig) -> None:
    tokens = rig.deliver("loop", "thread")
    rig.end(rig.begin())

    assert sorted(ref.token for ref in rig.desk.held()) == tokens


def test_a_greeting_names_what_is_lost(rig: Rig) -> None:
    done, running, kept = rig.deliver("loop", "thread", "loop")
    rig.end(rig.begin())
    run = rig.begin("thread")

    rig.desk.connected([_id(one) for one in (done, running)], 77)

    assert rig.executors["thread"].stopped == [(run, Why.LOST)]
    assert [ref.token for ref in rig.desk.held()] == [kept]
    assert rig.desk.outbox.result_bytes_max == 77


def test_a_closing_desk_hands_back_what_arrives(rig: Rig) -> None:
    rig.desk.is_closing = True

    (token,) = rig.deliver("loop")

    assert rig.outcomes() == [HandedBack(_id(token), token)]


@pytest.mark.parametrize(
    ("outcome", "level", "message"),
    [
        (Success(_id(1), 1), "INFO", "task_completed"),
        (Failure(_id(1), 1, "ValueError", "no"), "WARNING", "task_failed"),
        (HandedBack(_id(1), 1, 500), "INFO", "task_handed_back"),
        (Stopped(_id(1), 1), "INFO", "task_cancelled"),
    ],
)
def test_the_end_of_a_task_is_logged_with_how_long_it_took(
    rig: Rig, caplog: pytest.LogCaptureFixture, outcome: Outcome, level: str, message: str
) -> None:
    caplog.set_level(logging.INFO, "tq.worker")
    rig.deliver("loop")
    rig.begin()
    rig.now += 0.25

    rig.desk.finished([outcome], 0.25)

    record = caplog.records[-1]
    assert (record.levelname, record.message) == (level, message)
    assert vars(record)["duration_ms"] == 250
    assert vars(record)["task_type"] == "loop"


def test_how_long_a_task_took_ends_with_its_handler_and_not_when_its_outcome_is_noticed(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tq.worker")
    rig.deliver("loop")
    run = rig.begin()
    run.ended_at = rig.now + 0.002
    rig.now += 5

    rig.end(run)

    assert vars(caplog.records[-1])["duration_ms"] == 2


def test_what_becomes_of_tasks_is_counted_by_what_it_was() -> None:
    rig = Rig(slots=10, meter=(meter := Meter()))
    rig.deliver(*["loop"] * 7)
    runs = [rig.begin() for _ in range(7)]
    runs[6].why = Why.LOST
    outcomes: list[Outcome] = [
        Success(_id(1), 1),
        Failure(_id(2), 2, "ValueError", "no"),
        Failure(_id(3), 3, "TimeoutError", "late", is_timeout=True),
        HandedBack(_id(4), 4),
        HandedBack(_id(5), 5, 500),
        Stopped(_id(6), 6),
        Success(_id(7), 7),
    ]
    rig.now += 1

    rig.desk.finished(outcomes, 1)

    (counts,) = meter.take_changed().values()
    words = ("completed", "failed", "timed_out", "handed_back", "snoozed", "cancelled", "lost")
    assert counts.outcomes == dict.fromkeys(words, 1)
    assert counts.run_us_sum == 7_000_000


def test_a_handler_that_is_given_up_is_counted_once() -> None:
    rig = Rig(meter=(meter := Meter()))
    rig.deliver("loop", timeout_ms=1_000)
    run = rig.begin()
    rig.now += 1.5
    rig.desk.tick()
    rig.now += STOP_SECONDS
    rig.desk.tick()
    rig.desk.finished([Success(run.task_id, run.token)], 7)

    (counts,) = meter.take_changed().values()
    assert counts.outcomes == {"timed_out": 1}


def test_stopping_all_hands_back_what_has_not_started_and_asks_the_rest(rig: Rig) -> None:
    running, waiting = rig.deliver("loop", "loop")
    run = rig.begin()

    rig.desk.stop_all()

    assert rig.executors["loop"].stopped == [(run, Why.SHUTDOWN)]
    assert [one.token for one in rig.outcomes()] == [waiting]
    rig.desk.give_up_all()
    assert rig.outcomes() == [HandedBack(_id(running), running)]
    assert rig.desk.in_hand == 0


def test_the_stack_of_a_handler_is_asked_of_its_executor_once_it_has_started(rig: Rig) -> None:
    (token,) = rig.deliver("loop")
    asked: list[tuple[int, str]] = []

    def answer(run: Run, stack: Stack) -> None:
        asked.append((run.token, stack.text))

    waits = rig.desk.take_stack(token, answer)
    rig.begin()
    started = rig.desk.take_stack(token, answer)
    gone = rig.desk.take_stack(99, answer)

    assert "free slot" in waits
    assert (started, gone) == ("", "it has just ended")
    assert asked == [(token, "the frames")]
