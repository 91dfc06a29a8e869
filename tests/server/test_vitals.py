"""The broker process in numbers."""

import os

from tq.server.vitals import COMMITS_KEPT, Vitals


def make() -> Vitals:
    return Vitals(version="1.2", boot_id="b", started_at_ms=7, data_dir="/d", sync="always")


def test_a_broker_that_has_committed_nothing_shows_zeros() -> None:
    stats = make().process_stats(connections=3)

    assert (stats.commits_total, stats.commit_us_p50, stats.commit_us_p99) == (0, 0, 0)
    assert (stats.version, stats.boot_id, stats.started_at_ms, stats.data_dir) == ("1.2", "b", 7, "/d")
    assert (stats.pid, stats.connections, stats.is_accepting) == (os.getpid(), 3, True)


def test_percentiles_are_of_the_last_commits_alone() -> None:
    vitals = make()
    for _ in range(50):
        vitals.record_commit(1_000_000)

    for duration_us in range(COMMITS_KEPT):
        vitals.record_commit(duration_us)
    stats = vitals.process_stats(0)

    assert stats.commits_total == COMMITS_KEPT + 50
    assert stats.commit_us_p50 == COMMITS_KEPT // 2
    assert stats.commit_us_p99 == COMMITS_KEPT * 99 // 100


def test_commits_and_syncs_are_counted_by_how_long_they_took() -> None:
    vitals = make()
    for duration_us in (0, 250, 251, 5_000_001):
        vitals.record_commit(duration_us)
    vitals.record_sync(1_000_000)

    shown = vitals.process_metrics(connections=3, denied_total=2)

    assert list(shown.commit_us.bounds) == sorted(shown.commit_us.bounds)
    assert (shown.commit_us.counts[:3], shown.commit_us.counts[-1]) == ([2, 1, 0], 1)
    assert shown.commit_us.sum == 5_000_502
    assert (shown.sync_us.counts[-3:], shown.sync_us.sum) == ([1, 0, 0], 1_000_000)
    assert (shown.stats.connections, shown.denied_total) == (3, 2)
