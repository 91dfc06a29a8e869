"""docs/lifecycle.md is what the engine does: each arrow of its table is made to happen, with the rows it writes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.rig import HOUR, MINUTE, SECOND, Hand, Rig, id_of, task
from tests.simulation.test_walks import walk
from tq.engine.tables import DueKind, Table
from tq.model.commands import (
    Cancel,
    CancelledByWorker,
    Fetch,
    GetTask,
    Heartbeat,
    Hello,
    LeaseRef,
    Release,
    Request,
    Resubmit,
    Submit,
    UndoOperation,
    WorkerDied,
)
from tq.model.errors import TaskNotFound
from tq.model.operations import Action
from tq.model.replies import Delivery, TaskReply
from tq.model.task import State, TaskOptions

DOC = Path(__file__).parents[2] / "docs" / "lifecycle.md"
Arrow = tuple[str, str, str]


def documented() -> dict[Arrow, str]:
    """The writes of each arrow, as the page says."""
    section = DOC.read_text().split("## Arrows")[1].split("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return {(before, after, event): writes for before, after, event, _, writes in cells[2:]}


class Stage:
    """A rig with one task, number 1, and what happens to it."""

    def __init__(self, options: TaskOptions | None = None, *, max_retries: int = 3) -> None:
        self.rig = Rig()
        self.spec = task(1, timeout_ms=SECOND, max_retries=max_retries, options=options)
        self.worker: Hand | None = None
        self.delivery: Delivery | None = None

    def ready(self) -> "Stage":
        self.rig.submit(self.spec)
        return self

    def running(self, *, is_asked_to_stop: bool = False) -> "Stage":
        self.ready()
        self.worker = self.rig.worker()
        self.delivery = self.worker.fetch_one()
        if is_asked_to_stop:
            self.rig.step(Cancel(1, [id_of(1)]))
            self.rig.turn()
        return self

    def crashed(self) -> "Stage":
        self.running().ask(WorkerDied(1, self.hand.hello.incarnation, -9, "SIGKILL"))()
        return self

    def failed(self) -> "Stage":
        self.running().hand.nack(self.lease, retry_in_ms=HOUR)
        self.hand.disconnect()
        return self

    def dead(self) -> "Stage":
        self.running().hand.nack(self.lease, is_final=True)
        self.hand.disconnect()
        return self

    @property
    def hand(self) -> Hand:
        assert self.worker is not None
        return self.worker

    @property
    def lease(self) -> Delivery:
        assert self.delivery is not None
        return self.delivery

    def state(self, number: int = 1) -> str:
        try:
            reply = self.rig.step(GetTask(1, id_of(number)))
        except TaskNotFound:
            return "-"
        assert isinstance(reply, TaskReply)
        view = reply.task
        if view.state is State.PENDING:
            return "scheduled" if view.scheduled_at_ms else "ready"
        return str(view.state)

    def ask(self, request: Request) -> Callable[[], None]:
        def happen() -> None:
            self.rig.step(request)
            self.rig.turn()

        return happen

    def let(self, length_ms: int) -> Callable[[], None]:
        return lambda: self.rig.pass_time(length_ms)

    def by_worker(self, request: Request) -> Callable[[], None]:
        def happen() -> None:
            self.hand.step(request)
            self.rig.turn()

        return happen


Scenario = Callable[[], tuple[Stage, Callable[[], None]]]
LATER = TaskOptions(delay_ms=HOUR)
ONE_CRASH = TaskOptions(max_crashes=1)
EXPIRING = TaskOptions(expires_ms=MINUTE)


def _submit(options: TaskOptions | None) -> tuple[Stage, Callable[[], None]]:
    stage = Stage(options)
    return stage, stage.ask(Submit(1, [stage.spec]))


def _resubmit(delay_ms: int = 0) -> tuple[Stage, Callable[[], None]]:
    stage = Stage().dead()
    return stage, stage.ask(Resubmit(1, id_of(1), id_of(2), delay_ms=delay_ms))


def _dispatch() -> tuple[Stage, Callable[[], None]]:
    stage = Stage().ready()
    stage.worker = stage.rig.worker()
    return stage, stage.by_worker(Fetch(0, 1))


def _ack() -> tuple[Stage, Callable[[], None]]:
    stage = Stage().running()
    return stage, lambda: _lost_nothing(stage.hand.ack(stage.lease))


def _nack(stage: Stage) -> tuple[Stage, Callable[[], None]]:
    return stage, lambda: _lost_nothing(stage.hand.nack(stage.lease, retry_in_ms=HOUR))


def _lost_nothing(lost: list[bytes]) -> None:
    assert lost == []


def _overrun(stage: Stage) -> tuple[Stage, Callable[[], None]]:
    stage.rig.pass_time(40 * SECOND)
    return stage, stage.by_worker(Heartbeat(0))


def _release(stage: Stage, delay_ms: int = 0) -> tuple[Stage, Callable[[], None]]:
    return stage, stage.by_worker(Release(1, [LeaseRef(id_of(1), stage.lease.token)], delay_ms))


def _stopped(stage: Stage) -> tuple[Stage, Callable[[], None]]:
    return stage, stage.by_worker(CancelledByWorker(1, [LeaseRef(id_of(1), stage.lease.token)]))


def _returned_without_it(stage: Stage) -> tuple[Stage, Callable[[], None]]:
    return stage, stage.by_worker(Hello(1, 1, worker=stage.hand.hello))


def _died(stage: Stage) -> tuple[Stage, Callable[[], None]]:
    return stage, stage.ask(WorkerDied(1, stage.hand.hello.incarnation, -9, "SIGKILL"))


def _lost(stage: Stage) -> tuple[Stage, Callable[[], None]]:
    stage.hand.disconnect()
    return stage, stage.let(5 * SECOND)


def _cancel(stage: Stage) -> tuple[Stage, Callable[[], None]]:
    return stage, stage.ask(Cancel(1, [id_of(1)]))


def _operate(stage: Stage, action: Action, *, is_hard: bool = False) -> tuple[Stage, Callable[[], None]]:
    def happen() -> None:
        assert stage.rig.operate(action, is_hard=is_hard).done == 1

    stage.rig.pass_time(1)
    return stage, happen


def _undo(stage: Stage, action: Action) -> tuple[Stage, Callable[[], None]]:
    operation = stage.rig.operate(action)
    stage.rig.pass_time(1)
    return stage, stage.ask(UndoOperation(1, operation.id.hex()))


def _remove(stage: Stage) -> tuple[Stage, Callable[[], None]]:
    return _operate(stage, Action.PURGE, is_hard=True)


def _wait(stage: Stage, length_ms: int) -> tuple[Stage, Callable[[], None]]:
    return stage, stage.let(length_ms)


def _completed() -> Stage:
    stage = Stage().running()
    stage.hand.ack(stage.lease)
    stage.hand.disconnect()
    return stage


def _cancelled() -> Stage:
    stage = Stage().ready()
    stage.ask(Cancel(1, [id_of(1)]))()
    return stage


SCENARIOS: dict[Arrow, Scenario] = {
    ("-", "ready", "Submit"): lambda: _submit(None),
    ("-", "scheduled", "Submit"): lambda: _submit(LATER),
    ("-", "ready", "Resubmit"): _resubmit,
    ("-", "scheduled", "Resubmit"): lambda: _resubmit(HOUR),
    ("scheduled", "ready", "time"): lambda: _wait(Stage(LATER).ready(), HOUR),
    ("failed", "ready", "time"): lambda: _wait(Stage().failed(), HOUR),
    ("ready", "in_progress", "dispatch"): _dispatch,
    ("in_progress", "completed", "Ack"): _ack,
    ("in_progress", "failed", "Nack"): lambda: _nack(Stage().running()),
    ("in_progress", "dead_letter", "Nack"): lambda: _nack(Stage(max_retries=0).running()),
    ("in_progress", "cancelled", "Nack"): lambda: _nack(Stage().running(is_asked_to_stop=True)),
    ("in_progress", "failed", "Heartbeat"): lambda: _overrun(Stage().running()),
    ("in_progress", "dead_letter", "Heartbeat"): lambda: _overrun(Stage(max_retries=0).running()),
    ("in_progress", "cancelled", "Heartbeat"): lambda: _overrun(Stage().running(is_asked_to_stop=True)),
    ("in_progress", "ready", "Release"): lambda: _release(Stage().running()),
    ("in_progress", "scheduled", "Release"): lambda: _release(Stage().running(), HOUR),
    ("in_progress", "cancelled", "Release"): lambda: _release(Stage().running(is_asked_to_stop=True)),
    ("in_progress", "cancelled", "CancelledByWorker"): lambda: _stopped(Stage().running(is_asked_to_stop=True)),
    ("in_progress", "ready", "Hello"): lambda: _returned_without_it(Stage().running()),
    ("in_progress", "cancelled", "Hello"): lambda: _returned_without_it(Stage().running(is_asked_to_stop=True)),
    ("in_progress", "ready", "WorkerDied"): lambda: _died(Stage().running()),
    ("in_progress", "scheduled", "WorkerDied"): lambda: _died(Stage().crashed().running()),
    ("in_progress", "dead_letter", "WorkerDied"): lambda: _died(Stage(ONE_CRASH).running()),
    ("in_progress", "cancelled", "WorkerDied"): lambda: _died(Stage().running(is_asked_to_stop=True)),
    ("in_progress", "ready", "lost worker"): lambda: _lost(Stage().running()),
    ("in_progress", "scheduled", "lost worker"): lambda: _lost(Stage().crashed().running()),
    ("in_progress", "dead_letter", "lost worker"): lambda: _lost(Stage(ONE_CRASH).running()),
    ("in_progress", "cancelled", "lost worker"): lambda: _lost(Stage().running(is_asked_to_stop=True)),
    ("ready", "cancelled", "Cancel"): lambda: _cancel(Stage().ready()),
    ("scheduled", "cancelled", "Cancel"): lambda: _cancel(Stage(LATER).ready()),
    ("failed", "cancelled", "Cancel"): lambda: _cancel(Stage().failed()),
    ("ready", "cancelled", "purge"): lambda: _operate(Stage().ready(), Action.PURGE),
    ("ready", "cancelled", "cancel"): lambda: _operate(Stage().ready(), Action.CANCEL),
    ("ready", "-", "purge, hard"): lambda: _remove(Stage().ready()),
    ("cancelled", "ready", "undo"): lambda: _undo(Stage().ready(), Action.PURGE),
    ("scheduled", "cancelled", "purge"): lambda: _operate(Stage(LATER).ready(), Action.PURGE),
    ("scheduled", "cancelled", "cancel"): lambda: _operate(Stage(LATER).ready(), Action.CANCEL),
    ("scheduled", "-", "purge, hard"): lambda: _remove(Stage(LATER).ready()),
    ("cancelled", "scheduled", "undo"): lambda: _undo(Stage(LATER).ready(), Action.PURGE),
    ("failed", "cancelled", "purge"): lambda: _operate(Stage().failed(), Action.PURGE),
    ("failed", "cancelled", "cancel"): lambda: _operate(Stage().failed(), Action.CANCEL),
    ("failed", "-", "purge, hard"): lambda: _remove(Stage().failed()),
    ("cancelled", "failed", "undo"): lambda: _undo(Stage().failed(), Action.PURGE),
    ("ready", "cancelled", "time"): lambda: _wait(Stage(EXPIRING).ready(), MINUTE),
    ("scheduled", "cancelled", "time"): lambda: _wait(
        Stage(TaskOptions(delay_ms=HOUR, expires_ms=MINUTE)).ready(), MINUTE
    ),
    ("failed", "cancelled", "time"): lambda: _wait(Stage(EXPIRING).failed(), MINUTE),
    ("dead_letter", "ready", "retry"): lambda: _operate(Stage().dead(), Action.RETRY),
    ("ready", "dead_letter", "undo"): lambda: _undo(Stage().dead(), Action.RETRY),
    ("dead_letter", "cancelled", "purge"): lambda: _operate(Stage().dead(), Action.PURGE),
    ("cancelled", "dead_letter", "undo"): lambda: _undo(Stage().dead(), Action.PURGE),
    ("dead_letter", "-", "purge, hard"): lambda: _remove(Stage().dead()),
    ("completed", "-", "purge, hard"): lambda: _remove(_completed()),
    ("cancelled", "-", "purge, hard"): lambda: _remove(_cancelled()),
    ("completed", "-", "time"): lambda: _wait(_completed(), HOUR),
    ("dead_letter", "-", "time"): lambda: _wait(Stage().dead(), 720 * HOUR),
    ("cancelled", "-", "time"): lambda: _wait(_cancelled(), 24 * HOUR),
}


def writes_of(rig: Rig, number: int) -> str:
    """What the last batch put and deleted of a task; of READY, whose deletions name no task, all."""
    found = set()
    for table, rows in zip(Table, rig.writes, strict=True):
        if table in (Table.QUEUES, Table.LANES, Table.GROUPS, Table.META):
            continue
        for key, value in rows.items():
            if table is Table.READY or key.endswith(id_of(number)):
                name = f"DUE.{DueKind(key[0]).name}" if table is Table.DUE else table.name
                found.add(("-" if value is None else "+") + name)
    return " ".join(sorted(found, key=lambda change: (change[1:], change[0])))


def test_each_documented_arrow_has_its_scenario() -> None:
    assert documented().keys() == SCENARIOS.keys()


@pytest.mark.parametrize("arrow", SCENARIOS, ids=lambda arrow: " ".join(arrow))
def test_an_arrow_goes_where_the_page_says_and_writes_what_it_says(arrow: Arrow) -> None:
    before, after, event = arrow
    stage, happen = SCENARIOS[arrow]()
    number = 2 if event == "Resubmit" else 1
    assert stage.state(number) == before

    happen()

    assert stage.state(number) == after
    assert writes_of(stage.rig, number) == documented()[arrow]


def test_no_random_life_takes_an_arrow_that_is_not_on_the_page() -> None:
    seen = set().union(*(walk(seed).moves for seed in range(500, 530)))

    assert seen <= documented().keys()
    assert len(seen) > 15


@pytest.mark.campaign
@pytest.mark.timeout(0)
def test_random_lives_take_every_arrow_of_the_page() -> None:
    missing = set(documented())
    for seed in range(20_000, 26_000):
        missing -= walk(seed).moves
        if not missing:
            return
    raise AssertionError(f"never seen: {sorted(missing)}")
