"""One exit code for each thing that a script could do next."""

import pytest

from tq.cli.exits import Exit, of_bulk, of_kind, of_outcome
from tq.model.errors import ERRORS, Kind
from tq.model.task import State


def test_every_error_has_an_exit_code_that_is_not_success() -> None:
    assert all(of_kind(error.kind) is not Exit.OK for error in ERRORS.values())


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (Kind.INVALID, 2),
        (Kind.UNAVAILABLE, 3),
        (Kind.NOT_FOUND, 4),
        (Kind.CONFLICT, 5),
        (Kind.DENIED, 6),
        (Kind.TIMED_OUT, 8),
        (Kind.EXHAUSTED, 1),
        (Kind.UNKNOWN, 1),
        (Kind.FAILED, 1),
        (Kind.INTERNAL, 1),
    ],
)
def test_a_kind_keeps_the_exit_code_that_was_released(kind: Kind, code: int) -> None:
    assert of_kind(kind) == code


def test_a_task_that_completed_is_success_and_every_other_end_is_failure() -> None:
    ends = {state: of_outcome(state) for state in State if state.is_final}

    assert ends == {State.COMPLETED: 0, State.DEAD_LETTER: 1, State.CANCELLED: 1}


def test_a_bulk_action_is_partial_only_if_something_was_done_and_something_was_not() -> None:
    assert of_bulk(done=3, skipped=0) == 0
    assert of_bulk(done=2, skipped=1) == 7
    assert of_bulk(done=0, skipped=3) == 5
