"""A measurement that the broker does not let go on says so, and is no defect."""

from pathlib import Path

import pytest

from tests.client.real import real_broker
from tq.bench.measures import run_measure
from tq.bench.plan import Plan
from tq.model.errors import QueueFull


def test_a_full_queue_is_said_once_though_many_submits_meet_it(tmp_path: Path) -> None:
    with (
        real_broker(tmp_path, TQ_BROKER_QUEUE_DEPTH_THRESHOLD="10") as broker,
        pytest.raises(QueueFull, match="holds 10 waiting tasks"),
    ):
        run_measure("submit", Plan(scale=0.01, url=broker.address))
