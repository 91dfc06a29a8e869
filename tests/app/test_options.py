"""The options of a submit are checked once, and cost nothing on the wire where all is as usual."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tq.app.options import SubmitOptions
from tq.app.retries import fixed
from tq.model.errors import InvalidArgument
from tq.model.task import HIGH, TaskOptions, TaskSpec

ID = bytes(16)


def test_without_options_a_task_is_what_the_model_says() -> None:
    assert SubmitOptions().spec(ID, "job", b"x", "") == TaskSpec(ID, "job", b"x")


def test_options_end_up_in_the_task() -> None:
    options = SubmitOptions().changed(
        queue="mail",
        priority=HIGH,
        timeout="30s",
        max_retries=0,
        delay="10m",
        eta=datetime(2030, 1, 1, tzinfo=UTC),
        expires=timedelta(hours=1),
        key="welcome-7",
        result_ttl="0",
        max_crashes=1,
        tags=["eu"],
        backoff=fixed("5s"),
    )

    assert options.key == "welcome-7"
    assert options.spec(ID, "job", b"", "text/plain") == TaskSpec(
        ID,
        "job",
        b"",
        "mail",
        HIGH,
        30_000,
        0,
        "text/plain",
        TaskOptions(
            delay_ms=600_000,
            eta_ms=1_893_456_000_000,
            expires_ms=3_600_000,
            key="welcome-7",
            result_ttl_ms=0,
            max_crashes=1,
            tags=("eu",),
            retry=fixed("5s"),
        ),
    )


def test_what_is_not_given_stays_as_it_was() -> None:
    first = SubmitOptions().changed(queue="mail", delay="1m", key="k", tags=("a", "b"))
    second = first.changed(priority=1, delay="2m")

    assert (second.queue, second.priority, second.key) == ("mail", 1, "k")
    assert second.rest == TaskOptions(delay_ms=120_000, key="k", tags=("a", "b"))
    assert second.changed(tags=()).rest == TaskOptions(delay_ms=120_000, key="k")
    assert second.changed() == second


def test_usual_options_cost_nothing_on_the_wire() -> None:
    assert SubmitOptions().changed(queue="mail", delay="0", max_crashes=3).rest is None
    assert SubmitOptions().key is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"timeout": 30}, "timeout 30 is a bare int"),
        ({"delay": 1.5}, "delay 1.5 is a bare float"),
        ({"expires": "soon"}, "expires 'soon' is not a duration"),
        ({"result_ttl": "-1s"}, "result_ttl '-1s' is not a duration"),
        ({"timeout": "0"}, "timeout '0' leaves no time to run"),
        ({"queue": ""}, "queue is empty"),
        ({"queue": 5}, "queue 5 is not a str"),
        ({"queue": "a\nb"}, "has a control or invisible character"),
        ({"priority": 256}, "priority 256 is not a whole number from 0 to 255"),
        ({"priority": "high"}, "priority 'high'"),
        ({"priority": True}, "priority True"),
        ({"max_retries": -1}, "max_retries -1"),
        ({"max_crashes": 0}, "max_crashes 0"),
        ({"tags": "eu"}, "tags 'eu' is not a list of texts"),
        ({"tags": [""]}, "tag is empty"),
        ({"key": ""}, "key is empty"),
        ({"key": 7}, "key 7 is not a str"),
        ({"eta": datetime(2030, 1, 1, tzinfo=UTC).replace(tzinfo=None)}, "is not a datetime with a time zone"),
        ({"eta": "tomorrow"}, "eta 'tomorrow' is not a datetime"),
    ],
)
def test_a_wrong_option_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        SubmitOptions().changed(**wrong)

    assert message in refusal.value.message


def test_a_moment_that_is_past_is_now() -> None:
    assert SubmitOptions().changed(eta=datetime(1960, 1, 1, tzinfo=UTC)).rest == TaskOptions(eta_ms=0)
