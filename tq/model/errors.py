"""Everything that can go wrong, as one small tree with one stable code each.

    TqError
    |-- InvalidArgument
    |   `-- SelectorInvalid
    |-- ConfigInvalid, PayloadTooLarge, ProtocolViolation, VersionUnsupported, FormatTooNew
    |-- AccessDenied
    |-- TaskNotFound, QueueNotFound, WorkerNotFound, OperationNotFound, TokenNotFound
    |-- LeaseLost, WrongState, PreviewExpired, StorageInUse
    |-- QueueFull, TooManyConnections, TooManyRequests, DiskFull
    |-- ConnectFailed, ConnectionLost, ShuttingDown
    |-- OutcomeUnknown
    |-- StorageFailed, StorageCorrupt
    |-- TimedOut
    |-- TaskFailed, TaskCancelled             (raised by a client that waits for a result)
    `-- InternalError

A released code never changes its meaning. `Kind` says what a caller can do about it; every edge turns a kind into
its own status (an exit code, an HTTP status, a gRPC status): tq/model/error_statuses.py.
"""

from enum import Enum
from typing import ClassVar


class Kind(Enum):
    """What a caller can do about an error. Closed: a new kind must fail the type check at every edge."""

    INVALID = "invalid"  # the request is wrong and will stay wrong: correct it
    DENIED = "denied"  # ask somebody with the role
    NOT_FOUND = "not_found"  # there is no such thing, or no longer
    CONFLICT = "conflict"  # it is there, in a state that does not allow this
    EXHAUSTED = "exhausted"  # a limit is reached: later, or less
    UNAVAILABLE = "unavailable"  # nobody there: try again, or another address
    UNKNOWN = "unknown"  # it may or may not have happened: repeat it with the same id
    TIMED_OUT = "timed_out"  # the time given was too short
    FAILED = "failed"  # the task itself did not succeed
    INTERNAL = "internal"  # a defect or a broken disk: look at the broker's log


class TqError(Exception):
    """Base of all errors that tq raises on purpose.

    Args:
        message: what happened, and to what; one sentence without a final stop.
        hint: what to do next, such as a command to run; may be empty.
    """

    code: ClassVar[str] = "INTERNAL"
    kind: ClassVar[Kind] = Kind.INTERNAL

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidArgument(TqError):
    """A field of the request is wrong."""

    code, kind = "INVALID_ARGUMENT", Kind.INVALID


class SelectorInvalid(InvalidArgument):
    """A selector makes no sense from some character on.

    Args:
        position: the index of that character in the selector, from 0, at most its length; None: not known.
    """

    code, kind = "SELECTOR_INVALID", Kind.INVALID

    def __init__(self, message: str, *, hint: str = "", position: int | None = None) -> None:
        where = "" if position is None else f"selector, character {position + 1}: "
        super().__init__(f"{where}{message}", hint=hint)
        self.position = position


class ConfigInvalid(TqError):
    """A setting is unknown or its value is wrong; the message names file, key, value and what was expected."""

    code, kind = "CONFIG_INVALID", Kind.INVALID


class PayloadTooLarge(TqError):
    """A payload, a result or a frame is above its limit."""

    code, kind = "PAYLOAD_TOO_LARGE", Kind.INVALID


class ProtocolViolation(TqError):
    """Bytes that are not the protocol; the connection that sent them is closed."""

    code, kind = "PROTOCOL_VIOLATION", Kind.INVALID


class VersionUnsupported(TqError):
    """The other side speaks a version of the protocol that this side does not."""

    code, kind = "VERSION_UNSUPPORTED", Kind.INVALID


class FormatTooNew(TqError):
    """The data directory was written by a newer tq."""

    code, kind = "FORMAT_TOO_NEW", Kind.INVALID


class AccessDenied(TqError):
    """The identity of this connection may not do this."""

    code, kind = "ACCESS_DENIED", Kind.DENIED


class TaskNotFound(TqError):
    """No task has this id: it never existed, or its record was removed after its retention."""

    code, kind = "TASK_NOT_FOUND", Kind.NOT_FOUND


