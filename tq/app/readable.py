"""Arguments as JSON that people read and correct, and back, with nothing lost.

What JSON has not is an object with one key that begins with "$":

    {"$datetime": "2026-11-24T08:00:00+01:00"}   {"$date": "2026-11-24"}   {"$time": "08:00:00"}
    {"$timedelta": "P1DT30S"}                     {"$uuid": "..."}          {"$decimal": "1.20"}
    {"$bytes": "base64"}                          {"$int": "beyond 64 bits"}   {"$float": "nan"}
    {"$set": [...]}   {"$frozenset": [...]}       {"$map": [[key, value], ...]}

A map is written as "$map" where its keys are not all text, or where it would look like one of these.
"""

import base64
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from tq.model.errors import InvalidArgument

_INT_MIN, _INT_END = -(1 << 63), 1 << 64


def readable(value: Any) -> Any:
    """A value that the codec decoded, in what JSON has.

    Raises:
        InvalidArgument: nested too deeply.
    """
    try:
        return _readable(value)
    except RecursionError:
        raise InvalidArgument("nested too deeply to be shown") from None


def _readable(value: Any) -> Any:
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if _INT_MIN <= value < _INT_END else {"$int": str(value)}
        case float():
            return value if math.isfinite(value) else {"$float": str(value)}
        case bytes():
            return {"$bytes": base64.b64encode(value).decode()}
        case list() | tuple():
            return [_readable(item) for item in value]
        case set() | frozenset():
            # In an order that does not change from one look to the next.
            items = sorted((_readable(item) for item in value), key=lambda item: msgspec.json.encode(item))
            return {"$frozenset" if isinstance(value, frozenset) else "$set": items}
        case Mapping():
            return _readable_map(value)
    for kind, (tag, write) in _WRITERS.items():  # datetime before date, which it is too
        if isinstance(value, kind):
            return {tag: write(value)}
    raise InvalidArgument(f"a {type(value).__name__} cannot be shown as JSON")


def _readable_map(value: Mapping[Any, Any]) -> Any:
    has_text_keys = all(isinstance(key, str) for key in value)
    if has_text_keys and not (len(value) == 1 and next(iter(value)).startswith("$")):
        return {key: _readable(item) for key, item in value.items()}
    return {"$map": [[_readable(key), _readable(item)] for key, item in value.items()]}


def from_readable(value: Any) -> Any:
    """The value that `readable` shows like this.

    Raises:
        InvalidArgument: an unknown "$" key, what stands behind one is not of its kind, or nested too deeply.
    """
    try:
        return _from_readable(value)
    except RecursionError:
        raise InvalidArgument("nested too deeply") from None


def _from_readable(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_readable(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (tag := next(iter(value))).startswith("$"):
        read = _READERS.get(tag)
        if read is None:
            raise InvalidArgument(f"{tag!r} is no kind of value", hint=f"one of {', '.join(_READERS)}")
        content = value[tag]
        try:
            return read(content)
        except InvalidArgument:
            raise
        except (ValueError, TypeError, ArithmeticError, msgspec.MsgspecError):
            raise InvalidArgument(f"{str(content)[:60]!r} is no {tag[1:]}") from None
    return {key: _from_readable(item) for key, item in value.items()}


def _map(pairs: Any) -> dict[Any, Any]:
    return {_from_readable(key): _from_readable(item) for key, item in pairs}


def _set(items: Any) -> set[Any]:
    if not isinstance(items, list):
        raise TypeError
    return {_hashable(_from_readable(item)) for item in items}


def _hashable(value: Any) -> Any:
    """What may be in a set: arrays are tuples there, as the codec has them."""
    return tuple(_hashable(item) for item in value) if isinstance(value, list) else value


_WRITERS: Mapping[type, tuple[str, Callable[[Any], str]]] = {
    datetime: ("$datetime", datetime.isoformat),
    date: ("$date", date.isoformat),
    time: ("$time", time.isoformat),
    timedelta: ("$timedelta", msgspec.to_builtins),
    UUID: ("$uuid", str),
    Decimal: ("$decimal", str),
}
_READERS: Mapping[str, Callable[[Any], Any]] = {
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$timedelta": lambda text: msgspec.convert(text, timedelta),
    "$uuid": lambda text: UUID(msgspec.convert(text, str)),
    "$decimal": lambda text: Decimal(msgspec.convert(text, str)),
    "$bytes": lambda text: base64.b64decode(text, validate=True),
    "$int": lambda text: int(msgspec.convert(text, str)),
    "$float": lambda text: float(msgspec.convert(text, str)),
    "$set": _set,
    "$frozenset": lambda items: frozenset(_set(items)),
    "$map": _map,
}
