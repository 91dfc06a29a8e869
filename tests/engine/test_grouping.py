"""Dead letters are counted by what killed them, whatever comes and goes, and however many errors there are."""

import msgspec
import pytest

from tests.engine.rig import HOUR, MINUTE, NOW_MS, SECOND, Rig, id_of, task
from tests.engine.rows import Rows
from tq.engine.bounds import BOUNDS, Bounds
from tq.engine.changes import Changes
from tq.engine.grouping import Group, Groups
from tq.engine.tables import Table
from tq.model.commands import WorkerDied
from tq.model.fingerprint import OTHER_GROUP, fingerprint
from tq.model.operations import Action
from tq.model.replies import Affected
from tq.model.settings import PersistenceSettings
from tq.model.task import AttemptRecord, State, TaskOptions, TaskState

TRACE = '  File "/srv/http.py", line 212, in post\n'


def groups(rig: Rig) -> dict[bytes, Group]:
    """As a broker that starts now would have them."""
    loaded = Groups(Changes(rig.rows), rig.bounds)
    loaded.load(sorted(rig.rows.tables[Table.GROUPS].items()))
    return loaded.by_id


def kill(
    rig: Rig,
    *numbers: int,
    message: str = "no",
    queue: str = "default",
    traceback: str = "",
    error_type: str = "ValueError",
) -> None:
    """These tasks are submitted, run once and fail for good."""
    worker = rig.worker(f"w{numbers[0]}")
    rig.submit(*(task(number, queue=queue) for number in numbers))
    failed = worker.fetch(len(numbers))
    worker.nack(*failed, error_type=error_type, message=message, traceback=traceback, is_final=True)


def one(rig: Rig) -> Group:
    (group,) = groups(rig).values()
    return group


def retry(rig: Rig, *numbers: int) -> None:
    rig.operate(Action.RETRY, "", *numbers)


def purge(rig: Rig, *numbers: int) -> None:
    rig.operate(Action.PURGE, "", *numbers)


def test_a_dead_letter_is_counted_with_those_that_died_of_the_same() -> None:
    rig = Rig()
    kill(rig, 1, 2, message="timed out after 30s", traceback=TRACE)
    rig.pass_time(MINUTE)
    kill(rig, 3, queue="mail", message="timed out after 5s", traceback=TRACE.replace("212", "214"))

    group = one(rig)

    assert group.id == fingerprint("ValueError", "timed out after 1s", TRACE).group
    assert (group.row.error_type, group.row.message) == ("ValueError", "timed out after *s")
    assert group.row.place == "http.py:214 post()"
    assert (group.count, sorted(group.queues.values()), group.row.dead_total) == (3, [1, 2], 3)
    assert (group.row.first_died_at_ms, group.row.last_died_at_ms) == (NOW_MS, NOW_MS + MINUTE)
    assert group.row.sample == id_of(3)


def test_only_the_last_attempt_counts() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.nack(worker.fetch_one(), message="first", retry_in_ms=0)
    worker.nack(worker.fetch_one(), message="last", is_final=True)

    assert one(rig).row.message == "last"


def test_a_task_that_will_be_retried_is_in_no_group() -> None:
    rig = Rig()
    worker = rig.worker()
    rig.submit(task(1))
    worker.nack(worker.fetch_one(), retry_in_ms=HOUR)

    assert groups(rig) == {}


def test_workers_that_die_alike_on_other_hosts_are_one_group() -> None:
    """And what they wrote before is of no task."""
    rig = Rig()
    for number, host in ((1, "web-5f7d"), (2, "web-xkqp")):
        worker = rig.worker(host)
        rig.submit(task(number, options=TaskOptions(max_crashes=1)))
        worker.fetch_one()
        rig.ask(WorkerDied(1, worker.hello.incarnation, None, "SIGSEGV", host, 5 << 20, host + TRACE), Affected)

    group = one(rig)

    assert (group.count, group.row.place) == (2, "")
    assert group.row.message == "worker killed by SIGSEGV on '*', peak memory * MiB"


def test_a_retry_takes_it_out_and_is_counted() -> None:
    rig = Rig()
    kill(rig, 1, 2)
    retry(rig, 1)

    group = one(rig)

    assert (group.count, group.row.dead_total, group.row.retried_total) == (1, 2, 1)


