"""What is shown of failure groups: the same as counting the dead letters, for any selector that groups can answer."""

import msgspec
import pytest

from tests.engine.rig import HOUR, MINUTE, NOW_MS, Rig, id_of, task
from tq.engine.bounds import BOUNDS
from tq.model.commands import ListGroups
from tq.model.errors import QueueNotFound, SelectorInvalid
from tq.model.fingerprint import OTHER_GROUP
from tq.model.groups import QUEUES_SHOWN_MAX, FailureGroup, GroupOrder
from tq.model.operations import Action, QueueCount
from tq.model.replies import GroupPage
from tq.model.task import State

TRACE = '  File "/srv/http.py", line 212, in post\n'


def kill(rig: Rig, *numbers: int, error_type: str = "ValueError", message: str = "no", queue: str = "default") -> None:
    worker = rig.worker(f"w{numbers[0]}")
    rig.submit(*(task(number, queue=queue) for number in numbers))
    worker.nack(*worker.fetch(len(numbers)), error_type=error_type, message=message, traceback=TRACE, is_final=True)
    worker.disconnect()


def page(rig: Rig, selector: str = "", order: GroupOrder = GroupOrder.COUNT, **fields: object) -> GroupPage:
    return rig.ask(msgspec.structs.replace(ListGroups(1, selector, order), **fields), GroupPage)


def messages(rig: Rig, selector: str = "", order: GroupOrder = GroupOrder.COUNT, **fields: object) -> list[str]:
    return [group.message for group in page(rig, selector, order, **fields).groups]


def one(rig: Rig, selector: str = "") -> FailureGroup:
    (group,) = page(rig, selector).groups
    return group


@pytest.fixture
def rig() -> Rig:
    """a: 3 of mail and 1 of sms, since an hour ago. b: 2 of sms, since a minute ago. c: 5 of mail.out, now."""
    rig = Rig()
    kill(rig, 1, 2, 3, message="a 1", queue="mail")
    rig.pass_time(HOUR)
    kill(rig, 4, message="a 2", queue="sms")
    kill(rig, 5, 6, error_type="shop.Gone", message="b", queue="sms")
    rig.pass_time(MINUTE)
    kill(rig, 7, 8, 9, 10, 11, error_type="httpx.ConnectTimeout", message="c", queue="mail.out")
    return rig


def test_a_group_tells_what_there_is_to_know(rig: Rig) -> None:
    rig.operate(Action.RETRY, "", 2)

    group = next(group for group in page(rig).groups if group.message == "a *")

    assert msgspec.structs.replace(group, fingerprint="") == FailureGroup(
        fingerprint="",
        error_type="ValueError",
        message="a *",
        place="http.py:212 post()",
        count=3,
        queues=(QueueCount("mail", 2), QueueCount("sms", 1)),
        queues_total=2,
        first_died_at_ms=NOW_MS,
        last_died_at_ms=NOW_MS + HOUR,
        deaths_per_minute=group.deaths_per_minute,
        sample=id_of(4),
        dead_total=4,
        retried_total=1,
    )
    assert group.fingerprint == rig_group(rig, 1)


def rig_group(rig: Rig, number: int) -> str:
    from tq.engine.ledger import decode_state
    from tq.engine.tables import Table

    return decode_state(rig.rows.tables[Table.STATES][id_of(number)]).group.hex()


@pytest.mark.parametrize(
    ("order", "found"),
    [
        (GroupOrder.COUNT, ["c", "a *", "b"]),
        (GroupOrder.FIRST, ["c", "b", "a *"]),
        (GroupOrder.RATE, ["c", "b", "a *"]),
    ],
)
def test_groups_are_sorted_as_asked(rig: Rig, order: GroupOrder, found: list[str]) -> None:
    assert messages(rig, order=order) == found
    assert messages(rig, order=order, is_descending=False) == found[::-1]


def test_groups_are_sorted_by_their_latest_death(rig: Rig) -> None:
    kill(rig, 20, message="a 3", queue="mail")
    rig.pass_time(MINUTE)
    kill(rig, 21, error_type="shop.Gone", message="b", queue="mail")

    assert messages(rig, order=GroupOrder.LAST)[0] == "b"


