"""A closer look at a worker: what it says of itself, and what it has in hand."""

import pytest

from tests.engine.rig import NOW_MS, SECOND, Rig, id_of, task
from tq.engine import inspecting
from tq.model.commands import Cancel, GetWorker, Heartbeat, ProgressNote, ReportProgress
from tq.model.errors import WorkerNotFound
from tq.model.insight import WorkerView
from tq.model.replies import Affected, WorkerReply


def look(rig: Rig, worker: str = "w") -> list[WorkerView]:
    reply = rig.step(GetWorker(1, worker))
    assert isinstance(reply, WorkerReply)
    return reply.workers


def test_a_worker_is_shown_with_what_it_last_said_of_itself() -> None:
    rig = Rig()
    worker = rig.worker()
    worker.step(Heartbeat(0, running=1, rss_bytes=7, note="trouble", cpu_percent=150, loop_blocked_ms=20, stuck=2))

    (view,) = look(rig)
    info = view.info
    assert (info.name, info.running, info.rss_bytes, info.note) == ("w", 1, 7, "trouble")
    assert (info.cpu_percent, info.loop_blocked_ms, info.stuck) == (150, 20, 2)
    assert info.reported_at_ms == NOW_MS
    assert view.tasks == ()


def test_its_tasks_are_shown_in_the_order_in_which_it_got_them() -> None:
    rig = Rig()
    worker = rig.worker(queues={"a": 1, "default": 0})
    rig.submit(task(1, timeout_ms=10 * SECOND), task(2, timeout_ms=0, queue="a"))
    second, first = worker.fetch(2)
    worker.step(ReportProgress(0, [ProgressNote(id_of(1), first.token, 0.5, "half")]))
    rig.ask(Cancel(1, [id_of(2)]), Affected)
    assert second.stored().spec.id == id_of(2)

    (view,) = look(rig)
    one, two = view.tasks
    assert [(held.id, held.queue, held.attempt) for held in view.tasks] == [
        (id_of(2), "a", 1),
        (id_of(1), "default", 1),
    ]
    assert (one.deadline_ms, one.cancel_requested, one.progress) == (0, True, None)
    assert (two.leased_at_ms, two.deadline_ms, two.cancel_requested) == (NOW_MS, NOW_MS + 10 * SECOND, False)
    assert two.progress is not None
    assert (two.progress.fraction, two.progress.note) == (0.5, "half")


def test_it_is_found_by_name_or_by_the_beginning_of_its_incarnation() -> None:
    rig = Rig()
    hello = rig.worker("alpha").hello

    assert len(look(rig, "alpha")) == len(look(rig, hello.incarnation.hex()[:8].upper())) == 1
    for wrong in ("beta", hello.incarnation.hex()[:3], ""):
        with pytest.raises(WorkerNotFound):
            look(rig, wrong)


def test_an_answer_is_bounded_and_says_how_many_tasks_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspecting, "TASKS_MAX", 3)
    rig = Rig()
    rig.submit(*(task(number) for number in range(1, 6)))
    rig.worker().fetch(5)

    (view,) = look(rig)
    assert [held.id for held in view.tasks] == [id_of(1), id_of(2), id_of(3)]
    assert view.info.leases == 5