class QueueNotFound(TqError):
    """No task was ever submitted to this queue."""

    code, kind = "QUEUE_NOT_FOUND", Kind.NOT_FOUND


class WorkerNotFound(TqError):
    """No worker of this name or incarnation is known."""

    code, kind = "WORKER_NOT_FOUND", Kind.NOT_FOUND


class OperationNotFound(TqError):
    """No operation has this id: it never started, or its record was removed after its retention."""

    code, kind = "OPERATION_NOT_FOUND", Kind.NOT_FOUND


class TokenNotFound(TqError):
    """No token has this name or id."""

    code, kind = "TOKEN_NOT_FOUND", Kind.NOT_FOUND


class LeaseLost(TqError):
    """The lease token is stale; the task may be running elsewhere."""

    code, kind = "LEASE_LOST", Kind.CONFLICT


class WrongState(TqError):
    """The task is in a state that does not allow this."""

    code, kind = "WRONG_STATE", Kind.CONFLICT


class PreviewExpired(TqError):
    """The preview of an operation is too old to be committed, or its broker was restarted."""

    code, kind = "PREVIEW_EXPIRED", Kind.CONFLICT


class StorageInUse(TqError):
    """Another process has the data directory open."""

    code, kind = "STORAGE_IN_USE", Kind.CONFLICT


class QueueFull(TqError):
    """The queue holds `broker.queue_depth_threshold` waiting tasks."""

    code, kind = "QUEUE_FULL", Kind.EXHAUSTED


class TooManyConnections(TqError):
    """The broker holds `broker.max_connections` connections."""

    code, kind = "TOO_MANY_CONNECTIONS", Kind.EXHAUSTED


class TooManyRequests(TqError):
    """One connection, or one limit of the broker, holds as many of these as it may."""

    code, kind = "TOO_MANY_REQUESTS", Kind.EXHAUSTED


class DiskFull(TqError):
    """The disk is full or nearly so; what was acknowledged is safe, nothing new is taken."""

    code, kind = "DISK_FULL", Kind.EXHAUSTED


class ConnectFailed(TqError):
    """No broker answers at the address."""

    code, kind = "CONNECT_FAILED", Kind.UNAVAILABLE


class ConnectionLost(TqError):
    """The connection ended before the answer came, and the request is not one that may be repeated."""

    code, kind = "CONNECTION_LOST", Kind.UNAVAILABLE


class ShuttingDown(TqError):
    """The broker is stopping."""

    code, kind = "SHUTTING_DOWN", Kind.UNAVAILABLE


class OutcomeUnknown(TqError):
    """The request may or may not be on disk; repeating it with the same id is safe."""

    code, kind = "OUTCOME_UNKNOWN", Kind.UNKNOWN


class StorageFailed(TqError):
    """The disk refused a read or a write; a failed batch may or may not be on disk."""

    code, kind = "STORAGE_FAILED", Kind.INTERNAL


class StorageCorrupt(TqError):
    """The data on disk is damaged; the broker refuses to guess."""

    code, kind = "STORAGE_CORRUPT", Kind.INTERNAL


class TimedOut(TqError):
    """The wait ended before the thing waited for happened."""

    code, kind = "TIMED_OUT", Kind.TIMED_OUT


class TaskFailed(TqError):
    """The task waited for ended in the dead letters."""

    code, kind = "TASK_FAILED", Kind.FAILED


class TaskCancelled(TqError):
    """The task waited for was cancelled, purged, or expired before it ran."""

    code, kind = "TASK_CANCELLED", Kind.FAILED


class InternalError(TqError):
    """A defect of tq; the trace is in the log of the process that found it."""

    code, kind = "INTERNAL", Kind.INTERNAL


def _all_errors(base: type[TqError]) -> dict[str, type[TqError]]:
    found: dict[str, type[TqError]] = {}
    for error in base.__subclasses__():
        found[error.code] = error
        found.update(_all_errors(error))
    return found


ERRORS: dict[str, type[TqError]] = _all_errors(TqError)
"""Every error by its code: how a client turns an error reply back into the exception it was."""
