"""A task that is submitted over REST belongs to the trace of its caller."""

import httpx
import pytest

from tests.edges.rest.serving import code_of
from tq.client.blocking import Client

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-11111111111111111111111111111111-2222222222222222-00"


def trace_of(rest: httpx.Client, native: Client, queue: str, header: str = "", **fields: str) -> str:
    """The trace of a task that was submitted like this."""
    headers = {"traceparent": header} if header else {}
    answer = rest.post("/tasks", json={"task_type": "noop", "queue": queue, **fields}, headers=headers)
    assert answer.status_code == 201, answer.text
    return native.get_task(answer.json()["id"]).trace


def test_the_header_of_the_caller_goes_with_the_task(rest: httpx.Client, native: Client, queue: str) -> None:
    assert trace_of(rest, native, queue, PARENT) == PARENT
    assert trace_of(rest, native, queue) == ""


def test_what_the_body_says_counts_before_the_header(rest: httpx.Client, native: Client, queue: str) -> None:
    assert trace_of(rest, native, queue, PARENT, trace=OTHER) == OTHER


def test_all_tasks_of_a_bulk_submit_have_it(rest: httpx.Client, native: Client, queue: str) -> None:
    body = {"tasks": [{"task_type": "noop", "queue": queue}, {"task_type": "noop", "queue": queue, "trace": OTHER}]}
    taken = rest.post("/tasks/bulk", json=body, headers={"traceparent": PARENT}).json()["tasks"]

    assert [native.get_task(each["id"]).trace for each in taken] == [PARENT, OTHER]


@pytest.mark.parametrize("header", ["00-xyz", "x" * 10_000])
def test_a_header_that_is_none_is_ignored_as_its_specification_demands(
    rest: httpx.Client, native: Client, queue: str, header: str
) -> None:
    assert trace_of(rest, native, queue, header) == ""


def test_a_trace_in_the_body_that_is_none_is_refused(rest: httpx.Client, queue: str) -> None:
    refused = rest.post("/tasks", json={"task_type": "noop", "queue": queue, "trace": "00-xyz"})

    assert code_of(refused) == (400, "INVALID_ARGUMENT")