def test_a_purge_takes_it_out() -> None:
    rig = Rig()
    kill(rig, 1, 2)
    purge(rig, 1)

    assert (one(rig).count, one(rig).row.retried_total) == (1, 0)


def test_the_end_of_its_retention_takes_it_out() -> None:
    rig = Rig(persistence=PersistenceSettings(dead_letter_retention_hours=1))
    kill(rig, 1)
    rig.pass_time(2 * HOUR)

    assert one(rig).count == 0


def test_a_group_without_dead_letters_goes_on_counting_when_it_comes_back() -> None:
    rig = Rig()
    kill(rig, 1)
    retry(rig, 1)
    rig.restart()
    rig.pass_time(MINUTE)
    kill(rig, 2)

    row = one(rig).row

    assert (row.dead_total, row.retried_total, row.first_died_at_ms) == (2, 1, NOW_MS)


def test_a_restarted_broker_has_the_same_groups() -> None:
    rig = Rig()
    kill(rig, 1, 2)
    kill(rig, 3, message="other", queue="mail")
    rig.restart()
    kill(rig, 4)
    purge(rig, 3)

    assert sorted(group.count for group in groups(rig).values()) == [0, 3]


# -- the bound ------------------------------------------------------------------------------------------------------

FEW = msgspec.structs.replace(BOUNDS, groups_max=2)


def rig_of_two(bounds: Bounds = FEW) -> Rig:
    rig = Rig(bounds=bounds)
    kill(rig, 1, message="a")
    rig.pass_time(SECOND)
    kill(rig, 2, message="b")
    rig.pass_time(SECOND)
    return rig


def test_errors_beyond_the_bound_are_counted_together() -> None:
    rig = rig_of_two()
    kill(rig, 3, message="c")
    kill(rig, 4, message="d", traceback=TRACE)
    kill(rig, 5, message="a")

    found = groups(rig)

    assert sorted(group.row.message for group in found.values()) == ["(other errors)", "a", "b"]
    other = found[OTHER_GROUP]
    assert (other.count, other.row.error_type, other.row.place) == (2, "", "")
    assert found[fingerprint("ValueError", "a", "").group].count == 2


def test_the_others_leave_the_group_that_they_were_counted_in() -> None:
    """Also when there would be room for theirs by now."""
    rig = rig_of_two()
    kill(rig, 3, message="c")
    purge(rig, 1, 2)
    retry(rig, 3)

    assert groups(rig)[OTHER_GROUP].count == 0


ONE_OF_A_TYPE = msgspec.structs.replace(BOUNDS, groups_per_type_max=1)


def test_an_error_that_never_says_the_same_twice_leaves_room_for_others() -> None:
    rig = Rig(bounds=ONE_OF_A_TYPE)
    kill(rig, 1, message="a")
    kill(rig, 2, message="b", traceback=TRACE)
    kill(rig, 3, message="c")
    kill(rig, 4, message="c", error_type="KeyError")
    rig.restart()
    kill(rig, 5, message="d")

    found = {(group.row.error_type, group.row.message): group for group in groups(rig).values()}

    assert {key: group.count for key, group in found.items()} == {
        ("ValueError", "a"): 1,
        ("ValueError", "(other messages)"): 3,
        ("KeyError", "c"): 1,
    }
    assert found["ValueError", "(other messages)"].row.place == ""


def test_an_empty_group_makes_room_for_another_of_its_type() -> None:
    rig = Rig(bounds=ONE_OF_A_TYPE)
    kill(rig, 1, message="a", error_type="KeyError")
    kill(rig, 2, message="a")
    purge(rig, 1, 2)
    kill(rig, 3, message="b")

    found = {(group.row.error_type, group.row.message) for group in groups(rig).values()}

    assert found == {("KeyError", "a"), ("ValueError", "b")}


def test_the_emptiest_longest_ago_makes_room() -> None:
    rig = rig_of_two()
    purge(rig, 1, 2)
    kill(rig, 3, message="c")

    assert sorted(group.row.message for group in groups(rig).values()) == ["b", "c"]


def test_groups_that_were_emptied_before_a_restart_make_room_after_it() -> None:
    rig = rig_of_two()
    purge(rig, 1, 2)
    rig.restart()
    kill(rig, 3, message="c")

    assert sorted(group.row.message for group in groups(rig).values()) == ["b", "c"]


