"""The wait between two commits: there for the busy broker, and for nobody who would wait in vain."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from tq.server.gathering import GATHER_SECONDS, GATHERED_BYTES, Gathering

BUSY = {1: "abc", 2: "d"}
ALONE = {1: "a", 2: "b"}


class Timers:
    """The part of a loop that is used, with timers that the test sets off."""

    def __init__(self) -> None:
        self.set: list[tuple[float, Callable[[], None]]] = []
        self.cancelled = 0

    def call_later(self, seconds: float, call: Callable[[], None]) -> "Timers":
        self.set.append((seconds, call))
        return self

    def cancel(self) -> None:
        self.cancelled += 1


@pytest.fixture
def timers() -> Timers:
    return Timers()


@pytest.fixture
def overs() -> list[str]:
    return []


@pytest.fixture
def gathering(timers: Timers, overs: list[str]) -> Gathering:
    gathering = Gathering(cast(asyncio.AbstractEventLoop, timers), lambda: overs.append("over"))
    gathering.note_commit(10)
    return gathering


def test_after_a_busy_commit_the_next_one_waits_until_the_time_is_up(
    gathering: Gathering, timers: Timers, overs: list[str]
) -> None:
    gathering.begin(BUSY, requests=2, size=500)
    was_on = gathering.is_on(2, 500)
    ((seconds, end),) = timers.set

    end()

    assert was_on
    assert seconds == GATHER_SECONDS
    assert overs == ["over"]
    assert not gathering.is_on(2, 500)


def test_a_client_that_is_alone_is_not_kept_waiting(gathering: Gathering, timers: Timers) -> None:
    gathering.begin(ALONE, requests=0, size=0)

    assert not gathering.is_on(0, 0)
    assert timers.set == []


def test_the_wait_ends_when_as_many_have_asked_as_usually_do(gathering: Gathering, timers: Timers) -> None:
    gathering.begin(BUSY, requests=0, size=0)

    assert gathering.is_on(9, 900)
    assert not gathering.is_on(10, 1_000)
    assert timers.cancelled == 1


def test_the_wait_ends_when_what_has_gathered_is_worth_a_commit(gathering: Gathering) -> None:
    gathering.begin(BUSY, requests=0, size=0)

    assert not gathering.is_on(1, GATHERED_BYTES)


def test_no_wait_begins_when_enough_came_during_the_commit(gathering: Gathering, timers: Timers) -> None:
    gathering.begin(BUSY, requests=10, size=1_000)

    assert not gathering.is_on(10, 1_000)
    assert timers.set == []


def test_what_is_usual_sinks_with_smaller_commits_and_rises_at_once_with_a_larger_one(gathering: Gathering) -> None:
    for _ in range(5):
        gathering.note_commit(4)
    gathering.begin(BUSY, requests=5, size=500)
    is_on_below = gathering.is_on(5, 500)
    is_on_above = gathering.is_on(6, 600)

    gathering.note_commit(50)
    gathering.begin(BUSY, requests=6, size=600)

    assert is_on_below
    assert not is_on_above
    assert gathering.is_on(49, 600)


def test_a_cancelled_wait_is_over_and_calls_nobody(gathering: Gathering, timers: Timers, overs: list[str]) -> None:
    gathering.begin(BUSY, requests=0, size=0)

    gathering.cancel()

    assert not gathering.is_on(0, 0)
    assert timers.cancelled == 1
    assert overs == []
