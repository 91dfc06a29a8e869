"""/metrics as Prometheus asks for it."""

from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from tests.edges.rest.serving import code_of, serving
from tq import Task
from tq.client.blocking import Client

OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


@pytest.fixture
def page(rest: httpx.Client) -> str:
    """The address of the page."""
    return str(rest.base_url).removesuffix("/api/v1/") + "/metrics"


def test_it_shows_the_queues_as_they_are(page: str, native: Client, queue: str) -> None:
    native.submit_tasks([Task("t", queue=queue) for _ in range(3)])

    response = httpx.get(page)

    shown = {
        sample.name: sample.value
        for family in read_text(response.text)
        for sample in family.samples
        if sample.labels.get("queue") == queue
    }
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert (shown["tq_tasks_total"], shown["tq_tasks_pending"], shown["tq_tasks_in_progress"]) == (3, 3, 0)


def test_who_asks_for_openmetrics_gets_it(page: str) -> None:
    response = httpx.get(page, headers={"Accept": OPENMETRICS})

    assert response.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert "tq_broker" in {family.name for family in read_openmetrics(response.text)}  # type: ignore[no-untyped-call]


def test_it_is_for_those_whom_the_broker_lets_look(page: str) -> None:
    refused = httpx.get(page, headers={"Authorization": f"Bearer tq_{'0' * 12}_{'a' * 43}"})

    assert code_of(refused) == (401, "ACCESS_DENIED")


def test_without_a_broker_there_is_nothing_to_show(tmp_path: Path) -> None:
    with serving(f"unix://{tmp_path}/none.sock") as url:
        response = httpx.get(f"{url}/metrics", timeout=60)

    assert code_of(response)[0] == 503


def test_it_can_only_be_read(page: str) -> None:
    assert code_of(httpx.post(page))[0] == 405
