"""What an error becomes at each edge is written down once, and released statuses stay as they are."""

from http import HTTPStatus

import pytest

from tq.model.error_statuses import UNAUTHENTICATED, Exit, GrpcStatus, of_error, of_kind
from tq.model.errors import ERRORS, Kind

G = GrpcStatus
RELEASED = {
    "ACCESS_DENIED": (403, G.PERMISSION_DENIED, 6),
    "CONFIG_INVALID": (400, G.INVALID_ARGUMENT, 2),
    "CONNECTION_LOST": (502, G.UNAVAILABLE, 3),
    "CONNECT_FAILED": (503, G.UNAVAILABLE, 3),
    "DISK_FULL": (507, G.RESOURCE_EXHAUSTED, 1),
    "FORMAT_TOO_NEW": (400, G.INVALID_ARGUMENT, 2),
    "INTERNAL": (500, G.INTERNAL, 1),
    "INVALID_ARGUMENT": (400, G.INVALID_ARGUMENT, 2),
    "LEASE_LOST": (409, G.ABORTED, 5),
    "OPERATION_NOT_FOUND": (404, G.NOT_FOUND, 4),
    "OUTCOME_UNKNOWN": (502, G.UNKNOWN, 1),
    "PAYLOAD_TOO_LARGE": (413, G.INVALID_ARGUMENT, 2),
    "PREVIEW_EXPIRED": (409, G.ABORTED, 5),
    "PROTOCOL_VIOLATION": (400, G.INVALID_ARGUMENT, 2),
    "QUEUE_FULL": (429, G.RESOURCE_EXHAUSTED, 1),
    "QUEUE_NOT_FOUND": (404, G.NOT_FOUND, 4),
    "SELECTOR_INVALID": (400, G.INVALID_ARGUMENT, 2),
    "SHUTTING_DOWN": (503, G.UNAVAILABLE, 3),
    "STORAGE_CORRUPT": (500, G.INTERNAL, 1),
    "STORAGE_FAILED": (500, G.INTERNAL, 1),
    "STORAGE_IN_USE": (409, G.ABORTED, 5),
    "TASK_CANCELLED": (424, G.FAILED_PRECONDITION, 1),
    "TASK_FAILED": (424, G.FAILED_PRECONDITION, 1),
    "TASK_NOT_FOUND": (404, G.NOT_FOUND, 4),
    "TIMED_OUT": (504, G.DEADLINE_EXCEEDED, 8),
    "TOKEN_NOT_FOUND": (404, G.NOT_FOUND, 4),
    "TOO_MANY_CONNECTIONS": (503, G.RESOURCE_EXHAUSTED, 1),
    "TOO_MANY_REQUESTS": (429, G.RESOURCE_EXHAUSTED, 1),
    "VERSION_UNSUPPORTED": (400, G.INVALID_ARGUMENT, 2),
    "WORKER_NOT_FOUND": (404, G.NOT_FOUND, 4),
    "WRONG_STATE": (409, G.ABORTED, 5),
}


def test_every_error_has_the_statuses_that_were_released() -> None:
    assert {code: tuple(of_error(error)) for code, error in ERRORS.items()} == RELEASED


@pytest.mark.parametrize("kind", Kind)
def test_no_kind_of_error_passes_for_success_at_any_edge(kind: Kind) -> None:
    statuses = of_kind(kind)

    assert HTTPStatus(statuses.http) >= HTTPStatus.BAD_REQUEST
    assert statuses.grpc != 0
    assert statuses.exit is not Exit.OK


def test_who_is_not_known_is_told_apart_from_who_may_not() -> None:
    assert tuple(UNAUTHENTICATED) == (401, GrpcStatus.UNAUTHENTICATED, Exit.DENIED)
    assert of_kind(Kind.DENIED).http == 403
