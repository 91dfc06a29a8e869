"""What handlers take, in the words of tq/model/signatures.py: what a worker tells the broker of its application."""

from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from msgspec import inspect

from tq.app.signature import Signature
from tq.model.signatures import ALTERNATIVES_MAX, PARAMETERS_MAX, WORD_CHARS_MAX, Parameter, TaskSignature

_ANYTHING = "any"
_WORDS: Mapping[type[inspect.Type], str] = {
    inspect.NoneType: "null",
    inspect.BoolType: "bool",
    inspect.IntType: "int",
    inspect.FloatType: "float",
    inspect.StrType: "str",
    inspect.BytesType: "bytes",
    inspect.ByteArrayType: "bytes",
    inspect.MemoryViewType: "bytes",
    inspect.DateTimeType: "datetime",
    inspect.DateType: "date",
    inspect.TimeType: "time",
    inspect.TimeDeltaType: "timedelta",
    inspect.UUIDType: "uuid",
    inspect.DecimalType: "decimal",
    inspect.TupleType: "array",
    inspect.NamedTupleType: "array",
    inspect.TypedDictType: "map",
    inspect.DataclassType: "map",
}


def announced(handlers: Iterable[tuple[str, Signature]]) -> list[TaskSignature]:
    """The signatures of handlers, by the names under which tasks come for them; without those that cannot be said."""
    return [
        TaskSignature(name, [Parameter(*parameter) for parameter in parameters])
        for name, signature in handlers
        if len(parameters := [(one, words_of(hint), needed) for one, hint, needed in signature.parameters])
        <= PARAMETERS_MAX
    ]


def words_of(hint: Any) -> list[str]:
    """The alternatives of an annotation; none where it takes anything, or there are no words for what it takes."""
    try:
        # Each member by itself: msgspec refuses unions that it cannot tell apart, which the codec tries one by one.
        members = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        words = [word for member in members for word in _alternatives(inspect.type_info(member))]
    except TypeError:  # msgspec knows no such type
        return []
    is_sayable = (
        _ANYTHING not in words and len(words) <= ALTERNATIVES_MAX and all(len(word) <= WORD_CHARS_MAX for word in words)
    )
    return list(dict.fromkeys(words)) if is_sayable else []


def _alternatives(info: inspect.Type) -> list[str]:
    match info:
        case inspect.Metadata(type=inner):
            return _alternatives(inner)
        case inspect.UnionType(types=types):
            return [word for each in types for word in _alternatives(each)]
        case inspect.LiteralType(values=values):
            return [_literal(value) for value in values]
        case inspect.EnumType(cls=enum):
            return [_literal(member.value) for member in enum]
        case inspect.CollectionType(item_type=item):
            return [_filled("array", item)]
        case inspect.DictType(value_type=item):
            return [_filled("map", item)]
        case inspect.StructType(array_like=is_array):
            return ["array" if is_array else "map"]
        case _:
            return [_WORDS.get(type(info), _ANYTHING)]


def _literal(value: Any) -> str:
    return "null" if value is None else f"= {msgspec.json.encode(value).decode()}"


def _filled(container: str, item: inspect.Type) -> str:
    words = _alternatives(item)
    return f"{container} of {words[0]}" if len(words) == 1 and words[0] != _ANYTHING else container
