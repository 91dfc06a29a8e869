"""The text of /metrics: what Prometheus makes of it, and docs/metrics.md, which explains every name."""

import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from tests.edges.samples import distribution, metrics, queue_metrics
from tq.edges.metrics import families, render
from tq.model.metrics import DISK_US_BOUNDS

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
Labels = frozenset[tuple[str, str]]


def samples(families: Iterable[Metric]) -> dict[tuple[str, Labels], float]:
    """Every value by name and labels; a name with the same labels twice is an error, as it is for Prometheus."""
    found: dict[tuple[str, Labels], float] = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


SHOWN = metrics(queue_metrics("mail"), queue_metrics("web", 200), rest=queue_metrics("_other", 300))


def value(name: str, **labels: str) -> float:
    return samples(families(SHOWN))[name, frozenset(labels.items())]


def test_the_metrics_of_the_readme_are_there_by_queue_and_workers_as_one_number() -> None:
    mail = SHOWN.queues[0].stats

    assert value("tq_tasks_total", queue="mail") == mail.submitted_total
    assert value("tq_tasks_pending", queue="mail") == mail.ready + mail.scheduled
    assert value("tq_tasks_in_progress", queue="mail") == mail.in_progress
    assert value("tq_task_processing_duration_seconds_count", queue="mail") == sum(range(1, 17))
    assert value("tq_workers_connected") == SHOWN.workers.connected


def test_every_number_of_a_queue_is_in_the_metric_of_its_meaning() -> None:
    mail, queue = SHOWN.queues[0].stats, {"queue": "mail"}

    assert value("tq_tasks_completed_total", **queue) == mail.completed_total
    assert value("tq_tasks_cancelled_total", **queue) == mail.cancelled_total
    assert value("tq_tasks_dead_lettered_total", **queue) == mail.dead_total
    assert value("tq_task_attempts_failed_total", **queue) == mail.failed_total
    assert value("tq_task_crashes_total", **queue) == mail.crashed_total
    assert value("tq_task_retries_total", **queue) == SHOWN.queues[0].retried_total
    assert value("tq_tasks_scheduled", **queue) == mail.scheduled
    assert value("tq_tasks_retrying", **queue) == mail.retrying
    assert value("tq_tasks_dead_letter", **queue) == mail.dead
    assert value("tq_tasks_no_handler", **queue) == mail.no_handler
    assert value("tq_queue_oldest_task_age_seconds", **queue) == mail.oldest_ready_ms / 1_000
    assert value("tq_queue_paused", **queue) == 0
    assert value("tq_tasks_ready", queue="mail", priority="high") == mail.ready_high
    assert value("tq_tasks_ready", queue="mail", priority="normal") == mail.ready_normal
    assert value("tq_tasks_ready", queue="mail", priority="low") == mail.ready_low


def test_queues_without_a_name_of_their_own_are_counted_as_other_with_the_age_of_the_oldest() -> None:
    assert SHOWN.rest is not None
    assert value("tq_tasks_total", queue="_other") == SHOWN.rest.stats.submitted_total
    assert value("tq_queue_oldest_task_age_seconds", queue="_other") == SHOWN.rest.stats.oldest_ready_ms / 1_000
    for name in ("tq_tasks_no_handler", "tq_queue_paused"):
        with pytest.raises(KeyError):
            value(name, queue="_other")


def test_the_process_is_there_in_base_units() -> None:
    process = SHOWN.process
    assert process is not None
    assert value("tq_broker_info", version="1.2.3", sync="always") == 1
    assert value("tq_broker_start_time_seconds") == process.stats.started_at_ms / 1_000
    assert value("tq_broker_cpu_seconds_total") == 2.5
    assert value("tq_broker_accepting") == 1
    assert value("tq_broker_connections") == process.stats.connections
    assert value("tq_broker_connections_max") == process.connections_max
    assert value("tq_broker_connections_opened_total") == process.connections_total
    assert value("tq_broker_connections_denied_total") == process.denied_total
    assert value("tq_broker_disk_free_bytes") == process.stats.disk_free_bytes
    assert value("tq_broker_resident_memory_bytes") == process.stats.rss_bytes


