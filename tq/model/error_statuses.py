"""What an error becomes at each edge: an HTTP status, a gRPC status, an exit code of the CLI. One table for all.

The kind of an error decides, for it says what a caller can do next; a few codes have a better HTTP status of their
own. The stable code of the error goes along at every edge (`code` of a problem document, `reason` of a gRPC detail), so
nobody has to guess it from the status. docs/rest.md and docs/grpc.md show the table to users.
"""

from enum import IntEnum
from typing import NamedTuple, assert_never

from tq.model.errors import (
    ConnectionLost,
    DiskFull,
    Kind,
    PayloadTooLarge,
    TooManyConnections,
    TqError,
)


class Exit(IntEnum):
    """What `tq` ends with. A released code never changes its meaning."""

    OK = 0
    FAILED = 1  # the task, or the command itself, did not succeed
    USAGE = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    CONFLICT = 5
    DENIED = 6
    PARTIAL = 7  # done to some of what was named, and not to the rest
    TIMED_OUT = 8
    INTERRUPTED = 130


class GrpcStatus(IntEnum):
    """The status codes of gRPC that tq answers with, by their numbers (grpc.io/docs/guides/status-codes)."""

    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class Statuses(NamedTuple):
    """An error, as each edge says it. `http` is a status of RFC 9110, or 424 and 507 of RFC 4918."""

    http: int
    grpc: GrpcStatus
    exit: Exit


UNAUTHENTICATED = Statuses(401, GrpcStatus.UNAUTHENTICATED, Exit.DENIED)
"""Of an AccessDenied that the greeting met: no token, or one that is unknown, expired or revoked. Another one may help,
which is what 401 and UNAUTHENTICATED say; what a role or a queue forbids is 403 and PERMISSION_DENIED."""


def of_kind(kind: Kind) -> Statuses:
    """What errors of a kind become."""
    match kind:
        case Kind.INVALID:
            return Statuses(400, GrpcStatus.INVALID_ARGUMENT, Exit.USAGE)
        case Kind.DENIED:
            return Statuses(403, GrpcStatus.PERMISSION_DENIED, Exit.DENIED)
        case Kind.NOT_FOUND:
            return Statuses(404, GrpcStatus.NOT_FOUND, Exit.NOT_FOUND)
        case Kind.CONFLICT:
            return Statuses(409, GrpcStatus.ABORTED, Exit.CONFLICT)
        case Kind.EXHAUSTED:
            return Statuses(429, GrpcStatus.RESOURCE_EXHAUSTED, Exit.FAILED)
        case Kind.UNAVAILABLE:
            return Statuses(503, GrpcStatus.UNAVAILABLE, Exit.UNREACHABLE)
        case Kind.UNKNOWN:
            # Not 503, which says that nothing happened: this may have.
            return Statuses(502, GrpcStatus.UNKNOWN, Exit.FAILED)
        case Kind.TIMED_OUT:
            # Not 408, after which browsers and proxies repeat the request by themselves.
            return Statuses(504, GrpcStatus.DEADLINE_EXCEEDED, Exit.TIMED_OUT)
        case Kind.FAILED:
            return Statuses(424, GrpcStatus.FAILED_PRECONDITION, Exit.FAILED)
        case Kind.INTERNAL:
            return Statuses(500, GrpcStatus.INTERNAL, Exit.FAILED)
        case _:
            assert_never(kind)


_HTTP_BY_CODE = {
    PayloadTooLarge.code: 413,
    TooManyConnections.code: 503,  # of all callers together; 429 would blame this one
    DiskFull.code: 507,
    ConnectionLost.code: 502,  # it may have happened, as for Kind.UNKNOWN
}


def of_error(error: TqError | type[TqError]) -> Statuses:
    """What an error becomes."""
    statuses = of_kind(error.kind)
    return statuses._replace(http=_HTTP_BY_CODE.get(error.code, statuses.http))
