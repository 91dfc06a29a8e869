"""Arguments and results as bytes: MessagePack, with extension types for what MessagePack lacks. Never pickle.

A payload is a map from parameter name to value; a result is one value. Other languages read and write both with any
MessagePack library. Extension types (a released code never changes its meaning):

    code  Python                content of the extension
    1     datetime              ISO 8601 text, with the offset if the datetime has one
    2     date                  ISO 8601 text
    3     time                  ISO 8601 text
    4     timedelta             MessagePack array: days, seconds, microseconds
    5     UUID                  16 bytes
    6     Decimal               text
    7     set                   MessagePack array
    8     frozenset             MessagePack array
    9     int beyond 64 bits    decimal text
    -1    datetime, in UTC      MessagePack's own timestamp; read, never written

What has a plain form is written plainly, and the annotation of the handler builds it again: a tuple is an array, an
Enum is its value, a path is text, a dataclass, attrs class, msgspec Struct or pydantic model is a map. Without an
annotation a handler gets the plain form.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin
from uuid import UUID

import msgpack  # type: ignore[import-untyped]
import msgspec

from tq.model.errors import InvalidArgument

ARGUMENTS = "application/vnd.tq.args+msgpack"
"""Content type of a payload made here: a map from parameter name to value."""
VALUE = "application/vnd.tq.value+msgpack"
"""Content type of a result made here: one value."""
JSON = "application/json"
"""Content type of arguments written by people and other languages: an object from parameter name to value."""
RAW = "application/octet-stream"
"""Content type of bytes that are nobody's business but the handler's; so are bytes without a content type."""

_T = TypeVar("_T")
_BUILTIN = (bytes, bytearray, memoryview, datetime, date, time, timedelta, UUID, Decimal)
# What msgspec raises on hostile bytes, and what the constructors of the extension types raise.
_BAD_BYTES = (msgspec.MsgspecError, ValueError, TypeError, ArithmeticError, RecursionError)


def encode(value: object) -> bytes:
    """One value as MessagePack.

    Raises:
        InvalidArgument: it holds something that has no form here, such as an open file, or is nested too deeply.
    """
    try:
        packed: bytes = msgpack.packb(value, default=_plain, strict_types=True)
    except Exception as cause:  # msgpack's own, or whatever the code of a value's class raises
        raise InvalidArgument(f"cannot be encoded: {cause}", hint="pass plain data, such as an id") from None
    return packed


def decode(data: bytes) -> Any:
    """A value of which the type is not known: what MessagePack and the extension types say.

    Raises:
        InvalidArgument: not MessagePack, or an extension type that is not in the table above.
    """
    try:
        return msgspec.msgpack.decode(data, ext_hook=_from_extension)
    except _BAD_BYTES as cause:
        raise InvalidArgument(f"not MessagePack: {cause}") from None


def format_of(content_type: str) -> str:
    """What bytes of a content type are: "msgpack", "json" or "raw"; the content type itself if it is none of these."""
    if content_type in (ARGUMENTS, VALUE):
        return "msgpack"
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in ("", RAW):
        return "raw"
    if media_type == JSON or media_type.endswith("+json"):
        return "json"
    if media_type in ("application/msgpack", "application/x-msgpack") or media_type.endswith("+msgpack"):
        return "msgpack"
    return media_type


class TypedDecoder(Generic[_T]):
    """Bytes to one type, checked.

    Of a union that msgspec cannot tell apart, such as str | UUID, the first member that fits is taken; a value that
    came as one of them stays it.

    Raises:
        TypeError: values of this type cannot be checked; the text says why.
    """

    def __init__(self, type_: Any) -> None:
        self._type = type_
        self.members: tuple[Any, ...] = ()
        """The members of such a union; else empty."""
        try:
            self._from_msgpack = msgspec.msgpack.Decoder(type_, ext_hook=_from_extension, dec_hook=_rebuilt).decode
        except TypeError:
            if get_origin(type_) not in (Union, UnionType):
                raise
            self.members = get_args(type_)
            for member in self.members:
                msgspec.msgpack.Decoder(member, dec_hook=_rebuilt)

    def decode(self, data: bytes, content_type: str) -> _T:
        """The value from MessagePack or JSON; in JSON, moments, UUIDs, Decimals and bytes (base64) are strings.

        Raises:
            InvalidArgument: malformed, not of the type (says where), or of another content type.
        """
        form = format_of(content_type)
        if form == "json":
            return self.convert(_decode_json(data), has_text_keys=True)
        if form != "msgpack":
            raise InvalidArgument(
                f"nothing here reads the content type {content_type[:100]!r}", hint=f"{JSON} is read, and {ARGUMENTS}"
            )
        if not self.members:
            try:
                value: _T = self._from_msgpack(data)
            except msgspec.ValidationError:
                # msgspec does not take an extension type where, say, a UUID is asked for: again, in two steps.
                pass
            except _BAD_BYTES as cause:
                raise InvalidArgument(f"not MessagePack: {cause}") from None
            else:
                return value
        return self.convert(decode(data))

    def convert(self, value: Any, *, has_text_keys: bool = False) -> _T:
        """A value of plain types to this type.

        Args:
            has_text_keys: the keys of all maps came as text, as JSON's do.

        Raises:
            InvalidArgument: it does not fit; says where.
        """
        if not self.members:
            try:
                converted: _T = msgspec.convert(value, self._type, str_keys=has_text_keys, dec_hook=_rebuilt)
            except _BAD_BYTES as cause:
                raise InvalidArgument(str(cause)) from None
            return converted
        kind = type(value)
        fitting = (kind,) if kind in self.members else self.members
        for member in fitting:
            try:
                converted = msgspec.convert(value, member, str_keys=has_text_keys, dec_hook=_rebuilt)
            except _BAD_BYTES:
                continue
            return converted
        raise InvalidArgument(f"Expected `{self._type}`, got `{kind.__name__}`")


def _decode_json(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except _BAD_BYTES as cause:
        raise InvalidArgument(f"not JSON: {cause}") from None


def _extension(code: int, content: bytes) -> msgpack.ExtType:
    return msgpack.ExtType(code, content)


def _plain(value: Any) -> Any:
    """The form of a value that MessagePack does not have itself; called by msgpack for each of them."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, datetime):  # before date, which it is too
        return _extension(1, value.isoformat().encode())
    if isinstance(value, Enum):  # before int and str, which it may be too
        return value.value
    for kinds, convert in _FORMS:
        if isinstance(value, kinds):
            return convert(value)
    if isinstance(value, msgspec.Struct) or dataclasses.is_dataclass(value) or hasattr(value, "__attrs_attrs__"):
        return msgspec.to_builtins(value, builtin_types=_BUILTIN, enc_hook=_plain)
    if hasattr(value, "model_dump"):
        return value.model_dump()
    kind = type(value)
    raise TypeError(f"{kind.__module__}.{kind.__qualname__} has no plain form")


