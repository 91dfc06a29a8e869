"""The parameters of a handler: arguments bound to them, as bytes and back.

A payload is a map from parameter name to value; under the name of `*args` is a list, under that of `**kwargs` a map.
A parameter annotated `tq.Context` is for the worker to fill and is absent from the payload. So are arguments left to
their defaults, which are those of the handler that runs, not of the one that was enqueued.
"""

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any

import msgspec

from tq.app.codec import ARGUMENTS, JSON, TypedDecoder, encode, format_of
from tq.app.context import Context
from tq.model.errors import InvalidArgument

_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_OF_ANY_NUMBER = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_NOTHING = (typing.NoReturn, typing.Never)
_NO_ARGUMENTS = encode({})
_PLACE = re.compile(r"(?P<what>.*) - at `\$\.(?P<path>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`")


class Signature:
    """What a handler takes. Made on first use, when the names in its annotations can be looked up.

    Raises:
        InvalidArgument: an annotation cannot be resolved, or values of it cannot be checked.
    """

    def __init__(self, task_type: str, function: Callable[..., Any]) -> None:
        self._task_type = task_type
        self._hints = _hints(task_type, function)
        returns = self._hints.get("return", Any)
        self._result = self._decoder_of("the result", Any if returns in _NOTHING else returns)
        self._all = tuple(inspect.signature(function).parameters.values())
        self._context = self._context_parameter()
        self._parameters = tuple(one for one in self._all if one is not self._context)
        self._bare = inspect.Signature(self._parameters)
        self._names = tuple(one.name for one in self._parameters)
        by_position = [one for one in self._parameters if one.kind in _BY_POSITION]
        self._required = sum(one.default is Parameter.empty for one in by_position)
        self._is_positional = len(by_position) == len(self._parameters)
        self._takes_positions_alone = self._is_positional and self._context is None
        self._unions: dict[int, TypedDecoder[Any]] = {}
        self._decoder: TypedDecoder[msgspec.Struct] = TypedDecoder(
            msgspec.defstruct(
                "Arguments",
                [self._field(index, parameter) for index, parameter in enumerate(self._parameters)],
                rename={f"p{index}": name for index, name in enumerate(self._names)},
                kw_only=True,
                forbid_unknown_fields=True,
            )
        )

    @property
    def has_context(self) -> bool:
        """Whether a call needs a Context."""
        return self._context is not None

    @property
    def parameters(self) -> list[tuple[str, Any, bool]]:
        """What a payload may hold: name, annotation, and whether it must be there; without the context."""
        return [
            (
                name,
                self._field_type(parameter),
                parameter.default is Parameter.empty and parameter.kind not in _OF_ANY_NUMBER,
            )
            for name, parameter in zip(self._names, self._parameters, strict=True)
        ]

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by the name of their parameter, without defaults.

        Raises:
            InvalidArgument: they do not fit; named as Python would.
        """
        # The common call, 20 times cheaper than inspect's.
        if not kwargs and self._is_positional and self._required <= len(args) <= len(self._names):
            return dict(zip(self._names, args, strict=False))
        if self._context is not None and self._context.name in kwargs:
            raise InvalidArgument(
                f"task {self._task_type!r}: {self._context.name!r} is filled by the worker", hint="leave it out"
            )
        try:
            return self._bare.bind(*args, **kwargs).arguments
        except TypeError as cause:
            raise InvalidArgument(
                f"task {self._task_type!r}: {cause}", hint=f"its parameters are {self._bare}"
            ) from None

    def bind_partly(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """As `bind`, with any of the arguments left out."""
        try:
            return self._bare.bind_partial(*args, **kwargs).arguments
        except TypeError as cause:
            raise InvalidArgument(
                f"task {self._task_type!r}: {cause}", hint=f"its parameters are {self._bare}"
            ) from None

    def named(self, values: tuple[Any, ...]) -> dict[str, Any]:
        """What `decode` gave, by the name of the parameter."""
        return dict(zip(self._names, values, strict=True))

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
        """Arguments as a payload that `decode` is known to take.

        Raises:
            InvalidArgument: they do not fit the parameters, have no form as bytes, or not the annotated type.
        """
        bound = self.bind(args, kwargs)
        try:
            payload = encode(bound)
        except InvalidArgument:
            for name, value in bound.items():
                try:
                    encode(value)
                except InvalidArgument as cause:
                    raise self._refused(name, cause.message, cause.hint) from None
            raise
        self.decode(payload, ARGUMENTS)
        return payload

    def decode(self, payload: bytes, content_type: str) -> tuple[Any, ...]:
        """The values of all parameters in their order, defaults included, without the context.

        Raises:
            InvalidArgument: the payload does not fit the parameters; says which.
        """
        if content_type != ARGUMENTS and format_of(content_type) == "raw":
            if len(self._names) == 1 and self._hints.get(self._names[0]) is bytes:
                return (payload,)
            if payload:
                raise InvalidArgument(
                    f"task {self._task_type!r}: the payload is bare bytes, its parameters are {self._bare}",
                    hint=f"submit a map of arguments as {JSON}, or declare one parameter annotated bytes",
                )
            payload, content_type = _NO_ARGUMENTS, ARGUMENTS
        try:
            values = msgspec.structs.astuple(self._decoder.decode(payload, content_type))
        except InvalidArgument as cause:
            raise self._explained(cause.message) from None
        except Exception as cause:  # whatever the code of the application's own classes raises
            raise InvalidArgument(
                f"task {self._task_type!r}: the arguments cannot be built: {type(cause).__name__}: {cause}"
            ) from cause
        return self._with_unions(values) if self._unions else values

    def read_result(self, result: bytes, content_type: str) -> Any:
        """What the handler returned, as its annotation says. Bytes of no known content type are the result themselves.

        Raises:
            InvalidArgument: they do not fit the annotation.
        """
        if format_of(content_type) == "raw":
            return result or None
        try:
            return self._result.decode(result, content_type)
        except InvalidArgument as cause:
            raise InvalidArgument(
                f"the result of task {self._task_type!r} is not what its annotation says: {cause.message}"
            ) from None

    def call(self, function: Callable[..., Any], values: tuple[Any, ...], context: Context | None) -> Any:
        """Call the function with what `decode` gave, the context in its place."""
        if self._takes_positions_alone:
            return function(*values)
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        rest = iter(values)
        for parameter in self._all:
            value: Any = context if parameter is self._context else next(rest)
            if parameter.kind in _BY_POSITION:
                args.append(value)
            elif parameter.kind is Parameter.VAR_POSITIONAL:
                args.extend(value)
            elif parameter.kind is Parameter.KEYWORD_ONLY:
                kwargs[parameter.name] = value
            else:
                kwargs.update(value)
        return function(*args, **kwargs)

    def call_directly(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], context: Context
    ) -> Any:
        """Call the function as Python would, with `context` where the caller gave none."""
        given = self._context
        if given is None or given.name in kwargs or any(isinstance(value, Context) for value in args):
            return function(*args, **kwargs)
        index = self._all.index(given)
        if given.kind in _BY_POSITION and index <= len(args):
            return function(*args[:index], context, *args[index:], **kwargs)
        return function(*args, **{**kwargs, given.name: context})

    def _context_parameter(self) -> Parameter | None:
        found = [one for one in self._all if _is_context(self._hints.get(one.name))]
        if len(found) > 1:
            raise InvalidArgument(f"task {self._task_type!r} has {len(found)} parameters annotated tq.Context")
        if found and found[0].kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
            raise InvalidArgument(f"task {self._task_type!r}: {found[0]} cannot take the tq.Context")
        return found[0] if found else None

    def _field(self, index: int, parameter: Parameter) -> tuple[str, Any, Any] | tuple[str, Any]:
        name, hint = f"p{index}", self._hints.get(parameter.name, Any)
        decoder = self._decoder_of(f"parameter {parameter.name!r}", hint)
        if parameter.kind in _OF_ANY_NUMBER:
            empty = list if parameter.kind is Parameter.VAR_POSITIONAL else dict
            return (name, self._field_type(parameter), msgspec.field(default_factory=empty))
        if decoder.members:
            self._unions[index] = decoder
            hint = Any
        if parameter.default is Parameter.empty:
            return (name, hint)
        # By a factory, so that msgspec neither checks nor copies it: a default is the handler's own affair.
        return (name, hint, msgspec.field(default_factory=lambda: parameter.default))

    def _field_type(self, parameter: Parameter) -> Any:
        """The annotation of a parameter; of `*args` and `**kwargs`, that of the list and the map in a payload."""
        hint = self._hints.get(parameter.name, Any)
        if parameter.kind is Parameter.VAR_POSITIONAL:
            return types.GenericAlias(list, (hint,))
        return types.GenericAlias(dict, (str, hint)) if parameter.kind is Parameter.VAR_KEYWORD else hint

    def _decoder_of(self, what: str, hint: Any) -> TypedDecoder[Any]:
        try:
            return TypedDecoder(hint)
        except TypeError as cause:
            raise InvalidArgument(
                f"task {self._task_type!r}: the annotation of {what} cannot be checked: {cause}",
                hint="annotate another type, or typing.Any to take the value as it was sent",
            ) from None

    def _with_unions(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        chosen = list(values)
        for index, union in self._unions.items():
            if chosen[index] is self._parameters[index].default:
                continue
            try:
                chosen[index] = union.convert(chosen[index])
            except InvalidArgument as cause:
                raise self._refused(self._names[index], cause.message) from None
        return tuple(chosen)

    def _refused(self, name: str, why: str, hint: str = "") -> InvalidArgument:
        return InvalidArgument(f"task {self._task_type!r}: argument {name!r}: {why}", hint=hint)

    def _explained(self, message: str) -> InvalidArgument:
        """What msgspec says of a field, in the words of a call."""
        if missing := _MISSING.fullmatch(message):
            why = f"missing a required argument: {missing['name']!r}"
        elif unknown := _UNKNOWN.fullmatch(message):
            why = f"got an unexpected argument: {unknown['name']!r}"
        elif place := _PLACE.fullmatch(message):
            return self._refused(place["path"], place["what"])
        else:
            return InvalidArgument(f"task {self._task_type!r}: the payload is no map of arguments: {message}")
        return InvalidArgument(f"task {self._task_type!r}: {why}", hint=f"its parameters are {self._bare}")


def _hints(task_type: str, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception as cause:  # whatever evaluating an annotation raises
        raise InvalidArgument(
            f"task {task_type!r}: an annotation cannot be resolved: {cause}",
            hint="import what it names at run time, not under `if TYPE_CHECKING`, at the top of the module",
        ) from None


def _is_context(hint: Any) -> bool:
    return hint is Context or hint == Context | None
