"""What monitoring systems are told, in the shape that each reads."""

import msgspec

from tests.cli.samples import STATS, WORKER, queue
from tq.cli.exits import Exit
from tq.cli.verdicts import (
    Reading,
    as_nagios,
    as_prometheus,
    as_record,
    as_text,
    broker_readings,
    exit_of,
    queue_readings,
    worker_readings,
)
from tq.model.errors import ConnectFailed
from tq.model.stats import ProcessStats


def _process(**changes: object) -> ProcessStats:
    assert STATS.process is not None
    return msgspec.structs.replace(STATS.process, **changes)


PROCESS = _process()


def _queue_readings(latency_ms: int = 61_500, dead: int = 7, waiting: int = 1_213) -> list[Reading]:
    return queue_readings(queue(), latency_ms_max=latency_ms, dead_max=dead, waiting_max=waiting)


def test_a_queue_at_its_limits_is_well_and_one_above_any_of_them_is_not() -> None:
    assert exit_of(_queue_readings()) is Exit.OK
    assert exit_of(_queue_readings(latency_ms=61_499)) is Exit.FAILED
    assert exit_of(_queue_readings(dead=6)) is Exit.FAILED
    assert exit_of(_queue_readings(waiting=1_212)) is Exit.FAILED


def test_only_what_has_a_limit_is_read() -> None:
    readings = queue_readings(queue(), latency_ms_max=None, dead_max=10, waiting_max=None)

    assert [(reading.name, reading.value) for reading in readings] == [("dead", 7)]


def test_a_broker_that_takes_no_tasks_fails_and_says_why() -> None:
    full = _process(is_accepting=False, why_not_accepting="the disk is full")

    well, unwell = (broker_readings(process, commit_ms_max=None, disk_mb_min=None) for process in (PROCESS, full))

    assert (exit_of(well), exit_of(unwell)) == (Exit.OK, Exit.FAILED)
    assert as_text(unwell) == "FAILED  broker: accepts no tasks: the disk is full"


def test_slow_commits_and_little_disk_fail_a_broker() -> None:
    assert exit_of(broker_readings(PROCESS, commit_ms_max=3, disk_mb_min=10_000)) is Exit.OK
    assert exit_of(broker_readings(PROCESS, commit_ms_max=2, disk_mb_min=None)) is Exit.FAILED
    assert exit_of(broker_readings(PROCESS, commit_ms_max=None, disk_mb_min=11_000)) is Exit.FAILED


def test_workers_that_drain_or_serve_other_queues_do_not_count() -> None:
    draining = msgspec.structs.replace(WORKER, status="draining")
    everywhere = msgspec.structs.replace(WORKER, queues=())
    workers = [WORKER, draining, everywhere]

    of_mail = worker_readings(workers, connected_min=2, queue="mail")
    of_video = worker_readings(workers, connected_min=2, queue="video")

    assert [of_mail[0].value, of_video[0].value] == [2, 1]
    assert as_text(of_mail) == ("ok      workers mail: 2 worker processes connected, at least 2; 1 draining or lost")
    assert exit_of(of_video) is Exit.FAILED


def test_nagios_gets_what_fails_first_and_performance_data_with_units() -> None:
    line = as_nagios(_queue_readings(dead=5), Exit.FAILED)

    assert line == (
        "TQ WARNING - queue mail: 7 dead letters, at most 5; "
        "queue mail: the oldest ready task waits 1m1s, at most 1m1s; "
        "queue mail: 1,213 waiting tasks, at most 1,213 | "
        "'mail latency_ms'=61500ms;61500;;0 'mail dead'=7;5;;0 'mail waiting'=1213;1213;;0"
    )
    assert as_nagios(worker_readings([WORKER], connected_min=1, queue=None), Exit.OK).endswith(
        "| 'workers connected'=1;1:;;0"
    )


def test_a_name_can_forge_no_performance_data_and_no_label() -> None:
    evil = msgspec.structs.replace(queue(), name="a|'x'=1\"\\\n\x1b[2J")
    readings = queue_readings(evil, latency_ms_max=None, dead_max=10, waiting_max=None)

    nagios, prometheus = as_nagios(readings, Exit.OK), as_prometheus(readings)

    assert nagios.count("|") == 1
    assert nagios.endswith("| 'a/''x''-1\"\\ \ufffd[2J dead'=7;10;;0")
    assert 'subject="a|\'x\'=1\\"\\\\ \ufffd[2J"' in prometheus
    assert "\x1b" not in nagios + prometheus + as_text(readings)


def test_prometheus_gets_each_gauge_once_with_a_label_for_each_reading() -> None:
    lines = as_prometheus(_queue_readings(dead=5)).splitlines()

    assert len([line for line in lines if line.startswith("# TYPE")]) == 4
    assert 'tq_check_ok{target="queue",subject="mail",reading="dead"} 0' in lines
    assert 'tq_check_value{target="queue",subject="mail",reading="dead"} 7' in lines
    assert 'tq_check_limit{target="queue",subject="mail",reading="dead"} 5' in lines


def test_a_broker_that_does_not_answer_is_told_in_every_shape() -> None:
    error = ConnectFailed("no broker answers at | here", hint="start one")

    assert as_nagios([], Exit.UNREACHABLE, error) == "TQ UNKNOWN - no broker answers at / here"
    assert as_prometheus([], error).splitlines()[-1] == "tq_check_up 0"
    assert as_record([], error)["error"] == {
        "code": "CONNECT_FAILED",
        "message": "no broker answers at | here",
        "hint": "start one",
    }
