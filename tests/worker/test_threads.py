"""The slots of plain handlers: threads that are started when they are needed."""

import queue
import threading
import time
from collections.abc import Iterator

import pytest

from tq.model.commands import Success
from tq.model.task import StoredTask, TaskSpec
from tq.worker.outbox import Outcome
from tq.worker.running_table import RunningTable
from tq.worker.runs import Run
from tq.worker.stacks import Answer, Stack
from tq.worker.threads import Slot, Threads


class GateSlot(Slot):
    """Its handlers end when the test opens their gate."""

    def __init__(self, rig: "Rig") -> None:
        super().__init__()
        self._rig = rig

    def execute(self, run: Run) -> Outcome:
        self._rig.started.put(run)
        assert self._rig.gates[run.token].wait(10)
        return Success(run.task_id, run.token)

    def stop(self, run: Run) -> None:
        self._rig.stopped.append(run)

    def abandon(self) -> bool:
        return True

    def place_of_handler(self) -> str:
        return "here"

    def take_stack(self, run: Run, answer: Answer) -> None:
        answer(Stack("thread", 7, "here", "the frames"))

    def close(self) -> None:
        """Nothing to do."""


class Rig:
    """Two slots."""

    def __init__(self) -> None:
        self.gates: dict[int, threading.Event] = {}
        self.started: queue.SimpleQueue[Run] = queue.SimpleQueue()
        self.ended: queue.SimpleQueue[list[Outcome]] = queue.SimpleQueue()
        self.stopped: list[Run] = []
        self.slots: list[GateSlot] = []
        self.table = RunningTable.create(2)
        self.threads = Threads(
            "test", 2, self._make_slot, lambda outcomes, seconds: self.ended.put(outcomes), self.table, 0
        )

    def _make_slot(self) -> GateSlot:
        self.slots.append(GateSlot(self))
        return self.slots[-1]

    def start(self, *tokens: int) -> list[Run]:
        runs = []
        for token in tokens:
            self.gates[token] = threading.Event()
            spec = TaskSpec(token.to_bytes(16, "big"), "x", b"")
            runs.append(Run(spec.id, token, 1, StoredTask(0, 1, 0, 0, spec), "thread", time.monotonic()))
        self.threads.start(runs)
        return runs

    def end(self, token: int) -> None:
        self.gates[token].set()
        (outcome,) = self.ended.get(timeout=10)
        assert outcome.token == token


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.threads.close()
    for gate in rig.gates.values():
        gate.set()


def test_there_are_as_many_threads_as_are_needed_at_once(rig: Rig) -> None:
    for token in range(5):
        rig.start(token)
        rig.started.get(timeout=10)
        rig.end(token)
    assert len(rig.slots) == 1

    rig.start(5, 6)

    assert {rig.started.get(timeout=10).token for _ in range(2)} == {5, 6}
    assert len(rig.slots) == 2


def test_no_more_run_than_there_are_slots_and_the_rest_in_order(rig: Rig) -> None:
    runs = rig.start(1, 2, 3, 4)
    for _ in range(2):
        rig.started.get(timeout=10)
    assert rig.threads.unstarted() == 2
    assert rig.threads.oldest_unstarted() is runs[2]
    assert sorted(rig.table.running()) == [runs[0].task_id, runs[1].task_id]

    rig.end(1)

    assert rig.started.get(timeout=10) is runs[2]


def test_what_was_taken_back_does_not_run(rig: Rig) -> None:
    runs = rig.start(1, 2, 3)
    for _ in range(2):
        rig.started.get(timeout=10)

    assert rig.threads.take_back() == [runs[2]]

    rig.end(1)
    rig.end(2)
    rig.start(4)
    assert rig.started.get(timeout=10).token == 4
    assert rig.threads.oldest_unstarted() is None


def test_an_abandoned_handler_gives_its_slot_to_the_next_and_reports_nothing(rig: Rig) -> None:
    first, second = rig.start(1, 2)
    for _ in range(2):
        rig.started.get(timeout=10)

    assert rig.threads.abandon(first)

    assert list(rig.threads.started()) == [second]
    rig.start(3)
    assert rig.started.get(timeout=10).token == 3
    rig.gates[1].set()
    rig.end(3)
    rig.end(2)
    assert rig.ended.empty()


def test_only_what_runs_can_be_stopped_or_abandoned(rig: Rig) -> None:
    (run,) = rig.start(1)
    rig.started.get(timeout=10)
    rig.end(1)
    while list(rig.threads.started()):
        time.sleep(0)

    rig.threads.stop(run)

    assert not rig.threads.abandon(run)
    assert rig.threads.place_of(run) == ""
    assert rig.stopped == []


def test_a_running_handler_is_stopped_in_its_slot(rig: Rig) -> None:
    (run,) = rig.start(1)
    rig.started.get(timeout=10)

    rig.threads.stop(run)

    assert rig.stopped == [run]
    assert rig.threads.place_of(run) == "here"
