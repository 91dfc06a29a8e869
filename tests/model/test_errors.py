"""The tree of errors: one stable code each."""

import re

import pytest

from tq.model import errors
from tq.model.errors import ERRORS, InternalError, Kind, LeaseLost, TqError

RELEASED = {
    "ACCESS_DENIED": "denied",
    "CONFIG_INVALID": "invalid",
    "CONNECTION_LOST": "unavailable",
    "CONNECT_FAILED": "unavailable",
    "DISK_FULL": "exhausted",
    "FORMAT_TOO_NEW": "invalid",
    "INTERNAL": "internal",
    "INVALID_ARGUMENT": "invalid",
    "SELECTOR_INVALID": "invalid",
    "LEASE_LOST": "conflict",
    "OUTCOME_UNKNOWN": "unknown",
    "PAYLOAD_TOO_LARGE": "invalid",
    "PROTOCOL_VIOLATION": "invalid",
    "QUEUE_FULL": "exhausted",
    "QUEUE_NOT_FOUND": "not_found",
    "SHUTTING_DOWN": "unavailable",
    "STORAGE_CORRUPT": "internal",
    "STORAGE_FAILED": "internal",
    "STORAGE_IN_USE": "conflict",
    "TASK_CANCELLED": "failed",
    "TASK_FAILED": "failed",
    "TASK_NOT_FOUND": "not_found",
    "TIMED_OUT": "timed_out",
    "TOO_MANY_CONNECTIONS": "exhausted",
    "TOO_MANY_REQUESTS": "exhausted",
    "VERSION_UNSUPPORTED": "invalid",
    "WORKER_NOT_FOUND": "not_found",
    "WRONG_STATE": "conflict",
}


def test_released_codes_keep_their_meaning() -> None:
    """Programs and people act on them: a code may be added, none may change or go."""
    now = {code: error.kind.value for code, error in ERRORS.items()}

    assert RELEASED.items() <= now.items()


@pytest.mark.parametrize("error", ERRORS.values(), ids=lambda error: error.__name__)
def test_each_error_has_a_code_of_its_own_a_kind_and_a_sentence(error: type[TqError]) -> None:
    assert ERRORS[error.code] is error
    assert re.fullmatch("[A-Z]+(_[A-Z]+)*", error.code)
    assert isinstance(error.kind, Kind)
    assert error.__doc__


def test_the_tree_atop_the_module_names_every_error() -> None:
    assert errors.__doc__ is not None
    for error in ERRORS.values():
        assert error.__name__ in errors.__doc__


def test_an_error_says_what_happened_and_what_to_do_next() -> None:
    error = LeaseLost("the lease is stale", hint="fetch again")

    assert (error.message, error.hint, str(error)) == (
        "the lease is stale",
        "fetch again",
        "the lease is stale (fetch again)",
    )
    assert str(InternalError("defect")) == "defect"