def test_a_group_with_dead_letters_never_makes_room() -> None:
    rig = rig_of_two()
    purge(rig, 2)
    kill(rig, 3, message="c")

    assert sorted(group.row.message for group in groups(rig).values()) == ["a", "c"]


def test_other_errors_do_not_take_the_place_of_a_group() -> None:
    rig = rig_of_two()
    kill(rig, 3, message="c")
    purge(rig, 3, 1)
    kill(rig, 4, message="d")

    assert sorted(group.row.message for group in groups(rig).values()) == ["(other errors)", "b", "d"]


def test_a_forgotten_group_that_comes_back_in_the_same_batch_begins_anew() -> None:
    rig = rig_of_two()
    purge(rig, 1, 2)
    worker = rig.worker()
    rig.submit(task(3), task(4))
    third, fourth = worker.fetch(2)
    for delivery, message in ((third, "c"), (fourth, "a")):
        worker.nack(delivery, message=message, is_final=True)

    assert {group.row.message: group.row.dead_total for group in groups(rig).values()} == {"c": 1, "a": 1}


# -- restoring ------------------------------------------------------------------------------------------------------


def dead(message: str, died_at_ms: int) -> TaskState:
    attempt = AttemptRecord(1, "failed", 0, died_at_ms, "w", "ValueError", message)
    return TaskState(
        state=State.DEAD_LETTER,
        ended_at_ms=died_at_ms,
        history=(attempt,),
        group=fingerprint("ValueError", message, "").group,
    )


def test_a_restored_dead_letter_is_counted_and_nothing_died() -> None:
    loaded = Groups(Changes(Rows()), FEW)
    state = dead("a", NOW_MS)
    loaded.enter(1, id_of(1), state, NOW_MS)
    loaded.leave(1, id_of(1), state)

    assert loaded.restore(1, id_of(1), state) == state.group
    group = loaded.by_id[state.group]
    assert (group.count, group.queues, group.row.dead_total, group.row.deaths) == (1, {1: 1}, 1, 1)


def test_the_group_of_restored_dead_letters_is_made_again_where_it_was_forgotten() -> None:
    loaded = Groups(Changes(Rows()), FEW)

    for number, died_at_ms in ((1, NOW_MS), (2, NOW_MS - HOUR), (3, NOW_MS + HOUR)):
        state = dead("a", died_at_ms)
        assert loaded.restore(1, id_of(number), state) == state.group

    row = loaded.by_id[state.group].row
    assert (row.first_died_at_ms, row.last_died_at_ms, row.dead_total) == (NOW_MS - HOUR, NOW_MS + HOUR, 3)


def test_a_restored_dead_letter_without_room_for_its_group_is_with_the_others() -> None:
    loaded = Groups(Changes(Rows()), msgspec.structs.replace(BOUNDS, groups_max=1))
    loaded.enter(1, id_of(1), dead("a", NOW_MS), NOW_MS)

    assert loaded.restore(1, id_of(2), dead("b", NOW_MS)) == OTHER_GROUP


# -- the rate -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after_ms", "rate"), [(0, 1.0), (40 * SECOND, 1.0), (MINUTE, 1.0), (90 * SECOND, 0.5), (2 * MINUTE, 0.0)]
)
def test_the_rate_slides_over_the_last_minute(after_ms: int, rate: float) -> None:
    start = NOW_MS - NOW_MS % MINUTE
    loaded = Groups(Changes(Rows()), msgspec.structs.replace(BOUNDS, groups_max=1))
    group = loaded.by_id[loaded.enter(1, id_of(1), dead("a", start), start)]

    assert group.deaths_per_minute(start + after_ms) == pytest.approx(rate)


def test_the_rate_adds_up_this_minute_and_what_is_left_of_the_one_before() -> None:
    start = NOW_MS - NOW_MS % MINUTE
    loaded = Groups(Changes(Rows()), msgspec.structs.replace(BOUNDS, groups_max=1))
    for number in range(30):
        at_ms = start + number * 4 * SECOND
        group = loaded.by_id[loaded.enter(1, id_of(number), dead("a", at_ms), at_ms)]

    assert group.deaths_per_minute(start + 119 * SECOND) == pytest.approx(15, abs=1)
