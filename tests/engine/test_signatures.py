"""What handlers take: told by workers, kept while they are connected, once for all that say the same."""

import msgspec

from tests.engine.rig import SECOND, Hand, Rig
from tq.model.commands import GetSignature, WorkerHello
from tq.model.replies import SignatureReply
from tq.model.signatures import SIGNATURES_BYTES_MAX, Parameter, TaskSignature, within_budget

OLD = TaskSignature("mail", [Parameter("user_id", ["int"])])
NEW = TaskSignature("mail", [Parameter("user_id", ["int"]), Parameter("tenant", ["str"], False)])


def hand(rig: Rig, name: str, *signatures: TaskSignature, types: tuple[str, ...] = ("mail",)) -> Hand:
    """A worker that announces these."""
    worker = Hand(
        rig, WorkerHello(name, name.encode().ljust(16, b"."), "host", 7, list(types), signatures=list(signatures))
    )
    worker.connect()
    return worker


def asked(rig: Rig, task_type: str = "mail") -> TaskSignature | None:
    return rig.ask(GetSignature(1, task_type), SignatureReply).signature


def test_a_signature_is_known_while_a_worker_that_announced_it_is_connected() -> None:
    rig = Rig()
    assert asked(rig) is None

    worker = hand(rig, "w", OLD)
    assert (asked(rig), asked(rig, "other")) == (OLD, None)

    worker.disconnect()
    assert asked(rig) is None


def test_of_two_deployments_the_one_that_came_last_is_believed() -> None:
    rig = Rig()
    hand(rig, "old", OLD)
    rig.pass_time(SECOND)
    hand(rig, "new", NEW, types=("mail", "sms"))
    assert asked(rig) == NEW

    rig.pass_time(SECOND)
    hand(rig, "same-catalogue", NEW)
    rig.pass_time(SECOND)
    assert asked(rig) == NEW


def test_a_worker_that_announces_nothing_takes_nothing_back() -> None:
    rig = Rig()
    hand(rig, "w", OLD)
    hand(rig, "other-language")

    assert asked(rig) == OLD


def test_what_is_announced_fits_into_a_hello_however_many_handlers_there_are() -> None:
    many = [TaskSignature(f"task-{number}", [Parameter("x" * 200)] * 5) for number in range(1_000)]

    chosen = within_budget(many)

    assert 0 < len(chosen) < len(many)
    assert sum(len(msgspec.msgpack.encode(each)) for each in chosen) <= SIGNATURES_BYTES_MAX
    assert within_budget(many[:3]) == many[:3]


def test_a_signature_reads_like_one() -> None:
    daily = TaskSignature("report", [Parameter("kind", ['= "daily"', "null"]), Parameter("day", ["date"], False)])

    assert str(daily) == 'report(kind: "daily" or null, day: date = ...)'
