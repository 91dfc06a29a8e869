"""What is shown of tasks, queues, workers and the broker: short for people, complete for scripts."""

import msgspec
import pytest

from tests.cli.samples import (
    FAILED_ATTEMPT,
    ID,
    ID_TEXT,
    NOW_MS,
    STATS,
    WORKER,
    queue,
    summary,
    view,
)
from tq.cli.broker_view import QUEUES, stats_fields, workers_view
from tq.cli.listing import View
from tq.cli.task_view import attempt_text, dead_view, outcome_line, sample_line, task_fields, tasks_view
from tq.model.stats import WorkerInfo
from tq.model.task import Outcome, Progress, State, TaskSummary, TaskView
from tq.views.records import outcome_record, queue_record, stats_record, summary_record, task_record, worker_record


def _fields(task: TaskView, *, with_tracebacks: bool = False) -> dict[str, str]:
    return {title: cell.text for title, cell in task_fields(task, NOW_MS, with_tracebacks=with_tracebacks)}


def _row(shown: View[TaskSummary], task: TaskSummary) -> dict[str, str]:
    return {column.title: cell.text for column, cell in zip(shown.columns, shown.cells(task), strict=True)}


def test_json_of_a_task_has_every_field_of_the_model_under_its_own_name() -> None:
    record = task_record(view())

    assert set(TaskView.__struct_fields__) <= set(record)
    assert set(TaskSummary.__struct_fields__) == set(summary_record(summary()))
    msgspec.json.encode(record)


def test_json_shows_ids_as_text_moments_that_are_not_yet_as_null_and_payloads_decoded() -> None:
    record = task_record(view())

    assert record["id"] == ID_TEXT
    assert record["state"] == "pending"
    assert record["tier"] == "high"
    assert record["ended_at_ms"] is None
    assert (record["payload"], record["payload_encoding"]) == ({"to": "a"}, "json")
    assert (record["result"], record["result_encoding"]) == (None, None)


def test_a_result_is_in_json_only_once_there_is_one() -> None:
    completed = task_record(view(State.COMPLETED, result=b"null", result_content_type="application/json"))

    assert (completed["result"], completed["result_encoding"]) == (None, "json")


@pytest.mark.parametrize(
    ("task", "shown"),
    [
        (view(), "pending"),
        (view(scheduled_at_ms=NOW_MS + 60_000), "pending, ready in 1m"),
        (view(State.FAILED, scheduled_at_ms=NOW_MS + 2_000), "failed, retries in 2s"),
        (view(no_handler=True), "pending, no connected worker can run this type"),
        (view(State.IN_PROGRESS, cancel_requested=True), "in_progress, asked to stop"),
        (view(State.CANCELLED, reason="purged"), "cancelled, purged"),
    ],
)
def test_the_state_of_a_task_says_why_it_does_not_run(task: TaskView, shown: str) -> None:
    assert _fields(task)["state"] == shown


def test_a_task_in_full_leaves_out_what_says_nothing() -> None:
    assert set(_fields(view())) == {"id", "state", "type", "queue", "priority", "submitted", "attempts", "payload"}


def test_a_task_in_full_has_whatever_there_is_to_say() -> None:
    rich = msgspec.structs.replace(
        view(State.IN_PROGRESS),
        key="welcome-7",
        tags=("eu", "nightly"),
        started_at_ms=NOW_MS - 5_000,
        ended_at_ms=NOW_MS - 1_000,
        expires_at_ms=NOW_MS + 60_000,
        crashes=1,
        worker="w1",
        progress=Progress(0.5, "resizing", NOW_MS),
        resubmit_of=ID,
        resubmitted_as=ID,
        payload=b"",
    )

    fields = _fields(rich)

    assert fields["key"] == "welcome-7"
    assert fields["tags"] == "eu, nightly"
    assert fields["started"].endswith("(5s ago)")
    assert fields["ended"].endswith("(ran 4s)")
    assert fields["expires"].endswith("(in 1m)")
    assert fields["crashes"] == "1 of 3"
    assert fields["progress"] == "50% resizing"
    assert fields["resubmit of"] == fields["resubmitted as"] == ID_TEXT
    assert fields["payload"] == "-"
    assert _fields(msgspec.structs.replace(rich, state=State.COMPLETED, result=b"7"))["result"] == "7"


def test_a_traceback_that_comes_again_is_shown_once() -> None:
    again = msgspec.structs.replace(FAILED_ATTEMPT, attempt=2)
    other = msgspec.structs.replace(FAILED_ATTEMPT, attempt=3, traceback="Traceback: another")

    fields = _fields(view(State.DEAD_LETTER, history=(FAILED_ATTEMPT, again, other)), with_tracebacks=True)

    assert "Traceback (most" in fields["attempt 1"]
    assert fields["attempt 2"].endswith("ValueError: no such user (the traceback of attempt 1 again)")
    assert fields["attempt 3"].endswith("Traceback: another")


def test_an_attempt_is_one_line_in_a_task_and_has_its_traceback_in_a_dead_letter() -> None:
    task = view(State.DEAD_LETTER, history=(FAILED_ATTEMPT,))

    assert _fields(task)["attempt 1"] == "failed after 1.5s on w1: ValueError: no such user"
    assert "Traceback" in _fields(task, with_tracebacks=True)["attempt 1"]


