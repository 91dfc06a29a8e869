"""An interrupt strikes once, inside the handler that it is for, and nowhere else."""

import queue
import threading
import time
from collections.abc import Callable

import pytest

from tq.worker.interrupts import Guard, Interrupted, follows_interrupt, raise_in_thread


class _Thread:
    """Runs handlers one after the other, as a slot does, and notes how each ended."""

    def __init__(self, guard: Guard) -> None:
        self.ends: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._guard = guard
        self._todo: queue.SimpleQueue[tuple[int, Callable[[], str]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def run(self, number: int, handler: Callable[[], str]) -> None:
        self._todo.put((number, handler))

    def close(self) -> None:
        self._todo.put(None)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        while (item := self._todo.get()) is not None:
            number, handler = item
            end = "interrupted"
            try:
                self._guard.arm(number)
                end = handler()
                self._guard.disarm(number)
            except Interrupted:
                pass
            self.ends.put(end)


@pytest.fixture
def guard() -> Guard:
    return Guard()


def test_a_running_handler_is_interrupted(guard: Guard) -> None:
    thread, started = _Thread(guard), threading.Event()

    def spin() -> str:
        started.set()
        while True:
            pass

    thread.run(1, spin)
    assert started.wait(10)

    assert guard.interrupt(1)

    assert thread.ends.get(timeout=10) == "interrupted"
    thread.close()


def test_a_handler_that_has_ended_is_not(guard: Guard) -> None:
    thread = _Thread(guard)
    thread.run(1, lambda: "done")
    assert thread.ends.get(timeout=10) == "done"

    assert not guard.interrupt(1)

    thread.run(2, lambda: "next")
    assert thread.ends.get(timeout=10) == "next"
    thread.close()


def test_an_interrupt_for_one_handler_does_not_hit_the_next(guard: Guard) -> None:
    thread, started, go = _Thread(guard), threading.Event(), threading.Event()

    def wait() -> str:
        started.set()
        go.wait(10)
        return "done"

    thread.run(2, wait)
    assert started.wait(10)

    assert not guard.interrupt(1)

    go.set()
    assert thread.ends.get(timeout=10) == "done"
    thread.close()


def test_one_that_comes_while_a_handler_ends_is_waited_for() -> None:
    """Sent late, it must not arrive in the next handler."""
    sent_to: queue.SimpleQueue[int] = queue.SimpleQueue()
    let_it_arrive = threading.Event()

    def send(thread_id: int) -> None:
        sent_to.put(thread_id)
        assert let_it_arrive.wait(10)
        raise_in_thread(thread_id)

    guard = Guard(send)
    thread, go, started = _Thread(guard), threading.Event(), threading.Event()

    def handler() -> str:
        started.set()
        go.wait(10)
        return "had ended"

    thread.run(1, handler)
    assert started.wait(10)
    interrupting = threading.Thread(target=guard.interrupt, args=(1,))
    interrupting.start()
    sent_to.get(timeout=10)  # the ticket is taken, the exception still on its way

    go.set()
    thread.run(2, lambda: "next")
    with pytest.raises(queue.Empty):
        thread.ends.get(timeout=0.05)
    let_it_arrive.set()

    assert thread.ends.get(timeout=10) == "had ended"
    assert thread.ends.get(timeout=10) == "next"
    interrupting.join(10)
    thread.close()


def test_a_handler_that_swallows_it_ends_as_it_likes(guard: Guard) -> None:
    thread, started = _Thread(guard), threading.Event()

    def swallow() -> str:
        try:
            started.set()
            while True:
                time.sleep(0.001)
        except Interrupted:
            return "swallowed"

    thread.run(1, swallow)
    assert started.wait(10)

    guard.interrupt(1)

    assert thread.ends.get(timeout=10) == "swallowed"
    thread.run(2, lambda: "next")
    assert thread.ends.get(timeout=10) == "next"
    thread.close()


def test_hundreds_of_interrupts_at_any_moment_lose_no_handler(guard: Guard) -> None:
    thread = _Thread(guard)

    for number in range(500):
        thread.run(number, lambda: "".join(str(digit) for digit in range(number % 40)) and "done")  # noqa: B023
        if number % 3 == 0:
            time.sleep(0)
        guard.interrupt(number)

    ends = [thread.ends.get(timeout=10) for _ in range(500)]
    assert len(ends) == 500
    thread.close()


def test_what_was_raised_while_an_interrupt_was_handled_follows_from_it() -> None:
    def strike() -> None:
        raise Interrupted

    def convert() -> None:
        try:
            strike()
        except Interrupted:
            raise ValueError from None

    with pytest.raises(ValueError) as converted:
        convert()

    assert follows_interrupt(converted.value)
    assert follows_interrupt(Interrupted())
    assert not follows_interrupt(ValueError())


def test_a_chain_of_causes_that_is_a_circle_ends() -> None:
    first, second = ValueError(), KeyError()
    first.__context__, second.__context__ = second, first

    assert not follows_interrupt(first)
