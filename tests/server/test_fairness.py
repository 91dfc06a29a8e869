"""What one connection asks for costs the others little, and what it does not read the broker does not make."""

from tests.server.bench import bench
from tq.model.commands import Fetch, GetTask, Hello, Submit, Wait, WorkerHello
from tq.model.replies import Affected, OutcomeReply, Reply, Submitted
from tq.model.task import Outcome, State, TaskSpec
from tq.server.loop import ANSWER_BYTES_MAX

MIB = 1 << 20


def large(request_id: int) -> OutcomeReply:
    outcome = Outcome(
        id=bytes(16), state=State.COMPLETED, result=bytes(MIB), content_type="", reason="", error=None
    )  # fmt: skip
    return OutcomeReply(request_id, outcome)


def submit(number: int) -> Submit:
    return Submit(number, [TaskSpec(bytes(16), "send", b"")])


async def test_one_who_asks_for_much_waits_behind_those_who_ask_for_little() -> None:
    async with bench("never", turn_seconds_max=0) as b:
        greedy, modest = b.session(1), b.session(2)
        b.send(greedy, *(GetTask(number, bytes(16)) for number in range(1, 6)))
        b.send(modest, submit(1))

        await modest.until(1)
        order = [session for session, _ in b.core.stepped]
        await greedy.until(5)

    assert order[:2] == [1, 2]
    assert [reply.request_id for reply in greedy.received if isinstance(reply, Affected)] == [1, 2, 3, 4, 5]


async def test_the_requests_of_one_who_does_not_read_wait_in_order_until_he_does() -> None:
    async with bench("never") as b:
        stuck, other = b.session(1), b.session(2)
        stuck.is_stuck = True
        b.send(stuck, submit(1))
        b.send(stuck, submit(2))
        b.send(other, submit(3))
        await other.until(1)
        b.send(stuck, submit(4))
        before = list(b.core.stepped)

        stuck.is_stuck = False
        b.loop.resume(stuck)
        await stuck.until(3)

    assert [session for session, _ in before] == [2]
    assert stuck.received == [Submitted(1), Submitted(2), Submitted(4)]


async def test_what_one_sent_who_did_not_read_and_left_is_still_done_but_his_reads_are_not() -> None:
    async with bench("never") as b:
        gone, other = b.session(1), b.session(2)
        gone.is_stuck = True
        b.send(gone, submit(1), GetTask(2, bytes(16)))
        await b.turn()

        gone.is_stuck = False
        b.loop.remove(gone)
        b.send(other, submit(1))
        await other.until(1)

    assert b.core.stepped == [(1, submit(1)), (2, submit(1))]
    assert b.core.disconnected == [1]


async def test_large_answers_that_wait_for_the_disk_stop_the_stepping_until_it_is_done() -> None:
    def answer(session: int, request: object) -> Reply | None:
        if isinstance(request, Wait):
            return large(request.request_id)
        assert isinstance(request, Submit)
        b.core.write()
        return Submitted(request.request_id)

    async with bench() as b:
        b.core.on_step = answer
        writer, waiter = b.session(1), b.session(2)
        b.send(writer, submit(1))
        await b.store.sync_begun()

        b.send(waiter, *(Wait(number, bytes(16), 1) for number in range(1, 21)))
        for _ in range(5):
            await b.turn()
        made = len(b.core.stepped) - 1
        b.store.open_gate()
        await waiter.until(20)

    assert made == ANSWER_BYTES_MAX // MIB
    assert [reply.request_id for reply in waiter.received if isinstance(reply, OutcomeReply)] == list(range(1, 21))


async def test_a_stop_answers_those_who_do_not_read_too() -> None:
    async with bench("never") as b:
        stuck = b.session(1)
        stuck.is_stuck = True
        b.send(stuck, submit(1))
        await b.turn()

        await b.loop.stop()

    assert stuck.outstanding == 0
    assert stuck.is_ended


async def test_a_worker_that_does_not_read_is_held_and_a_client_is_not() -> None:
    async with bench("never") as b:
        worker, client = b.session(1, is_greeted=False), b.session(2)
        hello = Hello(0, 1, worker=WorkerHello("w", bytes(16), "h", 1, []))
        b.send(worker, hello, Fetch(0, 1))
        await worker.until(1)

        held = []
        for session in (worker, client):
            b.loop.hold(session)
        held.append(set(b.core.held))
        for session in (worker, client):
            b.loop.resume(session)
        held.append(set(b.core.held))

    assert held == [{1}, set()]