def test_an_attempt_without_a_traceback_still_says_what_it_can() -> None:
    crash = msgspec.structs.replace(FAILED_ATTEMPT, outcome="crashed", error_type="", message="SIGKILL", traceback="")

    assert attempt_text(crash, with_traceback=True) == "crashed after 1.5s on w1: SIGKILL"


def test_a_large_payload_is_cut_for_people_and_whole_in_json() -> None:
    task = view(payload=b'"' + b"x" * 100_000 + b'"')

    assert len(_fields(task)["payload"]) < 5_000
    assert task_record(task)["payload"] == "x" * 100_000


def test_the_when_of_a_listing_is_the_moment_that_matters_in_that_state() -> None:
    listing = tasks_view(NOW_MS)

    assert _row(listing, summary())["WHEN"] == "1m ago"
    assert _row(listing, summary(State.FAILED, scheduled_at_ms=NOW_MS + 9_000))["WHEN"] == "in 9s"
    assert _row(listing, summary(State.COMPLETED, ended_at_ms=NOW_MS - 5_000))["WHEN"] == "5s ago"


def test_a_dead_letter_shows_the_first_line_of_its_error() -> None:
    task = summary(State.DEAD_LETTER, error_type="ValueError", message="no\nmore", ended_at_ms=NOW_MS - 1_000)

    assert _row(dead_view(NOW_MS), task)["ERROR"] == "ValueError: no"
    assert sample_line(task, NOW_MS) == f"  {ID_TEXT}  send_email  1s ago  ValueError: no"


def test_a_dead_letter_that_was_resubmitted_says_so_before_it_is_retried_as_well() -> None:
    task = msgspec.structs.replace(summary(State.DEAD_LETTER, error_type="ValueError"), resubmitted_as=ID)

    assert _row(dead_view(NOW_MS), task)["ERROR"] == "(resubmitted) ValueError"
    assert _row(tasks_view(NOW_MS), task)["ERROR"] == "(resubmitted) ValueError"
    assert sample_line(task, NOW_MS).endswith("  (resubmitted) ValueError")
    assert summary_record(task)["resubmitted_as"] == ID_TEXT


@pytest.mark.parametrize("state", [State.COMPLETED, State.DEAD_LETTER, State.CANCELLED])
def test_an_outcome_is_one_sentence_for_people_and_a_record_for_scripts(state: State) -> None:
    is_dead = state is State.DEAD_LETTER
    outcome = Outcome(
        id=ID,
        state=state,
        result=b"[1]",
        content_type="application/json",
        reason="purged" if state is State.CANCELLED else "",
        error=FAILED_ATTEMPT if is_dead else None,
    )

    record = outcome_record(outcome)

    assert record["result"] == ([1] if state is State.COMPLETED else None)
    assert (record["error"] is not None) is is_dead
    assert outcome_line(outcome).startswith(f"{ID_TEXT} {state.value}")
    assert ("no such user" in outcome_line(outcome)) is is_dead


def test_a_queue_says_what_holds_it_up() -> None:
    def status(**changes: object) -> str:
        return QUEUES.cells(msgspec.structs.replace(queue(), **changes))[-1].text

    assert status() == "running"
    assert status(no_handler=1_000) == "no worker for 1,000"
    assert status(is_paused=True) == "paused"
    assert status(is_paused=True, pause_reason="deploy", no_handler=5) == "paused: deploy"


def test_json_of_a_queue_has_the_sums_too() -> None:
    record = queue_record(queue())

    assert (record["ready"], record["waiting"], record["paused_at_ms"]) == (1_204, 1_213, None)


def test_a_worker_is_named_in_json_by_its_incarnation_in_hex() -> None:
    assert worker_record(WORKER)["incarnation"] == bytes(range(16)).hex() == workers_view(NOW_MS).name(WORKER)
    msgspec.json.encode(worker_record(WORKER))


def test_what_is_wrong_with_a_worker_stands_beside_its_status() -> None:
    def status(worker: WorkerInfo) -> str:
        return workers_view(NOW_MS).cells(worker)[1].text

    assert status(WORKER) == "connected"
    assert status(msgspec.structs.replace(WORKER, note="loop blocked 14 s")) == "connected: loop blocked 14 s"


def test_stats_say_when_the_broker_does_not_accept_tasks() -> None:
    assert STATS.process
    full = msgspec.structs.replace(
        STATS, process=msgspec.structs.replace(STATS.process, is_accepting=False, why_not_accepting="disk full")
    )

    assert "accepting tasks" in dict(stats_fields(STATS, NOW_MS))["broker"].text
    assert "not accepting tasks: disk full" in dict(stats_fields(full, NOW_MS))["broker"].text


def test_stats_of_an_engine_without_a_process_are_its_counters() -> None:
    bare = msgspec.structs.replace(STATS, process=None)

    assert "broker" not in dict(stats_fields(bare, NOW_MS))
    assert stats_record(bare)["broker"] is None
    msgspec.json.encode(stats_record(STATS))
