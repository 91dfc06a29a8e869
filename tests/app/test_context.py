"""What a handler learns of its task, and what it says."""

import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest

from tq.app.context import INJECTED, Context, Snooze
from tq.model.errors import InvalidArgument
from tq.model.task import StoredTask, TaskSpec

ID = uuid.UUID("0192f0c1-7e5a-7cc2-b5e5-0d7f6f7c1a2b")
STORED = StoredTask(1_000, 5, 0, 0, TaskSpec(ID.bytes, "welcome", b"", queue="mail", timeout_ms=30_000, max_retries=4))


def context(said: list[tuple[float, str]]) -> Context:
    return Context(STORED, attempt=2, started_at_ms=2_000, report=lambda fraction, note: said.append((fraction, note)))


def test_a_context_tells_of_its_task() -> None:
    ctx = context([])

    assert (ctx.task_id, ctx.task_type, ctx.queue) == (str(ID), "welcome", "mail")
    assert (ctx.attempt, ctx.max_retries, ctx.cancelled) == (2, 4, False)
    assert ctx.submitted_at == datetime.fromtimestamp(1, UTC)
    assert ctx.deadline == datetime.fromtimestamp(32, UTC)


def test_progress_is_handed_on() -> None:
    said: list[tuple[float, str]] = []
    ctx = context(said)

    ctx.progress(0)
    ctx.progress(0.5, "resizing")
    ctx.progress(1, "x" * 3_000)

    assert said == [(0.0, ""), (0.5, "resizing"), (1.0, "x" * 2_000)]


@pytest.mark.parametrize("fraction", [-0.1, 1.1, 50, float("nan")])
def test_progress_outside_of_its_range_is_refused(fraction: float) -> None:
    with pytest.raises(InvalidArgument, match="is not from 0 to 1"):
        context([]).progress(fraction)


def test_the_log_carries_the_task(caplog: pytest.LogCaptureFixture) -> None:
    ctx = context([])

    with caplog.at_level(logging.INFO):
        ctx.log.info("sent to %s", "a@b.c", extra={"bytes": 5})
        ctx.log.info("done")

    record = caplog.records[0]
    assert (record.name, record.getMessage()) == ("tq.task.welcome", "sent to a@b.c")
    assert vars(record).items() >= {"task_id": str(ID), "queue": "mail", "attempt": 2, "bytes": 5}.items()
    assert vars(caplog.records[1])["task_type"] == "welcome"


@pytest.mark.parametrize("ctx", [Context.detached(), INJECTED])
def test_a_detached_context_does_all_that_a_handler_asks_for(ctx: Context) -> None:
    ctx.progress(0.5, "half")
    ctx.log.debug("here")

    assert (ctx.task_id, ctx.attempt, ctx.deadline) == (str(uuid.UUID(int=0)), 1, None)


def test_a_snooze_has_a_length_with_a_unit() -> None:
    assert Snooze("5m").delay_ms == 300_000
    assert Snooze(timedelta(seconds=1)).delay_ms == 1_000
    assert str(Snooze("5m")) == "again in 5m"
    with pytest.raises(InvalidArgument, match="bare int"):
        Snooze(5)  # type: ignore[arg-type]


def kept(log_with: Callable[[Context], None]) -> list[tuple[str, str]]:
    """What a context hands on of what is logged with it."""
    lines: list[tuple[str, str]] = []
    ctx = Context(
        STORED,
        attempt=1,
        started_at_ms=0,
        report=lambda fraction, note: None,
        keep_line=lambda level, text: lines.append((level, text)),
    )
    log_with(ctx)
    return lines


def test_lines_of_the_level_that_is_logged_are_handed_on_as_text(caplog: pytest.LogCaptureFixture) -> None:
    def work(ctx: Context) -> None:
        ctx.log.debug("too little")
        ctx.log.warning("%(count)d left", {"count": 3})
        ctx.log.error("no such user", exc_info=KeyError("anna"))

    with caplog.at_level(logging.INFO):
        assert kept(work) == [("warning", "3 left"), ("error", "no such user\nKeyError: 'anna'")]


def test_a_format_that_does_not_fit_harms_no_handler(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), mock.patch("logging.raiseExceptions", new=False):
        assert kept(lambda ctx: ctx.log.info("%d", "seven")) == [("info", "%d")]


def test_a_record_names_the_line_of_the_handler_and_not_one_of_tq(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        context([]).log.info("here")

    assert caplog.records[0].filename == "test_context.py"
