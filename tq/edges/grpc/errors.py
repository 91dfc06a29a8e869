"""Errors as gRPC says them: a status, and the stable code with its hint in the trailing metadata."""

import logging
from bisect import bisect_right
from itertools import accumulate
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from tq.model.error_statuses import UNAUTHENTICATED, of_error
from tq.model.errors import AccessDenied, InternalError, InvalidArgument, TqError

CODE_KEY = "tq-code"
"""The stable code by itself, for clients that do not read google.rpc.Status."""
DETAILS_KEY = "grpc-status-details-bin"
DOMAIN = "tq"
_MESSAGE_BYTES_MAX, _HINT_BYTES_MAX = 560, 280
"""With which the trailing metadata of an error stays below 2 KiB: the message is there twice, and what is binary takes
a third more. Above 8 KiB gRPC itself drops all of it, the code too; a proxy may have less room."""
_ESCAPED_BYTES = 3
"""For one byte that is not printable ASCII, as the status message is sent."""
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

_STATUSES: dict[int, grpc.StatusCode] = {status.value[0]: status for status in grpc.StatusCode}
log = logging.getLogger("tq.edges")


class Unauthenticated(AccessDenied):
    """The greeting was refused: other credentials may help, which PERMISSION_DENIED would not say.

    The hint is that of gRPC, for the broker's own is about its clients, and their environment.
    """

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            hint='show a token in the metadata: "authorization: Bearer tq_..."; '
            "an admin makes one: tq token create NAME --role ROLE",
        )


def status_of(error: TqError) -> grpc.StatusCode:
    """What an error becomes."""
    return _STATUSES[(UNAUTHENTICATED if isinstance(error, Unauthenticated) else of_error(error)).grpc.value]


async def fail(context: Any, error: TqError) -> NoReturn:
    """End a call with an error."""
    status = status_of(error)
    message = _shortened(error.message, _MESSAGE_BYTES_MAX)
    shown = {"hint": _shortened(error.hint, _HINT_BYTES_MAX)} if error.hint else {}
    position = getattr(error, "position", None)
    if position is not None:
        shown["position"] = str(position)
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason=error.code, domain=DOMAIN, metadata=shown))
    details = status_pb2.Status(code=status.value[0], message=message, details=[info])
    await context.abort(status, message, ((CODE_KEY, error.code), (DETAILS_KEY, details.SerializeToString())))
    raise AssertionError("abort raises")


def _shortened(text: str, bytes_max: int) -> str:
    """As much of a text as is sent in so many bytes, its end marked if cut."""
    ends = list(accumulate(map(_sent_bytes, text[: bytes_max + 1])))
    if not ends or ends[-1] <= bytes_max:
        return text
    return text[: bisect_right(ends, bytes_max - _sent_bytes(_ELLIPSIS))] + _ELLIPSIS


def _sent_bytes(char: str) -> int:
    return 1 if " " <= char <= "~" and char != "%" else _ESCAPED_BYTES * len(char.encode())


def known(error: BaseException, method: str) -> TqError:
    """The error to tell the caller. One that is not tq's own is a defect: its trace goes to the log, its text nowhere
    else."""
    if isinstance(error, TqError):
        return error
    if isinstance(error, UnicodeError):
        return InvalidArgument("a text of the request is not valid Unicode")
    log.error("edge_defect", extra={"edge": "grpc", "method": method}, exc_info=error)
    return InternalError("a defect of tq", hint="its trace is in the log of the broker")
