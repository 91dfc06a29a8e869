"""Submitting from a shell: what was typed is what the broker holds."""

import json

import pytest

from tests.cli.conftest import RunningBroker
from tests.cli.processes import call_tq, run_tq
from tq.cli.submit import parse_eta, with_wait_value
from tq.model.errors import InvalidArgument
from tq.model.priorities import parse_priority
from tq.model.task import State
from tq.views.payloads import guess_content_type


@pytest.mark.parametrize(
    ("text", "priority"), [("high", 212), ("Normal", 128), ("low", 42), ("0", 0), ("007", 7), ("255", 255)]
)
def test_a_priority_is_a_number_or_a_tier(text: str, priority: int) -> None:
    assert parse_priority(text) == priority


@pytest.mark.parametrize("text", ["256", "-1", "", "1.5", "٣", "99999999999999999999", "urgent"])
def test_what_is_no_priority_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_priority(text)


def test_a_moment_without_an_offset_is_of_this_machine() -> None:
    assert parse_eta("2026-12-24T18:00").tzinfo is not None
    assert parse_eta("2026-12-24T18:00+01:00").timestamp() == parse_eta("2026-12-24T17:00Z").timestamp()


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (b'{"a": 1}', "application/json"),
        (b"[1, 2]", ""),
        (b"7", ""),
        (b"plain text", ""),
        (b"\xff\xfe", ""),
        (b"", ""),
        (b"{" * 100_000, ""),
    ],
)
def test_only_a_json_object_is_taken_for_arguments(data: bytes, content_type: str) -> None:
    assert guess_content_type(data) == content_type


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["--wait"], ["--wait="]),
        (["--wait", "--type", "a"], ["--wait=", "--type", "a"]),
        (["--wait", "30s"], ["--wait", "30s"]),
        (["--wait=30s"], ["--wait=30s"]),
        (["--type", "a"], ["--type", "a"]),
    ],
)
def test_wait_may_stand_alone_or_have_a_value(given: list[str], read: list[str]) -> None:
    assert with_wait_value(given) == read


def test_a_task_with_every_option_is_held_as_it_was_typed(broker: RunningBroker, queue: str) -> None:
    options = ("--priority", "200", "--delay", "1h", "--expires", "2h", "--timeout", "30s", "--max-retries", "7")

    done = call_tq(
        *("submit", "-u", broker.address, "--type", "send", "--queue", queue, "--key", "k1"),
        *("--payload", '{"to": "größe"}', *options),
    )

    assert done.returncode == 0, done.stderr
    task = broker.client.get_task(done.stdout.strip())
    assert (task.task_type, task.queue, task.key) == ("send", queue, "k1")
    assert (task.payload, task.content_type) == ('{"to": "größe"}'.encode(), "application/json")
    assert (task.priority, task.timeout_ms, task.max_retries) == (200, 30_000, 7)
    assert task.scheduled_at_ms - task.submitted_at_ms == 3_600_000
    assert task.expires_at_ms - task.submitted_at_ms == 7_200_000


def test_the_same_key_gives_the_same_task(broker: RunningBroker, queue: str) -> None:
    line = ("submit", "-u", broker.address, "--type", "send", "--queue", queue, "--key", "once", "-o", "json")

    first, second = call_tq(*line), call_tq(*line)

    assert json.loads(first.stdout) == json.loads(second.stdout)


def test_a_payload_comes_from_stdin_byte_for_byte(broker: RunningBroker, queue: str) -> None:
    data = bytes(range(256))

    done = run_tq(
        *("submit", "-u", broker.address, "--type", "send", "--queue", queue, "--payload-file", "-"), stdin=data
    )

    task = broker.client.get_task(done.stdout.strip())
    assert (task.payload, task.content_type) == (data, "")


def test_a_moment_is_kept_to_the_millisecond(broker: RunningBroker, queue: str) -> None:
    done = call_tq(
        *("submit", "-u", broker.address, "--type", "send", "-q", queue, "--eta", "2040-01-02T03:04:05.678Z"),
        *("-o", "jsonl"),
    )

    task = broker.client.get_task(json.loads(done.stdout)["id"])
    assert task.scheduled_at_ms == 2_209_086_245_678


def test_waiting_for_a_task_that_nobody_runs_exits_8_and_the_task_goes_on(broker: RunningBroker, queue: str) -> None:
    done = call_tq("submit", "-u", broker.address, "--type", "nobody", "--queue", queue, "--wait=50ms")

    assert done.returncode == 8
    assert done.stdout == ""
    (task,) = broker.client.iter_tasks(f"queue:{queue}")
    assert task.state is State.PENDING
