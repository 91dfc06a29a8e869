"""What somebody should look at: each condition is said in words, the most urgent first, and not a moment too early."""

from itertools import count

from tests.engine.rig import HOUR, MINUTE, SECOND, Hand, Rig, task
from tests.engine.seen import Viewer
from tq.engine.attention import RANKS, disk_finding
from tq.engine.bounds import Bounds
from tq.engine.ledger import Disk
from tq.model.commands import GetAttention, Heartbeat, PauseQueue
from tq.model.replies import Affected, AttentionReply
from tq.model.watching import FINDINGS_MAX, Finding, Severity


def found(rig: Rig) -> list[Finding]:
    reply = rig.step(GetAttention(1))
    assert isinstance(reply, AttentionReply)
    return reply.findings


def only(rig: Rig) -> Finding:
    (finding,) = found(rig)
    return finding


def grow(rig: Rig, hand: Hand, seconds: int, *, come: int, done: int, beat: int = 10) -> None:
    """A load on queue "default": so many come and are done each second."""
    numbers = grow_numbers
    for second in range(seconds):
        rig.submit(*(task(next(numbers)) for _ in range(come)))
        hand.ack(*hand.fetch(done))
        if second % beat == 0:
            hand.step(Heartbeat(0))
        rig.pass_time(SECOND)


grow_numbers = count(1_000_000)


def test_all_is_well_where_nothing_is_wrong() -> None:
    rig = Rig()
    hand = rig.worker(credit=10)
    rig.submit(task(1))
    hand.ack(*hand.deliveries())

    assert found(rig) == []


def test_tasks_that_nobody_can_run_are_said_after_a_moment_with_their_type() -> None:
    rig = Rig()
    rig.submit(task(1, task_type="resize"), task(2, task_type="mail"), task(3, task_type="resize"))
    rig.pass_time(9 * SECOND)
    assert found(rig) == []

    rig.pass_time(SECOND)
    finding = only(rig)
    assert (finding.severity, finding.code, finding.scope) == (Severity.ACT, "no_handler", "queue:default")
    assert finding.text == "3 ready, no connected worker runs resize"
    assert finding.since_ms == rig.now_ms - 10 * SECOND


def test_a_queue_that_takes_in_more_than_it_gets_done_is_behind_after_a_minute() -> None:
    rig = Rig()
    hand = rig.worker()
    grow(rig, hand, 55, come=5, done=2)
    assert [finding.code for finding in found(rig)] in ([], ["slow"])

    grow(rig, hand, 30, come=5, done=2)

    finding = only(rig)
    assert (finding.severity, finding.code) == (Severity.ACT, "behind")
    assert finding.text == "in 5.0/s > out 2.0/s for 1m, 255 ready; 0 of 1 slots busy"


def test_behind_with_all_slots_busy_will_not_drain() -> None:
    rig = Rig()
    hand = rig.worker()
    rig.submit(task(1))
    hand.fetch_one()
    grow(rig, hand, 85, come=5, done=2)

    finding = only(rig)
    assert finding.code == "will_not_drain"
    assert finding.text.endswith("all 1 slots busy: will not drain")


def test_a_queue_that_catches_up_is_not_behind() -> None:
    rig = Rig()
    hand = rig.worker()
    grow(rig, hand, 85, come=5, done=2)
    grow(rig, hand, 70, come=1, done=5)

    assert [finding.code for finding in found(rig)] != ["behind"]


def test_the_first_task_waiting_for_a_minute_is_slow() -> None:
    rig = Rig()
    hand = rig.worker()
    rig.submit(task(1))
    for _ in range(6):
        rig.pass_time(10 * SECOND)
        hand.step(Heartbeat(0))

    assert only(rig).text == "1 ready, the first waits 1m; 0 of 1 slots busy"
    assert only(rig).severity == Severity.LOOK


def test_rising_dead_letters_are_said_with_their_main_error() -> None:
    rig = Rig()
    hand = rig.worker()
    rig.submit(*(task(number, max_retries=0) for number in range(1, 13)))
    hand.nack(*hand.fetch(9), error_type="ConnectTimeout")
    hand.nack(*hand.fetch(3), error_type="ValueError")
    rig.pass_time(SECOND)

    finding = only(rig)
    assert (finding.severity, finding.code) == (Severity.ACT, "dead_rising")
    assert finding.text == "12 dead, +12/min, 75 % ConnectTimeout"

    hand.step(Heartbeat(0))
    rig.pass_time(80 * SECOND)
    assert "dead_rising" not in [each.code for each in found(rig)]


def test_a_few_dead_letters_are_to_be_looked_at() -> None:
    rig = Rig()
    hand = rig.worker()
    rig.submit(task(1, max_retries=0))
    hand.nack(hand.fetch_one())
    rig.pass_time(SECOND)

    assert only(rig).severity == Severity.LOOK


