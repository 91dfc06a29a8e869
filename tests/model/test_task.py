"""The words for a task, on disk and on the wire."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tq.model.task import (
    HIGH,
    LOW,
    NORMAL,
    PRIORITY_MAX,
    AttemptRecord,
    State,
    StoredTask,
    TaskOptions,
    TaskSpec,
    TaskState,
    Tier,
    tier_of,
)

encode, decode = msgspec.msgpack.encode, msgspec.msgpack.decode


@pytest.mark.parametrize(
    ("priority", "tier"),
    [(0, Tier.LOW), (84, Tier.LOW), (85, Tier.NORMAL), (169, Tier.NORMAL), (170, Tier.HIGH), (255, Tier.HIGH)],
)
def test_priorities_fall_into_three_tiers(priority: int, tier: Tier) -> None:
    assert tier_of(priority) is tier


def test_tiers_are_ordered_and_their_names_lie_in_their_middle() -> None:
    assert [tier_of(priority) for priority in (LOW, NORMAL, HIGH)] == [Tier.LOW, Tier.NORMAL, Tier.HIGH]
    tiers = [tier_of(priority) for priority in range(PRIORITY_MAX + 1)]
    assert tiers == sorted(tiers)


def test_only_ended_tasks_are_final() -> None:
    assert {state for state in State if state.is_final} == {State.COMPLETED, State.DEAD_LETTER, State.CANCELLED}


def test_states_have_the_names_that_every_interface_shows() -> None:
    names = ["pending", "in_progress", "completed", "failed", "dead_letter", "cancelled"]

    assert [str(state) for state in State] == names


@given(st.builds(TaskSpec, st.binary(min_size=16, max_size=16), st.text(), st.binary()))
def test_a_stored_task_is_read_as_it_was_written(spec: TaskSpec) -> None:
    stored = StoredTask(1, 2, 3, 4, spec)

    assert decode(encode(stored), type=StoredTask) == stored


def test_an_older_row_without_the_newest_fields_is_still_read() -> None:
    """A new field goes to the end with a default: no change of format."""
    short = encode([State.PENDING, 7])

    assert decode(short, type=TaskState) == TaskState(state=State.PENDING, sequence=7)


def test_a_newer_row_with_one_more_field_is_still_read() -> None:
    state = TaskState(state=State.FAILED, history=(AttemptRecord(1, "failed", 2, 3, "w"),))
    longer = encode([*decode(encode(state)), "a field of the future"])

    assert decode(longer, type=TaskState) == state


def test_an_ordinary_task_costs_few_bytes_beside_its_payload() -> None:
    """Ten million of them wait on disk."""
    spec = TaskSpec(bytes(16), "mail", bytes(200))

    assert len(encode(StoredTask(1_700_000_000_000, 10_000_000, 0, 0, spec))) < 290


def test_the_defaults_are_those_of_the_manual() -> None:
    spec, options = TaskSpec(bytes(16), "mail", b""), TaskOptions()

    assert (spec.queue, spec.priority, spec.timeout_ms, spec.max_retries) == ("default", NORMAL, 300_000, 3)
    assert (options.result_ttl_ms, options.max_crashes) == (3_600_000, 3)
    assert (options.retry.backoff_ms_base, options.retry.factor, options.retry.jitter) == (1_000, 2.0, True)
