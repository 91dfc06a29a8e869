"""Arguments against the signature that a worker announced: the checks of the worker itself, before it is bothered."""

import difflib
import functools
import operator
import types
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec

from tq.app.codec import TypedDecoder
from tq.model.errors import InvalidArgument
from tq.model.signatures import Parameter, TaskSignature

_KINDS: Mapping[str, Any] = {
    "null": None,
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "bytes": bytes,
    "datetime": datetime,
    "date": date,
    "time": time,
    "timedelta": timedelta,
    "uuid": UUID,
    "decimal": Decimal,
    "array": list,
    "map": dict,
}


def check_arguments(signature: TaskSignature, arguments: object, *, has_text_keys: bool) -> None:
    """Refuse arguments that the handler would refuse.

    Args:
        arguments: a map from parameter name to value, as the codec or JSON decoded it.
        has_text_keys: the keys of all maps came as text, as JSON's do.

    Raises:
        InvalidArgument: names the argument and what is wrong with it.
    """
    if not isinstance(arguments, dict):
        raise _refused(signature, f"the arguments are no object from name to value but {type(arguments).__name__}")
    parameters = {parameter.name: parameter for parameter in signature.parameters}
    for name in arguments:
        if name not in parameters:
            near = difflib.get_close_matches(str(name), parameters, n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise _refused(signature, f"got an unexpected argument: {name!r}", meant)
    for name, parameter in parameters.items():
        if name in arguments:
            _check(signature, parameter, arguments[name], has_text_keys)
        elif parameter.is_required:
            raise _refused(signature, f"missing a required argument: {name!r}")


def _check(signature: TaskSignature, parameter: Parameter, value: object, has_text_keys: bool) -> None:
    decoder: TypedDecoder[Any] = TypedDecoder(type_of(parameter.types))
    try:
        decoder.convert(value, has_text_keys=has_text_keys)
    except InvalidArgument as cause:
        why = cause.message
        if decoder.members:
            why = f"none of {', '.join(parameter.types)}"
        raise _refused(signature, f"argument {parameter.name!r}: {why}") from None


def _refused(signature: TaskSignature, why: str, meant: str = "") -> InvalidArgument:
    return InvalidArgument(f"task {signature.task_type!r}: {why}", hint=f"{meant}its signature is {signature}")


def type_of(words: Sequence[str]) -> Any:
    """The Python type of alternatives; Any where there is none, or one of them is not known here."""
    literals = tuple(word for word in words if word.startswith("= "))
    kinds = [_kind(word) for word in words if word not in literals]
    if literals:
        kinds.append(_literal_type(literals))
    if not kinds or Any in kinds:
        return Any
    return functools.reduce(operator.or_, kinds)


def _kind(word: str) -> Any:
    if word.startswith("array of "):
        return types.GenericAlias(list, (_kind(word.removeprefix("array of ")),))
    if word.startswith("map of "):
        return types.GenericAlias(dict, (Any, _kind(word.removeprefix("map of "))))
    return _KINDS.get(word, Any)


def _literal_type(literals: Sequence[str]) -> Any:
    """One type of all the single values; Any where one of them is such that msgspec has no type for it."""
    try:
        values = [msgspec.json.decode(literal.removeprefix("= ")) for literal in literals]
    except msgspec.DecodeError:
        return Any
    is_known = all(isinstance(value, int | str) and not isinstance(value, bool) for value in values)
    return Literal[tuple(values)] if is_known else Any
