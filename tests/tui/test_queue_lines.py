"""What a queue holds and how fast it goes, in two lines of any width."""

import msgspec
import pytest

from tests.tui.fakes import NOW_MS
from tq.model.stats import QueueStats
from tq.tui.screens.queue import stats_lines


def stats(**fields: object) -> QueueStats:
    row = QueueStats(
        name="mail", ready_high=0, ready_normal=0, ready_low=0, scheduled=0, retrying=0, in_progress=0, dead=0,
        no_handler=0, oldest_ready_ms=0, is_paused=False, paused_at_ms=0, pause_reason="", paused_by="",
        submitted_total=0, completed_total=0, failed_total=0, crashed_total=0, dead_total=0, cancelled_total=0,
    )  # fmt: skip
    return msgspec.structs.replace(row, **fields)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_lines_end_with_a_figure_that_is_whole(width: int) -> None:
    full = stats(ready_normal=1_234_567, in_progress=45_678, dead=1_190_000, oldest_ready_ms=792_000_000)
    lines = [line.text for line in stats_lines(full, NOW_MS, width)]

    assert all(len(line) <= width for line in lines)
    assert lines[0].startswith(" ready 1,234,567")
    assert ("normal 1,234,567" in lines[0]) is (width >= 100)
    assert all(line.rstrip()[-1] in "0123456789nrsdhm)MKk" for line in lines)


def test_a_queue_in_which_nothing_waits_is_not_said_to_be_empty_at_some_time() -> None:
    lines = [line.text for line in stats_lines(stats(), NOW_MS, 120)]

    assert "empty in" not in lines[1]
    assert "empty in never" in stats_lines(stats(ready_normal=5), NOW_MS, 120)[1].text