def test_a_distribution_is_cumulative_in_seconds_with_its_sum() -> None:
    counts = distribution(DISK_US_BOUNDS).counts

    assert value("tq_commit_duration_seconds_bucket", le="0.00025") == counts[0]
    assert value("tq_commit_duration_seconds_bucket", le="0.0005") == counts[0] + counts[1]
    assert value("tq_commit_duration_seconds_bucket", le="+Inf") == sum(counts)
    assert value("tq_commit_duration_seconds_count") == sum(counts)
    assert value("tq_commit_duration_seconds_sum") == 1.234567
    assert value("tq_sync_duration_seconds_count") == sum(counts) + 10 * len(counts)


def test_edges_are_shown_by_operation_and_status() -> None:
    assert value("tq_edge_requests_total", edge="rest", operation="submit", status="400") == 8
    assert value("tq_edge_requests_total", edge="rest", operation="none", status="404") == 9
    assert value("tq_edge_request_duration_seconds_bucket", edge="rest", operation="submit", le="0.00025") == 1
    assert value("tq_edge_requests_in_progress", edge="rest") == 3
    assert value("tq_edge_start_time_seconds", edge="rest") == 5
    assert value("tq_edge_resident_memory_bytes", edge="rest") == 6_000
    assert value("tq_edge_cpu_seconds_total", edge="rest") == 7


@pytest.mark.parametrize(("accept", "read"), [("", read_text), (OPENMETRICS, read_openmetrics)])
def test_what_is_rendered_is_read_back_as_it_was(accept: str, read: Callable[[str], Iterable[Metric]]) -> None:
    body, content_type = render(SHOWN, accept)

    assert content_type.startswith("application/openmetrics-text; version=1.0.0" if accept else "text/plain")
    assert samples(read(body.decode())) == samples(families(SHOWN))


@pytest.mark.parametrize("accept", ["application/openmetrics-text; version=9\x00", "*/*", "nonsense;;;=,", "text/html"])
def test_any_accept_header_is_answered_in_a_form_that_prometheus_reads(accept: str) -> None:
    _, content_type = render(SHOWN, accept)

    assert content_type in (
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        "text/plain; version=0.0.4; charset=utf-8",
    )


@pytest.mark.parametrize("name", ['a"b', "a\\b", "café", "{x}", "a,b=c"])
def test_the_name_of_a_queue_cannot_break_the_text(name: str) -> None:
    shown = metrics(queue_metrics(name))

    for accept, read in (("", read_text), (OPENMETRICS, read_openmetrics)):
        assert samples(read(render(shown, accept)[0].decode())) == samples(families(shown))


def test_a_broker_without_queues_shows_zeros_and_no_series_of_queues() -> None:
    shown = metrics()

    assert {name for name, labels in samples(families(shown)) if "queue" in dict(labels)} == set()
    assert not any(math.isnan(number) for number in samples(families(shown)).values())
    assert [family.name for family in families(shown)] == [family.name for family in families(SHOWN)]


def test_the_page_explains_every_metric_with_its_kind_and_its_labels_and_no_others() -> None:
    documented = {
        name: (kind, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in re.findall(r"^\| `(tq_\w+)` \| (\w+) \| ([^|]*) \|", PAGE, re.MULTILINE)
        if not name.startswith("tq_worker_")
    }

    shown = {}
    for family in families(SHOWN):
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        kind = {"info": "gauge"}.get(family.type, family.type)
        labels = {label: None for sample in family.samples for label in sample.labels if label != "le"}
        shown[family.name + suffix] = (kind, tuple(sorted(labels)))
    assert documented == shown
