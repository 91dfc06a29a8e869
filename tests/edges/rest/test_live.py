"""Watching over REST: what is new comes by itself, and who comes back goes on where they were."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from tests.edges.rest.serving import code_of
from tests.edges.rest.test_tasks import submitted
from tq.client.watching import Update
from tq.edges.rest.live import event_id, position
from tq.edges.rest.streams import STREAMS_MAX, Streams
from tq.model.errors import TooManyRequests


class Event(NamedTuple):
    id: str
    kind: str
    data: Any


def events(response: httpx.Response) -> Iterator[Event]:
    """The events of a stream that have data, as a browser would take it apart."""
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif "data" in fields:
            yield Event(fields.get("id", ""), fields.get("event", "message"), json.loads(fields["data"]))
            fields = {}
        else:
            fields = {}


def rows_of(event: Event, scope: str) -> list[Any]:
    return list(event.data["scopes"].get(scope, {"rows": []})["rows"])


def test_the_first_event_is_whole_and_the_next_brings_what_is_new(rest: httpx.Client, queue: str) -> None:
    submitted(rest, queue)
    scope = f"queue:{queue}"

    with rest.stream("GET", "/watch", params={"scope": [scope, "totals"], "hz": 10}) as response:
        stream = events(response)
        first = next(stream)
        submitted(rest, queue)
        following = next(event for event in stream if [row["ready"] for row in rows_of(event, scope)] == [2])

    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (first.kind, first.data["scopes"][scope]["is_whole"]) == ("update", True)
    assert [row["ready"] for row in rows_of(first, scope)] == [1]
    assert not following.data["scopes"][scope]["is_whole"]


def test_who_comes_back_gets_what_has_changed_since(rest: httpx.Client, queue: str) -> None:
    task_id = submitted(rest, queue)
    scope = f"task:{task_id}"
    with rest.stream("GET", "/watch", params={"scope": scope}) as response:
        last_id = next(events(response)).id
    rest.post(f"/tasks/{task_id}/cancel")

    with rest.stream("GET", "/watch", params={"scope": scope}, headers={"Last-Event-ID": last_id}) as response:
        event = next(event for event in events(response) if rows_of(event, scope))

    assert rows_of(event, scope)[0]["state"] == "cancelled"


@pytest.mark.parametrize(
    "parameters", [{}, {"scope": "nonsense"}, {"scope": "totals", "hz": "11"}, {"scope": "totals", "hz": "0"}]
)
def test_a_watch_of_nothing_that_can_be_watched_is_refused(rest: httpx.Client, parameters: dict[str, str]) -> None:
    assert code_of(rest.get("/watch", params=parameters)) == (400, "INVALID_ARGUMENT")


def test_a_place_in_a_stream_counts_for_the_same_scopes_alone() -> None:
    place = event_id(Update("boot-1", 7, 0, []), ["totals"])

    assert position(place, ["totals"]) == ("boot-1", 7)
    assert position(place, ["queues"]) == position("x", ["totals"]) == position("", ["totals"]) == ("", 0)


def test_streams_have_a_bound() -> None:
    streams = Streams()
    for _ in range(STREAMS_MAX):
        streams.enter()

    with pytest.raises(TooManyRequests):
        streams.enter()
    streams.leave()
    streams.enter()
