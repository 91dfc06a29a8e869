"""What the page of a task says, without a screen."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from tests.tui.fakes import NOW_MS
from tq.model.insight import LogLine
from tq.model.task import HISTORY_MAX, AttemptRecord, Progress, State, TaskView
from tq.tui import task_page
from tq.tui.glyphs import ASCII
from tq.tui.task_page import BODY_CHARS_MAX, RAW_BYTES_MAX, Look, runs_of

SUBMITTED_MS = NOW_MS - 100_000
LOOK = Look(NOW_MS, is_utc=True, glyphs=ASCII, width=100)
TASK = TaskView(
    id=bytes(15) + b"\1", task_type="charge", queue="orders", priority=128, state=State.PENDING, payload=b"",
    content_type="", submitted_at_ms=SUBMITTED_MS, scheduled_at_ms=0, started_at_ms=0, ended_at_ms=0, expires_at_ms=0,
    attempt=0, max_retries=3, crashes=0, max_crashes=3, timeout_ms=300_000, worker="", no_handler=False,
    cancel_requested=False, progress=None, result=b"", result_content_type="", reason="", history=(), key=None, tags=(),
    resubmit_of=None, resubmitted_as=None,
)  # fmt: skip


def task(**fields: object) -> TaskView:
    return msgspec.structs.replace(TASK, **fields)


def failed(attempt: int, started_s: float, ran_s: float, **fields: object) -> AttemptRecord:
    """An attempt that began so many seconds after the task was submitted."""
    started_ms = SUBMITTED_MS + round(started_s * 1_000)
    record = AttemptRecord(attempt, "failed", started_ms, started_ms + round(ran_s * 1_000), "w1", "TimeoutError", "no")
    return msgspec.structs.replace(record, **fields)


# -- attempts ---------------------------------------------------------------------------------------------------


def test_attempts_say_how_long_the_task_waited_and_how_long_each_ran() -> None:
    shown = task_page.attempts(
        task(
            state=State.IN_PROGRESS,
            attempt=2,
            started_at_ms=NOW_MS - 40_000,
            worker="w2",
            history=(failed(1, 10, 20),),
        ),
        LOOK,
    ).plain

    assert "Attempts (2)" in shown
    first, error, second = [line for line in shown.splitlines() if line.startswith("  ")][1:]
    assert first.split() == ["!", "1", "22:11:50Z", "waited", "10s", "ran", "20s", "failed", "on", "w1"]
    assert error.strip() == "TimeoutError: no"
    assert second.split() == [">", "2", "22:12:40Z", "waited", "30s", "ran", "40s", "running", "on", "w2"]


def test_the_line_of_time_is_full_where_an_attempt_ran() -> None:
    running = task(
        state=State.IN_PROGRESS, attempt=2, started_at_ms=NOW_MS - 40_000, worker="w2", history=(failed(1, 10, 20),)
    )
    line = task_page.attempts(running, LOOK).plain.splitlines()[2]

    assert line == f"  22:11:40Z {'.' * 6}{'#' * 13}{'.' * 17}{'#' * 24} 22:13:20Z now"


def test_an_attempt_of_a_moment_is_seen_on_a_line_of_days() -> None:
    moment = task(state=State.DEAD_LETTER, submitted_at_ms=NOW_MS - 86_400_000, history=(failed(1, 0, 0.001),))

    assert task_page.attempts(moment, LOOK).plain.splitlines()[2].count("#") == 1


def test_what_ended_a_task_is_an_attempt_and_no_failure_is_told_twice() -> None:
    first = failed(1, 1, 1)
    done = task(state=State.COMPLETED, attempt=2, started_at_ms=NOW_MS - 9, ended_at_ms=NOW_MS, history=(first,))
    died = task(state=State.DEAD_LETTER, attempt=1, started_at_ms=first.started_at_ms, history=(first,))
    cancelled = task(state=State.CANCELLED, attempt=1, started_at_ms=first.started_at_ms, history=(first,))

    assert [run.outcome for run in runs_of(done)] == ["failed", "completed"]
    assert [run.outcome for run in runs_of(died)] == ["failed"]
    assert [run.outcome for run in runs_of(cancelled)] == ["failed"]
    assert runs_of(TASK) == []


def test_attempts_that_are_no_longer_kept_are_said_and_no_wait_is_made_up_for_the_first_that_is() -> None:
    kept = task(state=State.DEAD_LETTER, history=tuple(failed(number, number, 0.5) for number in range(HISTORY_MAX)))

    shown = task_page.attempts(kept, LOOK).plain
    assert "the first ones are no longer kept" in shown
    assert "waited" not in next(line for line in shown.splitlines() if line.startswith("  ! 0 "))


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**7)), max_size=6), st.integers(20, 200), st.booleans()
)
def test_no_attempt_breaks_the_line_of_time(spans: list[tuple[int, int]], width: int, is_running: bool) -> None:
    at_ms, history = SUBMITTED_MS, []
    for number, (waited_ms, ran_ms) in enumerate(spans):
        at_ms += waited_ms
        history.append(AttemptRecord(number, "failed", at_ms, at_ms + ran_ms, "w"))
        at_ms += ran_ms
    started = {"state": State.IN_PROGRESS, "attempt": 9, "started_at_ms": at_ms} if is_running else {}
    shown = task_page.attempts(task(history=tuple(history), **started), LOOK._replace(width=width)).plain

    if history or is_running:
        line = shown.splitlines()[2]
        assert len(line) <= max(width, 40)
        assert "#" in line


# -- the rest ---------------------------------------------------------------------------------------------------


def test_tracebacks_that_are_the_same_are_shown_once_the_latest_first() -> None:
    history = [failed(1, 1, 1, traceback="A\n"), failed(2, 2, 1, traceback="B"), failed(3, 3, 1, traceback="A\n")]
    shown = task_page.tracebacks(task(history=tuple(history)), LOOK).plain

    assert [line for line in shown.splitlines() if line] == [
        f"- Traceback of attempt 3, the same as of 1 {'-' * 40}",
        "A",
        f"- Traceback of attempt 2 {'-' * 40}",
        "B",
    ]


def test_only_some_tracebacks_are_drawn_and_the_page_says_where_the_others_are() -> None:
    history = tuple(failed(number, number, 1, traceback=f"T{number}") for number in range(5))

    assert "... 2 others: tq task get ID" in task_page.tracebacks(task(history=history), LOOK).plain


def test_a_log_has_its_levels_its_attempts_and_what_is_gone() -> None:
    lines = [
        LogLine(number=3, at_ms=NOW_MS, level="info", attempt=1, text="one\ntwo\n"),
        LogLine(number=4, at_ms=NOW_MS, level="error", attempt=2, text="\x1b[2J"),
    ]
    shown = task_page.log(lines, LOOK, is_followed=True).plain.splitlines()[1:]

    assert shown[0].startswith("- Log (2 lines, 2 earlier ones are gone)  FOLLOWED ")
    assert shown[1:] == [
        "  22:13:20Z info     one",
        "      two",
        "  --- attempt 2 ---",
        "  22:13:20Z error    \N{REPLACEMENT CHARACTER}[2J",
    ]


def test_there_is_no_section_about_nothing() -> None:
    assert not task_page.attempts(TASK, LOOK)
    assert not task_page.tracebacks(TASK, LOOK)
    assert not task_page.log([], LOOK, is_followed=False)
    assert not task_page.stack("", LOOK)
    assert not task_page.progress(TASK, LOOK)
    assert not task_page.reasons(None, LOOK)


def test_progress_is_a_gauge_with_what_was_said_and_when() -> None:
    shown = task_page.progress(task(progress=Progress(0.5, "half \x07", NOW_MS - 3_000)), LOOK).plain

    assert f"{'#' * 15}{'.' * 15} 50%  half \N{REPLACEMENT CHARACTER}  said 3.0s ago" in shown


def test_a_long_payload_is_cut_and_the_page_says_where_all_of_it_is() -> None:
    shown = task_page.body("Payload", b"x" * (BODY_CHARS_MAX + 1), "text/plain", LOOK).plain

    assert "20,001 bytes" in shown
    assert shown.count("x") == BODY_CHARS_MAX + len("text/plain") - len("tet/plain")
    assert shown.endswith("... more: tq task get ID -o json\n")


def test_lineage_names_the_other_task_and_the_key_that_opens_it() -> None:
    shown = task_page.facts(task(resubmit_of=bytes(16), resubmitted_as=bytes(15) + b"\2"), LOOK).plain

    assert "resubmit of    00000000-0000-0000-0000-000000000000  < opens it" in shown
    assert "resubmitted as 00000000-0000-0000-0000-000000000002  > opens it" in shown


# -- looks ------------------------------------------------------------------------------------------------------


def bold(text: Text) -> str:
    """The parts that stand out."""
    assert not text.style, "a style of the whole text is one of all that is appended to it"
    return "".join(text.plain[span.start : span.end] for span in text.spans if "bold" in str(span.style))


def test_headings_and_the_state_stand_out_and_nothing_else_of_the_facts() -> None:
    facts = task_page.facts(task(key="order-7"), LOOK, note="the broker is gone")

    assert bold(facts) == " ~ the broker is gone\npending\n"
    assert "charge" not in bold(LOOK.heading("Payload").append("charge"))


# -- bytes ------------------------------------------------------------------------------------------------------


def test_bytes_are_shown_as_they_are_in_hex_and_ascii() -> None:
    shown = task_page.raw("Payload", b'{"a":1}\x00\x1b[31m\xff12', LOOK).plain.splitlines()

    assert shown[1].startswith("- Payload  16 bytes, as they are ")
    assert shown[2] == '  00000000  7b 22 61 22 3a 31 7d 00 1b 5b 33 31 6d ff 31 32  {"a":1}..[31m.12'


def test_a_narrow_page_has_eight_bytes_a_line() -> None:
    shown = task_page.raw("Payload", bytes(range(65, 75)), LOOK._replace(width=60)).plain.splitlines()

    assert shown[2] == "  00000000  41 42 43 44 45 46 47 48  ABCDEFGH"
    assert shown[3] == "  00000008  49 4a                    IJ"


def test_of_many_bytes_the_first_are_shown_and_the_others_counted() -> None:
    shown = task_page.raw("Payload", bytes(RAW_BYTES_MAX + 1_000), LOOK).plain

    assert "... 1,000 bytes more" in shown
    assert len(shown.splitlines()) == 2 + RAW_BYTES_MAX // 16 + 1
