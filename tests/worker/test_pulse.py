"""Whether the loop turns, with a loop that turns when the test says so."""

import logging
import threading
from collections.abc import Callable

import pytest

from tq.worker.credit import STALL_SECONDS
from tq.worker.pulse import Pulse
from tq.worker.runs import Run


class FakeCoroutines:
    """An event loop that is somewhere, and turns when told to."""

    def __init__(self) -> None:
        self.pongs: list[Callable[[], None]] = []

    def ping(self, pong: Callable[[], None]) -> None:
        self.pongs.append(pong)

    def turn(self) -> None:
        while self.pongs:
            self.pongs.pop()()

    def place_on_loop(self) -> str:
        return "app.py:88"

    def run_on_loop(self) -> Run | None:
        return None


class Rig:
    def __init__(self) -> None:
        self.now = 50.0
        self.loop = FakeCoroutines()
        self.pulse = Pulse(self.loop, threading.get_ident(), lambda: self.now)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_loop_that_turns_is_not_blocked(rig: Rig) -> None:
    for _ in range(100):
        rig.pulse.check()
        rig.loop.turn()
        rig.now += 0.05

    assert not rig.pulse.is_blocked
    assert rig.pulse.note == ""


def test_it_is_blocked_when_a_delivery_would_have_to_wait(rig: Rig) -> None:
    rig.pulse.check()
    rig.now += STALL_SECONDS - 0.01
    assert not rig.pulse.is_blocked

    rig.now += 0.02

    assert rig.pulse.is_blocked


def test_it_is_reported_each_time_that_the_length_has_doubled(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tq.worker")
    rig.pulse.check()

    changes = []
    for tenths in range(1, 200):
        rig.now = 50.0 + tenths / 10 + 0.001
        if rig.pulse.check():
            changes.append(rig.pulse.note)

    assert changes == [f"loop blocked {seconds} s at app.py:88" for seconds in (2, 4, 8, 16)]
    assert [record.message for record in caplog.records] == ["loop_blocked"] * 4
    assert [record.__dict__["blocked_ms"] for record in caplog.records] == [2_001, 4_001, 8_001, 16_001]


def test_it_is_said_when_it_turns_again(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tq.worker")
    rig.pulse.check()
    rig.now += 3
    rig.pulse.check()
    rig.loop.turn()

    assert rig.pulse.check()

    assert rig.pulse.note == ""
    assert not rig.pulse.is_blocked
    assert caplog.records[-1].message == "loop_turns_again"
    assert vars(caplog.records[-1])["blocked_ms"] == 3_000


def test_the_longest_that_it_did_not_turn_is_told_once_and_while_it_still_hangs(rig: Rig) -> None:
    for pause in (0.05, 0.7, 0.05):
        rig.pulse.check()
        rig.now += pause
        rig.loop.turn()

    assert rig.pulse.take_longest_ms() == 700
    assert rig.pulse.take_longest_ms() == 0
    rig.pulse.check()
    rig.now += 2
    assert rig.pulse.take_longest_ms() == 2_000
