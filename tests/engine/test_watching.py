"""Watching: whole first, then what is new; the latest wins; the same bytes for all; bounded for slow readers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.rig import CLIENT, MINUTE, SECOND, Rig, id_of, task
from tests.engine.seen import Viewer
from tq.engine import watching
from tq.engine.board import Board
from tq.model.commands import (
    Cancel,
    CommitOperation,
    GetAttention,
    GetStats,
    Heartbeat,
    ListQueues,
    PauseQueue,
    PrepareOperation,
    ResumeQueue,
    Unwatch,
    Watch,
)
from tq.model.errors import InvalidArgument, TooManyRequests, TqError
from tq.model.history import Rates
from tq.model.ids import format_id
from tq.model.operations import Action, OperationState
from tq.model.replies import Affected, OperationReply, Prepared, QueuePage, StatsReply, WatchFrame
from tq.model.task import State
from tq.model.watching import QUEUE_ROWS_MAX, WORKER_ROWS_MAX, QueueLive, parse_scope


def filled(count: int = 3) -> Rig:
    rig = Rig()
    rig.submit(*(task(number, queue=f"q{number}") for number in range(1, count + 1)))
    return rig


def parts(frame: WatchFrame) -> dict[str, bool]:
    return {part.scope: part.is_whole for part in frame.decoded()}


# -- snapshot and deltas -----------------------------------------------------------------------------------------------


def test_the_first_frame_comes_at_once_and_is_whole() -> None:
    viewer = Viewer(filled(), "totals", "queues")

    (frame,) = viewer.read()

    assert parts(frame) == {"totals": True, "queues": True}
    assert sorted(viewer.rows("queues")) == ["q1", "q2", "q3"]
    assert viewer.rows("totals")["totals"].ready == 3


def test_later_frames_bring_only_what_changed() -> None:
    rig = filled()
    viewer = Viewer(rig, "queues")
    viewer.next()
    for _ in range(15):
        viewer.next()

    rig.submit(task(9, queue="q2"))
    part = viewer.next()["queues"]

    assert not part.is_whole
    assert [row.name for row in part.decoded()] == ["q2"]
    assert viewer.rows("queues")["q2"].ready == 2


def test_of_what_needs_attention_only_the_sentences_that_changed_are_sent_and_the_order_stands() -> None:
    rig = filled()
    viewer = Viewer(rig, "attention")
    for _ in range(8):
        viewer.next()
    before = [*viewer.rows("attention")]
    rig.submit(task(4, queue="q2"))

    part = viewer.next()["attention"]

    assert (part.is_whole, [finding.name for finding in part.decoded()]) == (False, ["q2"])
    assert len(before) == 3
    assert [*viewer.rows("attention")] == [*fresh(rig, "attention")] == before


def test_a_frame_without_news_says_that_the_stream_lives() -> None:
    rig = Rig()
    viewer = Viewer(rig, "queues")
    viewer.read()

    rig.pass_time(500)

    (frame,) = viewer.read()
    assert frame.parts == []
    assert frame.now_ms == rig.now_ms


def test_frames_come_at_the_pace_asked_for() -> None:
    rig = Rig()
    viewers = {hz: Viewer(rig, "totals", hz=hz) for hz in (0.5, 2.0, 10.0)}
    for _ in range(101):
        for viewer in viewers.values():
            viewer.read()
        rig.pass_time(100)

    assert {hz: len(viewer.frames) for hz, viewer in viewers.items()} == {0.5: 6, 2.0: 21, 10.0: 101}


def test_a_paused_watch_gets_nothing() -> None:
    rig = filled()
    viewer = Viewer(rig, "totals", hz=0)
    rig.pass_time(MINUTE)

    assert viewer.read() == []


def test_unwatching_ends_the_frames() -> None:
    rig = filled()
    viewer = Viewer(rig, "totals")
    viewer.read()

    assert rig.ask(Unwatch(1), Affected, viewer.session).count == 1
    rig.pass_time(MINUTE)

    assert viewer.read() == []
    assert rig.ask(Unwatch(1), Affected, viewer.session).count == 0


def test_another_watch_replaces_the_one_before() -> None:
    rig = filled()
    viewer = Viewer(rig, "queues")
    viewer.read()
    viewer.scopes = ["totals"]
    viewer.watch()

    assert [parts(frame) for frame in viewer.read()] == [{"totals": True}]


def test_nobody_watching_costs_nothing() -> None:
    rig = filled()
    viewer = Viewer(rig, "queues")
    viewer.read()
    rig.disconnect(viewer.session)
    rig.pass_time(2 * MINUTE)

    assert rig.engine.next_deadline_ms() is None
    assert rig.engine._watching._board is None


# -- credit ------------------------------------------------------------------------------------------------------------


def test_who_gives_no_credit_gets_one_frame_and_then_the_latest() -> None:
    rig = filled()
    viewer = Viewer(rig, "queues")
    for number in range(10, 30):
        rig.submit(task(number, queue="q1"))
        rig.pass_time(SECOND)
    assert len(viewer.read()) == 1

    assert len(viewer.read()) == 1, "due for long, it comes as soon as there is credit"
    assert viewer.rows("queues")["q1"].ready == 21


def test_what_is_kept_for_a_slow_reader_does_not_grow() -> None:
    rig = filled(20)
    viewer = Viewer(rig, "queues")
    other = Viewer(rig, "queues")
    for number in range(100, 300):
        rig.submit(task(number, queue=f"q{number % 20 + 1}"))
        rig.pass_time(SECOND)
        other.read()
    (watched,) = rig.engine._watching._watched.values()

    assert len(watched.source.image) == 20
    assert len(watched.source.image._parts) <= 2
    viewer.next()
    assert viewer.rows("queues") == fresh(rig, "queues")


def test_credit_has_a_bound() -> None:
    rig = filled()
    viewer = Viewer(rig, "totals", hz=10)
    for _ in range(20):
        viewer.read(credit=4)
    viewer.read()
    rig.pass_time(MINUTE)

    assert len(viewer.read()) == watching.CREDIT_MAX


def test_credit_of_one_who_watches_nothing_is_ignored() -> None:
    rig = Rig()
    viewer = Viewer(rig, "totals")
    rig.ask(Unwatch(1), Affected, viewer.session)

    viewer.read()


# -- shared ------------------------------------------------------------------------------------------------------------


def test_all_who_watch_the_same_are_sent_the_same_bytes_encoded_once() -> None:
    rig = filled()
    viewers = [Viewer(rig, "queues") for _ in range(50)]
    for _ in range(2):  # who has just come, and who was there, are at the same beat from the second on
        for viewer in viewers:
            viewer.read()
        rig.pass_time(500)
    for viewer in viewers:
        viewer.read()
    rig.submit(task(9, queue="q2"))
    rig.pass_time(500)

    frames = [frame for viewer in viewers for frame in viewer.read(credit=0)]

    assert len(frames) == 50
    assert len({id(frame) for frame in frames}) == 1
    assert not frames[0].decoded()[0].is_whole


# -- resuming ----------------------------------------------------------------------------------------------------------


def test_who_comes_back_goes_on_where_it_was() -> None:
    rig = filled()
    viewer = Viewer(rig, "queues")
    viewer.next()
    rig.disconnect(viewer.session)
    rig.submit(task(9, queue="q2"))
    rig.pass_time(20 * SECOND)

    back = Viewer(rig, "queues", boot_id=viewer.boot_id, seq=viewer.seq)
    back.images = viewer.images
    (frame,) = back.read()

    assert parts(frame) == {"queues": False}
    assert back.rows("queues") == fresh(rig, "queues")


def test_who_comes_back_after_long_gets_everything() -> None:
    rig = filled()
    viewer = Viewer(rig, "queues")
    viewer.read()
    rig.disconnect(viewer.session)
    rig.pass_time(2 * MINUTE)

    back = Viewer(rig, "queues", boot_id=viewer.boot_id, seq=viewer.seq)

    assert parts(back.read()[0]) == {"queues": True}


def test_a_sequence_of_another_life_of_the_broker_is_not_taken_for_one_of_this() -> None:
    rig = filled()
    viewer = Viewer(rig, "queues")
    for _ in range(5):
        viewer.next()
    rig.seed += 1
    rig.restart()

    back = Viewer(rig, "queues", boot_id=viewer.boot_id, seq=viewer.seq)
    (frame,) = back.read()

    assert frame.boot_id != viewer.boot_id
    assert parts(frame) == {"queues": True}


# -- scopes ------------------------------------------------------------------------------------------------------------


def fresh(rig: Rig, scope: str) -> dict[str, Any]:
    """What somebody who begins to watch now is shown."""
    viewer = Viewer(rig, scope)
    viewer.read(credit=0)
    rig.disconnect(viewer.session)
    return viewer.rows(scope)


@pytest.mark.parametrize(
    "scope",
    [
        "",
        "queue",
        "queue:",
        "nothing",
        "task:xyz",
        "totals:x",
        "ops:x",
        "workers:age",
        "workers:age:ip",
        "workers::ip",
        "workers:name:" + "a " * 11,
        "workers:name:" + "a" * 201,
        "groups:tag:x",
        "groups:err:",
        "queues:a b",
        "queue:\x1b[2J",
    ],
)
def test_what_is_no_scope_is_refused_and_changes_nothing(scope: str) -> None:
    rig = filled()
    viewer = Viewer(rig, "totals")
    viewer.read()

    with pytest.raises(InvalidArgument):
        rig.step(Watch(1, ["queues", scope]), viewer.session)

    rig.pass_time(SECOND)
    assert len(viewer.read()) == 1


def test_queues_by_name_are_those_that_match() -> None:
    rig = Rig()
    rig.submit(task(1, queue="mail.out"), task(2, queue="mail.in"), task(3, queue="orders"))
    viewer = Viewer(rig, "queues:mail.*", "queues:orders,nothing")
    viewer.read()
    rig.submit(task(4, queue="mail.new"), task(5, queue="other"))
    viewer.next()

    assert sorted(viewer.rows("queues:mail.*")) == ["mail.in", "mail.new", "mail.out"]
    assert sorted(viewer.rows("queues:orders,nothing")) == ["orders"]


def test_a_queue_that_comes_into_being_appears() -> None:
    rig = Rig()
    viewer = Viewer(rig, "queue:late", "queues")
    viewer.read()
    assert viewer.rows("queue:late") == {}

    rig.submit(task(1, queue="late"))
    viewer.next()

    assert viewer.rows("queue:late")["late"].ready == 1
    assert viewer.rows("queues")["late"].ready == 1


def test_of_very_many_queues_the_first_are_shown_and_the_others_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tq.engine.sources.QUEUE_ROWS_MAX", 2)
    rig = filled(5)
    viewer = Viewer(rig, "queues")

    (part,) = viewer.read()[0].decoded()

    assert len(part.rows) == 2
    assert part.left_out == 3
    assert QUEUE_ROWS_MAX == 2_000


def test_a_task_is_watched_without_its_payload_until_it_is_gone() -> None:
    rig = Rig()
    rig.submit(task(1, payload=b"secret"))
    scope = f"task:{format_id(id_of(1))}"
    viewer = Viewer(rig, scope)
    viewer.read()
    assert viewer.rows(scope)[format_id(id_of(1))].state is State.PENDING
    assert viewer.rows(scope)[format_id(id_of(1))].payload == b""

    rig.step(Cancel(1, [id_of(1)]))
    viewer.next()
    assert viewer.rows(scope)[format_id(id_of(1))].state is State.CANCELLED

    rig.pass_time(25 * 60 * MINUTE)
    viewer.next()
    assert viewer.rows(scope) == {}


def test_workers_come_and_go() -> None:
    rig = Rig()
    viewer = Viewer(rig, "workers:busy", "totals")
    hand = rig.worker("one", credit=2)
    rig.worker("two")
    rig.submit(task(1))
    viewer.next()
    rows = viewer.rows("workers:busy")
    assert [(row.name, row.leases) for row in rows.values()] == [("one", 1), ("two", 0)]
    assert viewer.rows("totals")["totals"].workers == 2

    hand.ack(*hand.deliveries())
    hand.disconnect()
    viewer.next()
    assert [row.name for row in viewer.rows("workers:busy").values()] == ["two"]


def test_workers_that_somebody_should_look_at_come_before_those_that_are_well() -> None:
    rig = Rig()
    rig.submit(task(1))
    rig.worker("d-lost", credit=1).disconnect()  # its lease is kept for it a while
    for name in ("a-fine", "b-draining", "c-noted"):
        hand = rig.worker(name)
        if name == "b-draining":
            hand.step(Heartbeat(0, is_draining=True))
        elif name == "c-noted":
            hand.step(Heartbeat(0, note="loop blocked 3.1 s"))
    viewer = Viewer(rig, "workers:attention")
    viewer.read()

    names = [row.name for row in viewer.rows("workers:attention").values()]
    assert names == ["d-lost", "c-noted", "b-draining", "a-fine"]


def test_workers_of_a_name_or_host_are_found_among_all_of_them() -> None:
    rig = Rig()
    for number in range(WORKER_ROWS_MAX + 5):
        rig.worker(f"crowd-{number:03}")
    rig.worker("z-last")
    viewer = Viewer(rig, "workers:name", "workers:name:z-l", "workers:name:*-00? -crowd-003", "workers:name:crowd")
    viewer.read()

    assert "z-last" not in [row.name for row in viewer.rows("workers:name").values()]
    assert [row.name for row in viewer.rows("workers:name:z-l").values()] == ["z-last"]
    some = [row.name for row in viewer.rows("workers:name:*-00? -crowd-003").values()]
    assert some == [f"crowd-00{number}" for number in range(10) if number != 3]
    assert len(viewer.rows("workers:name:crowd")) == WORKER_ROWS_MAX


def test_a_scope_of_workers_has_one_text_however_it_is_typed() -> None:
    assert parse_scope("workers:name:  ip*   -old ").text == "workers:name:ip* -old"
    assert parse_scope("workers:name:").text == "workers:name"


def test_what_was_done_and_who_came_are_events_and_outlive_a_restart() -> None:
    rig = filled()
    viewer = Viewer(rig, "events")
    viewer.read()
    rig.ask(PauseQueue(1, "q1", "because"), Affected)
    rig.worker("w")
    viewer.next()

    events = list(viewer.rows("events").values())
    assert [(event.action, event.target) for event in events] == [("pause", "q1"), ("worker_connected", "w")]
    assert events[0].reason == "because"

    rig.restart()
    assert [event.action for event in fresh(rig, "events").values()] == ["pause"]


def test_failure_groups_come_grow_and_go() -> None:
    rig = Rig()
    hand = rig.worker()
    viewer = Viewer(rig, "groups", "groups:queue:other", "groups:err:ValueError")
    rig.submit(task(1, max_retries=0), task(2, max_retries=0), task(3, max_retries=0))
    hand.nack(*hand.fetch(2), error_type="ValueError")
    hand.nack(*hand.fetch(1), error_type="KeyError")
    viewer.next()
    assert [(row.error_type, row.count) for row in viewer.rows("groups").values()] == [
        ("ValueError", 2),
        ("KeyError", 1),
    ]
    assert [row.error_type for row in viewer.rows("groups:err:ValueError").values()] == ["ValueError"]
    assert viewer.rows("groups:queue:other") == {}

    rig.pass_time(31 * 24 * 60 * MINUTE)  # beyond their retention
    viewer.next()
    assert viewer.rows("groups") == {}


def test_operations_are_followed() -> None:
    rig = filled(3)
    viewer = Viewer(rig, "ops")
    viewer.next()
    assert viewer.rows("ops") == {}

    reply = rig.step(PrepareOperation(1, Action.CANCEL, "queue:q*"))
    rig.turn()
    prepared = reply if reply is not None else rig.take_sent(CLIENT)[-1]
    assert isinstance(prepared, Prepared)
    rig.ask(CommitOperation(1, prepared.token, "tidy", 1), OperationReply)
    viewer.next()
    (operation,) = viewer.rows("ops").values()
    assert (operation.action, operation.total, operation.reason) == (Action.CANCEL, 3, "tidy")

    for _ in range(5):
        viewer.next()
    (operation,) = viewer.rows("ops").values()
    assert (operation.state, operation.done) == (OperationState.DONE, 3)


def test_a_rate_falls_though_nothing_happens_any_more() -> None:
    rig = filled()
    viewer = Viewer(rig, "queues", "totals")
    rig.pass_time(SECOND)
    viewer.next()
    assert viewer.rows("queues")["q1"].submitted_10s == 1
    assert viewer.rows("totals")["totals"].submitted_10s == 3

    for _ in range(15):
        viewer.next()
    assert viewer.rows("queues")["q1"].submitted_10s == 0
    assert viewer.rows("totals")["totals"].submitted_10s == 0


def test_tasks_without_a_worker_have_one_when_it_connects() -> None:
    rig = filled(1)
    viewer = Viewer(rig, "queues")
    viewer.read()
    assert viewer.rows("queues")["q1"].no_handler == 1

    rig.worker()
    viewer.next()
    assert viewer.rows("queues")["q1"].no_handler == 0


# -- bounds ------------------------------------------------------------------------------------------------------------


def test_more_watchers_than_there_may_be_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "WATCHERS_MAX", 2)
    rig = Rig()
    first = Viewer(rig, "totals")
    Viewer(rig, "totals")

    with pytest.raises(TooManyRequests):
        Viewer(rig, "totals")
    rig.disconnect(first.session)
    Viewer(rig, "totals")


def test_of_different_scopes_the_forgotten_ones_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SOURCES_MAX", 3)
    rig = Rig()
    first = Viewer(rig, "queue:a", "queue:b")
    Viewer(rig, "queue:c")
    with pytest.raises(TooManyRequests):
        Viewer(rig, "queue:d")

    rig.disconnect(first.session)
    Viewer(rig, "queue:d")
    assert set(rig.engine._watching._watched) == {"queue:b", "queue:c", "queue:d"}


# -- always ------------------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(st.sampled_from(["submit", "run", "pause", "resume", "time", "read", "attention"]), st.integers(0, 6)),
    max_size=60,
)


@given(STEPS, st.integers(0, 3))
def test_who_has_followed_sees_what_somebody_new_sees(steps: list[tuple[str, int]], credit: int) -> None:
    """However it was told, in how many frames: rows, sums and what went are those of now."""
    rig = Rig()
    hand = rig.worker("w", credit=1)
    viewer = Viewer(rig, "queues", "totals", "attention")
    number = 0
    for action, which in steps:
        number = _do(rig, hand, viewer, action, which, number)
    viewer.read()
    rig.pass_time(20 * SECOND)
    viewer.read()
    rig.pass_time(500)
    viewer.read()

    assert viewer.rows("queues") == fresh(rig, "queues") == _recounted(rig)
    assert viewer.rows("totals") == fresh(rig, "totals")
    assert [*viewer.rows("attention").items()] == [*fresh(rig, "attention").items()]  # in order, too
    assert _sums(rig) == (viewer.rows("totals")["totals"].ready, viewer.rows("totals")["totals"].submitted_total)


def _do(rig: Rig, hand: Any, viewer: Viewer, action: str, which: int, number: int) -> int:
    match action:
        case "submit":
            number += 1
            rig.submit(task(number, queue=f"q{which}"))
        case "run":
            done = hand.fetch(1)
            if which % 2:
                hand.ack(*done)
            else:
                hand.nack(*done, is_final=which == 0)
        case "pause" | "resume":
            try:
                request = PauseQueue(1, f"q{which}") if action == "pause" else ResumeQueue(1, f"q{which}")
                rig.ask(request, Affected)
            except TqError:
                pass
        case "time":
            hand.step(Heartbeat(0))
            rig.pass_time(which * 700)
        case "attention":
            rig.step(GetAttention(1))
        case _:
            viewer.read()
    return number


def _recounted(rig: Rig) -> dict[str, QueueLive]:
    """From what a listing says, and rates that have died away."""
    board = Board(rig.engine._ledger)
    board.refresh(rig.now_ms)
    reply = rig.step(ListQueues(1))
    assert isinstance(reply, QueuePage)
    live = {row.name: row for row in board.rows.values()}
    for stats in reply.queues:
        row = live[stats.name]
        assert (row.ready, row.in_progress, row.dead) == (stats.ready, stats.in_progress, stats.dead)
        assert (row.scheduled, row.retrying, row.no_handler) == (stats.scheduled, stats.retrying, stats.no_handler)
        assert (rig.now_ms - row.oldest_at_ms if row.oldest_at_ms else 0) == stats.oldest_ready_ms
        assert Rates(row.submitted_10s, row.completed_10s, row.failed_60s, row.dead_60s) == Rates(
            stats.submitted_10s, stats.completed_10s, stats.failed_60s, stats.dead_60s
        )
    return live


def _sums(rig: Rig) -> tuple[int, int]:
    reply = rig.engine.step(CLIENT, GetStats(1), rig.now_ms)
    assert isinstance(reply, StatsReply)
    return reply.engine.ready, reply.engine.submitted_total