def test_a_page_says_how_many_there_are_beyond_its_limit(rig: Rig) -> None:
    found = page(rig, limit=1)

    assert ([group.message for group in found.groups], found.total, found.dead_total) == (["c"], 3, 11)


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("queue:mail*", {"a *": 3, "c": 5}),
        ("queue:sms", {"a *": 1, "b": 2}),
        ("-queue:sms", {"a *": 3, "c": 5}),
        ("queue:mail,sms -queue:mail", {"a *": 1, "b": 2}),
        ("err:Gone", {"b": 2}),
        ("err:shop.gone,valueerror", {"a *": 4, "b": 2}),
        ("-err:*timeout*", {"a *": 4, "b": 2}),
        ("timeout", {"c": 5}),
        ("-timeout", {"a *": 4, "b": 2}),
        ("age:<1m", {"c": 5}),
        ("age:>=1m", {"a *": 4, "b": 2}),
        ("age:<1m queue:sms", {}),
        ("group:0000000000000001", {}),
    ],
)
def test_a_selector_narrows_the_groups_and_their_counts(rig: Rig, selector: str, found: dict[str, int]) -> None:
    reply = page(rig, selector)

    assert {group.message: group.count for group in reply.groups} == found
    assert (reply.total, reply.dead_total) == (len(found), sum(found.values()))
    for group in reply.groups:
        assert sum(queue.count for queue in group.queues) == group.count


def test_a_group_is_found_by_the_beginning_of_its_fingerprint(rig: Rig) -> None:
    assert messages(rig, f"group:{rig_group(rig, 5)[:6]}") == ["b"]
    assert sorted(messages(rig, f"-group:{rig_group(rig, 5)[:6]}")) == ["a *", "c"]


@pytest.mark.parametrize(
    "selector", ["state:pending", "worker:w", "tag:x", "id:01", "attempts:>1", "type:mail", "key:k"]
)
def test_what_tells_tasks_apart_and_not_errors_is_refused(rig: Rig, selector: str) -> None:
    with pytest.raises(SelectorInvalid, match="groups are not found by") as refused:
        page(rig, f"err:x {selector}")

    assert refused.value.position == len("err:x ")


def test_nonsense_and_a_queue_that_does_not_exist_are_refused(rig: Rig) -> None:
    with pytest.raises(SelectorInvalid):
        page(rig, "queue:")
    with pytest.raises(QueueNotFound):
        page(rig, "queue:mial")
    assert page(rig, "queue:mial*").groups == []


def test_a_group_without_dead_letters_is_not_shown(rig: Rig) -> None:
    rig.operate(Action.PURGE, "", 5, 6)

    assert sorted(messages(rig)) == ["a *", "c"]


def test_the_sample_is_there_whatever_left() -> None:
    rig = Rig()
    kill(rig, 1, queue="a")
    rig.pass_time(MINUTE)
    kill(rig, 2, queue="b")
    rig.pass_time(MINUTE)
    kill(rig, 3, queue="a")

    assert one(rig).sample == id_of(3)
    assert one(rig, "queue:b").sample == id_of(2)
    rig.operate(Action.RETRY, "", 3)
    assert one(rig).sample == id_of(2)
    rig.operate(Action.RETRY, "", 2)
    assert one(rig).sample == id_of(1)


def test_no_sample_is_better_than_one_of_another_queue() -> None:
    rig = Rig()
    kill(rig, 1, queue="b")
    for number in range(2, 23):
        rig.pass_time(MINUTE)
        kill(rig, number, queue="a")

    assert (one(rig, "queue:b").count, one(rig, "queue:b").sample) == (1, b"")


def test_a_sample_that_died_again_of_something_else_is_none() -> None:
    rig = Rig()
    kill(rig, 1, 2)
    rig.operate(Action.RETRY, "", 2)
    worker = rig.worker()
    worker.nack(worker.fetch_one(), message="other", traceback=TRACE, is_final=True)

    samples = {group.message: group.sample for group in page(rig).groups}

    assert rig.state(2) is State.DEAD_LETTER
    assert samples == {"no": id_of(1), "other": id_of(2)}


def test_the_first_queues_of_many_are_named() -> None:
    rig = Rig()
    for number in range(1, QUEUES_SHOWN_MAX + 6):
        kill(rig, number, queue=f"q{number:02}")
    kill(rig, 99, queue="q25")

    group = one(rig)

    assert (len(group.queues), group.queues_total, group.count) == (QUEUES_SHOWN_MAX, QUEUES_SHOWN_MAX + 5, 26)
    assert group.queues[:2] == (QueueCount("q25", 2), QueueCount("q01", 1))


def test_the_other_errors_are_shown_as_such() -> None:
    rig = Rig(bounds=msgspec.structs.replace(BOUNDS, groups_max=1))
    kill(rig, 1, message="a")
    kill(rig, 2, message="b")

    other = next(group for group in page(rig).groups if group.fingerprint == OTHER_GROUP.hex())

    assert (other.message, other.count, other.sample) == ("(other errors)", 1, id_of(2))
    assert messages(rig, "group:00") == ["(other errors)"]
