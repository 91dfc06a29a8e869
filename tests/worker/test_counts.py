"""What a process counts, and what its parent makes of the counts of all: nothing twice, nothing lost."""

import asyncio

import msgspec

from tq.worker.counts import REPORT_TYPES_MAX, RUN_US_BOUNDS, TYPES_MAX, Counted, Meter, TypeCounts, report_counts
from tq.worker.lifeline import decode_for_parent, encode_line
from tq.worker.tally import Tally


def counted(types: dict[str, TypeCounts] | None = None, **numbers: int) -> Counted:
    fields = dict.fromkeys(("connects", "running", "waiting", "unconfirmed", "stuck", "cpu_ms", "rss_bytes"), 0)
    return Counted(types=types or {}, is_connected=True, **(fields | numbers))


def types_of(*ended: tuple[str, str, float | None]) -> dict[str, TypeCounts]:
    meter = Meter()
    for task_type, outcome, seconds in ended:
        meter.count(task_type, outcome, seconds)
    return meter.take_changed()


def test_tasks_are_counted_by_type_and_outcome_and_their_run_times_by_class() -> None:
    types = types_of(
        ("mail", "completed", 0.0), ("mail", "completed", 0.001), ("mail", "failed", 0.0011), ("web", "completed", 9e9)
    )

    assert types["mail"].outcomes == {"completed": 2, "failed": 1}
    assert types["mail"].run_counts[:3] == [1, 1, 1]
    assert types["mail"].run_us_sum == 2_100
    assert types["web"].run_counts[-1] == 1, "longer than all classes"


def test_a_task_that_never_started_has_an_outcome_and_no_run_time() -> None:
    types = types_of(("mail", "handed_back", None))

    assert types["mail"].outcomes == {"handed_back": 1}
    assert sum(types["mail"].run_counts) == 0


def test_only_what_changed_is_reported_again() -> None:
    meter = Meter()
    meter.count("mail", "completed", 1)
    meter.count("web", "completed", 1)
    assert set(meter.take_changed()) == {"mail", "web"}

    meter.count("web", "completed", 1)

    assert {name: counts.outcomes for name, counts in meter.take_changed().items()} == {"web": {"completed": 2}}
    assert meter.take_changed() == {}


def test_a_report_fits_a_line_and_the_rest_comes_with_the_next() -> None:
    meter = Meter()
    for number in range(REPORT_TYPES_MAX + 1):
        meter.count(f"{number:\u2003>200}", "completed", 1.0)

    first, second = meter.take_changed(), meter.take_changed()

    assert (len(first), len(second)) == (REPORT_TYPES_MAX, 1)
    assert len(encode_line(counted(first))) < 60_000


def test_types_beyond_a_number_are_counted_together() -> None:
    meter = Meter()
    for number in range(TYPES_MAX + 50):
        meter.count(str(number), "completed", 1)
    meter.count("0", "completed", 1)

    types: dict[str, TypeCounts] = {}
    while taken := meter.take_changed():
        types |= taken

    assert len(types) == TYPES_MAX + 1
    assert types["_other"].outcomes == {"completed": 50}
    assert types["0"].outcomes == {"completed": 2}


def test_a_report_is_read_as_it_was_said() -> None:
    report = counted(types_of(("mail", "completed", 1.5)), running=3)

    assert decode_for_parent(encode_line(report)) == report


async def test_all_that_changed_is_told_before_the_next_pause() -> None:
    meter, told = Meter(), []
    enough = asyncio.Event()
    for number in range(2 * REPORT_TYPES_MAX + 1):
        meter.count(str(number), "completed", 1)

    async def tell(report: Counted) -> None:
        told.append(len(report.types))
        if len(told) == 3:
            enough.set()

    reporting = asyncio.create_task(report_counts(lambda: counted(meter.take_changed()), tell))
    await asyncio.wait_for(enough.wait(), 0.9)
    reporting.cancel()

    assert told == [REPORT_TYPES_MAX, REPORT_TYPES_MAX, 1]


def test_all_processes_are_added_up_and_what_one_counted_stays_when_it_is_gone() -> None:
    tally = Tally(slots=4)
    for pid in (1, 2):
        tally.began(pid)
        tally.counted(pid, counted(types_of(("mail", "completed", 1)), connects=1, running=2, rss_bytes=10, cpu_ms=5))
    tally.counted(2, counted(types_of(("web", "failed", 1)), connects=2, running=1, rss_bytes=30, cpu_ms=8))
    before = tally.totals()

    tally.ended(2, is_death=True)
    after = tally.totals()

    assert (before.processes, before.connected, before.slots, before.running, before.rss_bytes) == (2, 2, 8, 3, 40)
    assert (after.processes, after.connected, after.slots, after.running, after.rss_bytes) == (1, 1, 4, 2, 10)
    for totals in (before, after):
        assert (totals.connects, totals.cpu_ms) == (3, 13)
        assert {name: counts.outcomes for name, counts in totals.types.items()} == {
            "mail": {"completed": 2},
            "web": {"failed": 1},
        }
    assert (before.deaths, after.deaths) == (0, 1)


def test_a_report_before_the_parent_has_noticed_that_the_process_is_ready_counts() -> None:
    tally = Tally(slots=1)
    tally.counted(7, counted(types_of(("mail", "completed", 1))))
    tally.began(7)

    assert tally.totals().types["mail"].outcomes == {"completed": 1}


def test_what_is_read_is_not_changed_by_what_comes_later() -> None:
    tally = Tally(slots=1)
    tally.began(1)
    tally.counted(1, counted(types_of(("mail", "completed", 1))))
    tally.ended(1, is_death=False)
    totals = tally.totals()
    copy = msgspec.json.encode(totals)

    tally.began(2)
    tally.counted(2, counted(types_of(("mail", "completed", 1))))
    tally.ended(2, is_death=False)

    assert msgspec.json.encode(totals) == copy
    assert tally.totals().types["mail"].outcomes == {"completed": 2}


def test_classes_of_run_times_go_up() -> None:
    assert list(RUN_US_BOUNDS) == sorted(set(RUN_US_BOUNDS))
