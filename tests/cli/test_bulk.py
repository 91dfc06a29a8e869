"""Bulk work goes in bounded requests, and ends."""

import sys
from collections.abc import Sequence

import pytest

from tests.cli.conftest import RunningBroker
from tests.cli.processes import on_terminal
from tq.cli.bulk import Tally, by_ids, progress, until_none_left
from tq.client.task import Task
from tq.model.commands import BATCH_MAX
from tq.model.errors import TaskNotFound, WrongState
from tq.model.replies import Affected

IDS = [f"id-{number}" for number in range(2 * BATCH_MAX + 1)]


def test_many_ids_go_in_requests_of_a_bounded_size() -> None:
    sizes: list[int] = []
    advanced: list[int] = []

    def step(batch: Sequence[str]) -> Affected:
        sizes.append(len(batch))
        return Affected(0, count=len(batch) - 1, skipped=1)

    tally = by_ids(IDS, step, advanced.append)

    assert sizes == advanced == [BATCH_MAX, BATCH_MAX, 1]
    assert tally == Tally(done=len(IDS) - 3, skipped=3)


@pytest.mark.parametrize("error", [TaskNotFound("gone"), WrongState("ended")])
def test_the_last_of_many_is_skipped_where_the_only_one_is_an_error(error: TaskNotFound | WrongState) -> None:
    def step(batch: Sequence[str]) -> Affected:
        if len(batch) == 1:
            raise error
        return Affected(0, count=len(batch))

    assert by_ids(IDS, step, lambda _: None) == Tally(done=len(IDS) - 1, skipped=1)
    with pytest.raises(type(error)):
        by_ids(IDS[:1], step, lambda _: None)


def test_a_supply_that_feeds_itself_ends_at_what_there_was_in_the_beginning() -> None:
    limits: list[int] = []

    def step(limit: int) -> Affected:
        limits.append(limit)
        return Affected(0, count=limit, has_more=True)

    tally = until_none_left(BATCH_MAX + 500, step, lambda _: None)

    assert limits == [BATCH_MAX, 500]
    assert tally.done == BATCH_MAX + 500


def test_it_ends_early_when_others_took_what_was_left() -> None:
    answers = iter([Affected(0, count=10, has_more=True), Affected(0, count=3, has_more=False)])

    assert until_none_left(5_000, lambda _: next(answers), lambda _: None).done == 13


def test_it_ends_when_nothing_moves() -> None:
    assert until_none_left(5_000, lambda _: Affected(0, count=0, has_more=True), lambda _: None).done == 0


def test_without_a_terminal_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Purging", 100_000) as advance:
        advance(1_000)

    assert capsys.readouterr() == ("", "")
    assert not sys.stderr.isatty()


def test_on_a_terminal_thousands_of_tasks_are_purged_behind_a_bar(broker: RunningBroker, queue: str) -> None:
    broker.client.submit_tasks([Task("send", queue=queue)] * (2 * BATCH_MAX + 500))

    with on_terminal("queue", "purge", queue, "--yes", "-u", broker.address) as terminal:
        code = terminal.end()

    assert code == 0
    assert "Purging" in terminal.seen
    assert "Cancelled 2,500 tasks" in terminal.seen