def test_a_silent_worker_is_said_before_it_is_given_up() -> None:
    rig = Rig()
    hand = rig.worker("ip-10")
    rig.submit(task(1))
    hand.fetch_one()
    rig.pass_time(22 * SECOND)
    assert found(rig) == []

    rig.pass_time(SECOND)
    finding = only(rig)
    assert (finding.severity, finding.code, finding.name) == (Severity.LOOK, "worker_silent", "ip-10")
    assert finding.text == "not heard of for 23s, holds 1 lease; given up in 22s"


def test_a_worker_whose_connection_ended_with_leases_is_lost() -> None:
    rig = Rig()
    hand = rig.worker("ip-10")
    rig.submit(task(1))
    hand.fetch_one()
    hand.disconnect()
    rig.pass_time(2 * SECOND)

    assert only(rig).text == "its connection ended, holds 1 lease; given up in 3s"


def test_what_a_worker_says_of_itself_is_repeated() -> None:
    rig = Rig()
    hand = rig.worker()
    hand.step(Heartbeat(0, note="loop blocked 14 s at app.py:88"))

    assert only(rig).text == "loop blocked 14 s at app.py:88"


def test_a_queue_paused_for_an_hour_with_tasks_in_it_is_said_with_who_and_why() -> None:
    rig = Rig()
    rig.submit(task(1))
    rig.ask(PauseQueue(1, "default", "migration 214"), Affected)
    rig.pass_time(HOUR - SECOND)
    assert found(rig) == []

    rig.pass_time(SECOND)
    assert only(rig).text == "paused for 1h by anonymous, 1 ready: migration 214"


def test_the_disk_is_said_when_it_fills_and_when_it_is_full() -> None:
    free, least = 600 << 20, 512 << 20
    assert disk_finding("", False, 2_000 << 20, least) is None
    assert disk_finding("", False, 0, least) is None

    rig = Rig()
    rig.engine.note_disk(Disk("", False, free, least))
    assert (only(rig).code, only(rig).severity) == ("disk_filling", Severity.LOOK)
    rig.engine.note_disk(Disk("the disk is nearly full: nothing new is taken", False, 1 << 20, least))
    assert only(rig).text == "the disk is nearly full: nothing new is taken; 1 MiB free, the least is 512 MiB"
    rig.engine.note_disk(Disk("the disk is full: only reads are served", True, 0, least))
    assert (only(rig).code, only(rig).severity) == ("disk_full", Severity.ACT)


def test_the_most_urgent_comes_first_and_equals_by_name() -> None:
    rig = Rig()
    rig.submit(task(1, queue="b"), task(2, queue="a"), task(3, queue="c"))
    rig.ask(PauseQueue(1, "c"), Affected)
    rig.pass_time(HOUR)
    rig.engine.note_disk(Disk("the disk is nearly full", False, 1, 2))

    assert [(finding.code, finding.name) for finding in found(rig)] == [
        ("disk_low", "disk"),
        ("no_handler", "a"),
        ("no_handler", "b"),
        ("paused_long", "c"),
    ]
    assert len(set(RANKS)) == len(RANKS)


def test_of_very_many_the_first_are_shown_and_the_others_counted() -> None:
    rig = Rig(bounds=Bounds(history_max=1_000))
    rig.submit(*(task(number, queue=f"q{number:03d}") for number in range(1, 61)))
    rig.pass_time(10 * SECOND)

    reply = rig.step(GetAttention(1))
    assert isinstance(reply, AttentionReply)
    assert (len(reply.findings), reply.left_out) == (FINDINGS_MAX, 10)


def test_who_watches_sees_it_come_though_nothing_else_changes_and_go_again() -> None:
    rig = Rig()
    viewer = Viewer(rig, "attention", "queues")
    rig.submit(task(1))
    for _ in range(10):
        viewer.next()
    assert [finding.code for finding in viewer.rows("attention").values()] == ["no_handler"]
    assert viewer.rows("queues")["default"].state == "no_worker"
    assert viewer.rows("queues")["default"].severity == Severity.ACT

    hand = rig.worker(credit=1)
    hand.ack(*hand.deliveries())
    viewer.next()
    assert viewer.rows("attention") == {}
    assert viewer.rows("queues")["default"].state == "ok"


def test_a_minute_of_dead_letters_passes_though_nothing_else_changes() -> None:
    rig = Rig()
    viewer = Viewer(rig, "queues")
    hand = rig.worker()
    rig.submit(task(1, max_retries=0))
    hand.nack(hand.fetch_one())
    viewer.next()
    assert viewer.rows("queues")["default"].state == "dead+"

    for _ in range(50):
        viewer.next()
        hand.step(Heartbeat(0))
    assert rig.now_ms > MINUTE
    assert viewer.rows("queues")["default"].state == "ok"
