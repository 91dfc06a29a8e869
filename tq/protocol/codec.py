"""Messages to frames and back: one MessagePack array each, its first element the tag of a Struct.

msgspec checks types and bounds while it decodes, so that no later code has to.
"""

from collections.abc import Callable

import msgspec

from tq.model.commands import Request
from tq.model.errors import ERRORS, InternalError, ProtocolViolation, TqError
from tq.model.replies import ErrorReply, FromBroker
from tq.protocol.frames import HEADER

PROTOCOL_VERSION = 1
REASON_CHARS_MAX = 300

_encode = msgspec.msgpack.Encoder().encode
_decode_request: Callable[[bytes], Request] = msgspec.msgpack.Decoder(Request).decode
_decode_from_broker: Callable[[bytes], FromBroker] = msgspec.msgpack.Decoder(FromBroker).decode
_pack_header = HEADER.pack


def encode_frame(message: Request | FromBroker) -> bytes:
    """One message as a frame, its header included."""
    body = _encode(message)
    return _pack_header(len(body)) + body


def decode_request(frame: bytes) -> Request:
    """What a client sent.

    Raises:
        ProtocolViolation: not MessagePack, no such tag, or a field of the wrong type or out of bounds.
    """
    try:
        return _decode_request(frame)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as cause:
        raise ProtocolViolation(f"not a request: {_in_short(cause)}") from None


def decode_from_broker(frame: bytes) -> FromBroker:
    """What a broker sent.

    Raises:
        ProtocolViolation: as for `decode_request`.
    """
    try:
        return _decode_from_broker(frame)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as cause:
        raise ProtocolViolation(f"not a reply: {_in_short(cause)}") from None


def _in_short(cause: Exception) -> str:
    """What is wrong, without all of it: msgspec quotes a wrong value whole, and this goes to logs and replies."""
    text = str(cause)
    return text if len(text) <= REASON_CHARS_MAX else f"{text[:REASON_CHARS_MAX]}..."


def to_reply(request_id: int, error: TqError) -> ErrorReply:
    """An error as the reply that carries it."""
    return ErrorReply(request_id, error.code, error.message, error.hint)


def to_error(reply: ErrorReply) -> TqError:
    """The error that a reply carries; a code that this version does not know is an InternalError that names it."""
    known = ERRORS.get(reply.code)
    if known is None:
        return InternalError(f"{reply.code}: {reply.message}", hint=reply.hint)
    return known(reply.message, hint=reply.hint)
