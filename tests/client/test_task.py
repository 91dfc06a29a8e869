from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tq.client.ids import new_id
from tq.client.task import Task
from tq.model.errors import InvalidArgument
from tq.model.ids import format_id
from tq.model.task import NORMAL, RetryPolicy, TaskOptions, TaskSpec


def test_a_plain_task_carries_no_options_at_all() -> None:
    task_id = new_id()

    spec = Task("send_email", b"body").to_spec(task_id)

    assert spec == TaskSpec(task_id, "send_email", b"body", "default", NORMAL, 300_000, 3, "", None)


def test_every_field_reaches_the_spec() -> None:
    task_id = new_id()
    retry = RetryPolicy(backoff_ms_base=5, backoff_ms_max=50, factor=3.0, jitter=False)
    eta = datetime(2030, 1, 2, tzinfo=UTC)

    spec = Task(
        "resize",
        bytearray(b"px"),  # type: ignore[arg-type]
        queue="images",
        priority=255,
        timeout_seconds=0.25,
        max_retries=0,
        content_type="image/png",
        delay="10m",
        eta=eta,
        expires=timedelta(hours=2),
        key="one",
        result_ttl="0",
        max_crashes=9,
        retry=retry,
        id=format_id(task_id),
        tags=["nightly", "eu", "nightly"],
        trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ).to_spec(new_id())

    options = TaskOptions(
        delay_ms=600_000,
        eta_ms=int(eta.timestamp() * 1000),
        expires_ms=7_200_000,
        key="one",
        result_ttl_ms=0,
        max_crashes=9,
        retry=retry,
        tags=("nightly", "eu"),
        trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    assert spec == TaskSpec(task_id, "resize", b"px", "images", 255, 250, 0, "image/png", options)


def test_a_task_without_an_id_gets_a_new_one_each_time() -> None:
    task = Task("send_email")

    assert task.to_spec().id != task.to_spec().id


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"task_type": ""}, "task type is empty"),
        ({"task_type": 7}, "is not text"),
        ({"task_type": "a\x1b[2J"}, "control or invisible"),
        ({"queue": "x" * 201}, "longer than 200 bytes"),
        ({"queue": None}, "is not text"),
        ({"payload": "text"}, "the payload of 'send_email' is str, not bytes"),
        ({"priority": 256}, "priority 256 is not a whole number from 0 to 255"),
        ({"priority": -1}, "priority -1"),
        ({"priority": True}, "priority True"),
        ({"priority": 1.0}, "priority 1.0"),
        ({"max_retries": 1001}, "max_retries 1001 is not a whole number from 0 to 1000"),
        ({"max_crashes": 1001}, "max_crashes 1001"),
        ({"max_crashes": 0}, "max_crashes 0 is not a whole number from 1 to 1000"),
        ({"timeout_seconds": 0}, "timeout_seconds 0 is not above 0"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds nan"),
        ({"timeout_seconds": float("inf")}, "timeout_seconds inf"),
        ({"timeout_seconds": "30s"}, "timeout_seconds '30s' is not a number"),
        ({"content_type": "\n"}, "control or invisible"),
        ({"content_type": 1}, "content_type 1 is not text"),
        ({"delay": 5}, "delay 5 is a bare int"),
        ({"delay": "soon"}, "delay 'soon' is not a duration"),
        ({"expires": timedelta(seconds=-1)}, "is not between 0 and ten years"),
        ({"eta": datetime(2030, 1, 1)}, "is not a moment with a time zone"),  # noqa: DTZ001
        ({"eta": datetime(1960, 1, 1, tzinfo=UTC)}, "is before 1970"),
        ({"key": ""}, "key is empty"),
        ({"key": b"k"}, "key b'k' is not text"),
        ({"retry": RetryPolicy(backoff_ms_base="1s")}, "is not a RetryPolicy"),  # type: ignore[arg-type]
        ({"retry": None}, "is not a RetryPolicy"),
        ({"trace": "00-short"}, "trace '00-short' is not a traceparent"),
        ({"trace": 7}, "trace 7 is not text"),
        ({"tags": "nightly"}, "tags 'nightly' is not a list of texts"),
        ({"tags": [7]}, "tags [7] is not a list of texts"),
        ({"tags": ["x" * 101]}, "longer than 100 characters"),
        ({"tags": ["\x1b[2J"]}, "control or invisible"),
        ({"tags": [f"t{number}" for number in range(17)]}, "at most 16 tags"),
        ({"id": "x"}, "'x' is not a task id"),
    ],
)
def test_a_wrong_field_is_named_before_anything_is_sent(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Task(**{"task_type": "send_email", **fields}).to_spec()

    assert message in caught.value.message
