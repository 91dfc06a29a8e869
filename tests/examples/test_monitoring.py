"""The dashboard and the alerts: they name no metric and no label that tq does not have, and Prometheus takes them."""

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import yaml
from prometheus_client.metrics_core import Metric

from tests.edges.samples import metrics, queue_metrics
from tests.examples.conftest import EXAMPLES
from tq.edges.metrics import families as of_broker
from tq.worker.counts import Meter
from tq.worker.metrics import families as of_worker
from tq.worker.tally import Totals

MONITORING = EXAMPLES / "monitoring"
OF_PROMETHEUS = {"instance", "job"}
"""Labels that every series gets when it is scraped."""


def series() -> dict[str, set[str]]:
    """The labels of every series that tq has, by name."""
    meter = Meter()
    meter.count("mail", "completed", 1)
    found: dict[str, set[str]] = defaultdict(set)
    every: Iterable[Metric] = (
        *of_broker(metrics(queue_metrics("mail"))),
        *of_worker("w", Totals(types=meter.take_changed())),
    )
    for family in every:
        for sample in family.samples:
            found[sample.name] |= set(sample.labels) | OF_PROMETHEUS
    return found


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "tq.rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    for panel in dashboard()["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (
        variable["query"]["query"] for variable in dashboard()["templating"]["list"] if "datasource" in variable
    )
    yield from (annotation["expr"] for annotation in dashboard()["annotations"]["list"])


def test_every_metric_that_they_name_exists_with_the_labels_that_they_ask_for() -> None:
    known = series()

    for expression in expressions():
        for name, matchers in re.findall(r"\b(tq_\w+)(?:\{([^}]*)\})?", expression):
            assert name in known, expression
            assert set(re.findall(r"(\w+)\s*=~?", matchers)) <= known[name], expression
        named = set(re.findall(r"\b(tq_\w+)", expression))
        for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
            for label in labels.split(", "):
                assert any(label in known[name] for name in named), expression


def test_every_metric_of_the_broker_is_on_the_dashboard_or_in_an_alert() -> None:
    text = " ".join(expressions())

    assert {family.name for family in of_broker(metrics()) if family.name not in text} == {"tq_queues"}


def test_every_alert_says_how_grave_it_is_what_happened_and_what_to_look_at() -> None:
    names = [rule["alert"] for rule in rules()]

    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning"), rule
        assert rule["annotations"]["summary"], rule
        assert rule["annotations"]["description"], rule


def test_every_panel_has_a_place_of_its_own() -> None:
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(ids) == len(set(ids))
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool, of Prometheus, is not installed")
@pytest.mark.parametrize(
    "arguments",
    [("check", "config", "prometheus.yml"), ("check", "rules", "tq.rules.yml"), ("test", "rules", "tq.rules.test.yml")],
    ids=" ".join,
)
def test_prometheus_takes_them_and_the_alerts_ring_when_they_should(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=MONITORING, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr
