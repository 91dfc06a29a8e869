"""Payloads and results as people and scripts see them. The broker never reads these bytes; here they are decoded."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from tq.model.errors import InvalidArgument
from tq.model.plain import plain

JSON = "application/json"

Encoding = Literal["json", "text", "base64"]


class Opened(NamedTuple):
    """A payload taken out of its encoding. `value`: any for json, a str for text, bytes for base64."""

    encoding: Encoding
    value: object


def opened(data: bytes, content_type: str) -> Opened:
    """What the content type says that the bytes are; the bytes themselves where it says nothing, or not the truth."""
    media_type = content_type.partition(";")[0].strip().lower()
    try:
        if media_type == JSON or media_type.endswith("+json"):
            return Opened("json", msgspec.json.decode(data))
        if media_type == "application/msgpack" or media_type.endswith("+msgpack"):
            # Imported here: most verbs show no payload, and the codec of the task API brings msgpack along.
            from tq.app.codec import ARGUMENTS, decode
            from tq.app.readable import readable

            value = decode(data)
            if media_type == ARGUMENTS:
                return Opened("json", readable(value))
            return Opened("base64", value) if isinstance(value, bytes) else Opened("json", jsonable(value))
        if media_type.startswith("text/"):
            return Opened("text", data.decode())
    except (InvalidArgument, ValueError, RecursionError):
        pass
    return Opened("base64", data)


def guess_content_type(data: bytes) -> str:
    """JSON for a JSON object, which is what handlers take their arguments from; else nothing: bare bytes."""
    try:
        return JSON if isinstance(msgspec.json.decode(data), dict) else ""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def decoded(data: bytes, content_type: str) -> tuple[object, Encoding]:
    """A payload for JSON, and how to read it there.

    json: the value itself; text: UTF-8; base64: bytes, RFC 4648.
    """
    encoding, value = opened(data, content_type)
    return jsonable(value), encoding


def jsonable(value: object) -> object:
    """A value of MessagePack as JSON can say it.

    Bytes become base64, moments and lengths ISO 8601, keys of maps text, sets arrays, integers beyond 64 bits text.
    """
    if isinstance(value, Mapping):
        return {str(jsonable(key)): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return str(value)
    return msgspec.to_builtins(value)


def as_text(data: bytes, content_type: str, *, indent: bool = False) -> str:
    """A payload for people, not yet made plain: JSON on one line or indented, text as it is, base64 as the last resort.

    Bytes without a content type that are printable UTF-8 are shown as text.
    """
    encoding, value = opened(data, content_type)
    if encoding == "json":
        document = msgspec.json.encode(value)
        return (msgspec.json.format(document, indent=2) if indent else document).decode()
    if encoding == "base64" and not content_type:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return str(jsonable(data))
        return text if plain(text, keep_lines=True) == text else str(jsonable(data))
    return str(jsonable(value))


def as_file(data: bytes, content_type: str) -> bytes | None:
    """What a file of this payload should hold: text or bytes; None for a value, which has no such form."""
    encoding, value = opened(data, content_type)
    if encoding == "json":
        return None
    return value if isinstance(value, bytes) else data


def size(count: int) -> str:
    """A number of bytes: 512 -> "512 B", 1536 -> "1.5 KiB"."""
    if count < 1024:
        return f"{count} B"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"
