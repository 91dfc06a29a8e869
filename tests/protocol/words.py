"""The types of messages as docs/protocol.md writes them."""

from typing import Any

import msgspec
from msgspec import NODEFAULT, inspect


def type_words(info: inspect.Type) -> str:
    """The type of a field: its kind, then its bounds."""
    match info:
        case inspect.Metadata(type=inner):
            return type_words(inner)
        case inspect.NoneType():
            return "nil"
        case inspect.BoolType():
            return "bool"
        case inspect.IntType(ge=smallest, le=largest):
            return f"int{_range(smallest, largest)}"
        case inspect.FloatType(ge=smallest, le=largest):
            return f"float{_range(smallest, largest)}"
        case inspect.StrType(max_length=longest):
            return f"str{_range(None, longest)}"
        case inspect.BytesType(min_length=16, max_length=16):
            return "id"
        case inspect.BytesType(max_length=longest):
            return f"bin{_range(None, longest)}"
        case inspect.LiteralType(values=values):
            return " or ".join(map(str, values))
        case inspect.ListType(item_type=item, min_length=shortest, max_length=longest):
            return f"[{type_words(item)}]{_range(shortest, longest)}"
        case inspect.VarTupleType(item_type=item):
            return f"[{type_words(item)}]"
        case inspect.EnumType(cls=enum):
            return enum.__name__
        case inspect.UnionType(types=types):
            return " or ".join(type_words(each) for each in types)
        case inspect.RawType():
            return "raw"
        case inspect.StructType(cls=struct):
            return struct.__name__
    raise AssertionError(info)


def _range(smallest: float | None, largest: float | None) -> str:
    if smallest is not None and largest is not None:
        return f" {_number(smallest)}..{_number(largest)}"
    if largest is not None:
        return f" up to {_number(largest)}"
    return f" from {_number(smallest)}" if smallest is not None else ""


def _number(value: float) -> str:
    return "2^53" if value == 1 << 53 else f"{value:g}" if isinstance(value, float) else str(value)


def default_words(default: Any) -> str:
    """The value of a field that is left out; empty if it may not be."""
    if default is NODEFAULT or isinstance(default, msgspec.Struct):
        return "" if default is NODEFAULT else "its defaults"
    if default is None:
        return "nil"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, bytes | str | list | tuple):
        return "empty" if not default else str(default)
    return str(default)