_FORMS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (date, lambda value: _extension(2, value.isoformat().encode())),
    (time, lambda value: _extension(3, value.isoformat().encode())),
    (timedelta, lambda value: _extension(4, msgpack.packb([value.days, value.seconds, value.microseconds]))),
    (UUID, lambda value: _extension(5, value.bytes)),
    (Decimal, lambda value: _extension(6, str(value).encode())),
    (set, lambda value: _extension(7, msgpack.packb(list(value), default=_plain, strict_types=True))),
    (frozenset, lambda value: _extension(8, msgpack.packb(list(value), default=_plain, strict_types=True))),
    # Of these, msgpack asks for subclasses only, and for ints that do not fit.
    (int, lambda value: int(value) if -(1 << 63) <= value < 1 << 64 else _extension(9, b"%d" % value)),
    (str, lambda value: "".join(value)),
    (float, float),
    (bytes, bytes),
    (Mapping, dict),
    ((list, deque), list),
    (PurePath, str),
)


def _from_extension(code: int, content: memoryview) -> Any:
    read = _EXTENSIONS.get(code)
    if read is None:
        raise ValueError(f"extension type {code} is not known")
    try:
        return read(bytes(content))
    except _BAD_BYTES:
        raise ValueError(f"the content of extension type {code} is malformed") from None


_EXTENSIONS: Mapping[int, Callable[[bytes], Any]] = {
    1: lambda content: datetime.fromisoformat(content.decode()),
    2: lambda content: date.fromisoformat(content.decode()),
    3: lambda content: time.fromisoformat(content.decode()),
    4: lambda content: timedelta(*msgspec.msgpack.decode(content, type=tuple[int, int, int])),
    5: lambda content: UUID(bytes=content),
    6: lambda content: Decimal(content.decode()),
    7: lambda content: msgspec.msgpack.decode(content, type=set, ext_hook=_from_extension),
    8: lambda content: msgspec.msgpack.decode(content, type=frozenset, ext_hook=_from_extension),
    9: lambda content: int(content),
}


def _rebuilt(type_: Any, value: Any) -> Any:
    """A value of a type that msgspec does not know; called by msgspec for each of them."""
    kind = get_origin(type_) or type_
    if isinstance(value, kind):
        return value
    if issubclass(kind, PurePath) and isinstance(value, str):
        return kind(value)
    if hasattr(kind, "model_validate"):
        return kind.model_validate(value)
    raise TypeError(f"{kind.__module__}.{kind.__qualname__} cannot be built from {type(value).__name__}")
