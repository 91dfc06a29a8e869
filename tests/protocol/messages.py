"""Random messages of every kind, made from the types alone: a new field or message is tested from its first day."""

from typing import Any, get_args

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from tq.model.commands import Request
from tq.model.replies import FromBroker
from tq.model.task import StoredTask

REQUESTS: tuple[type[msgspec.Struct], ...] = get_args(Request)
FROM_BROKER: tuple[type[msgspec.Struct], ...] = get_args(FromBroker)

_TEXT = st.characters(codec="utf-8")
_INT_MIN, _INT_MAX = -(1 << 63), (1 << 64) - 1  # what MessagePack can carry


def tag_of(kind: type[msgspec.Struct]) -> int:
    """The number by which the wire knows a message."""
    tag = kind.__struct_config__.tag
    assert isinstance(tag, int)
    return tag


def messages_of(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Any value of this Struct that its types and bounds allow."""
    return _strategy(inspect.type_info(kind))


def _strategy(info: inspect.Type) -> st.SearchStrategy[Any]:
    match info:
        case inspect.Metadata(type=inner):
            return _strategy(inner)
        case inspect.NoneType():
            return st.none()
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType(ge=smallest, le=largest):
            return st.integers(
                _INT_MIN if smallest is None else int(smallest), _INT_MAX if largest is None else int(largest)
            )
        case inspect.FloatType(ge=smallest, le=largest):
            return st.floats(smallest, largest, allow_nan=False, allow_infinity=False)
        case inspect.StrType(max_length=longest):
            return st.text(_TEXT, max_size=min(30, longest or 30))
        case inspect.BytesType(min_length=shortest, max_length=longest):
            return st.binary(min_size=shortest or 0, max_size=min(64, longest or 64))
        case inspect.ListType(item_type=item, min_length=shortest):
            return st.lists(_strategy(item), min_size=shortest or 0, max_size=3)
        case inspect.VarTupleType(item_type=item):
            return st.lists(_strategy(item), max_size=3).map(tuple)
        case inspect.EnumType(cls=enum):
            return st.sampled_from(list(enum))
        case inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case inspect.UnionType(types=types):
            return st.one_of([_strategy(each) for each in types])
        case inspect.RawType():
            return messages_of(StoredTask).map(lambda stored: msgspec.Raw(msgspec.msgpack.encode(stored)))
        case inspect.StructType(cls=struct, fields=fields):
            return st.builds(struct, **{field.name: _strategy(field.type) for field in fields})
    raise AssertionError(f"no strategy for {info}")
