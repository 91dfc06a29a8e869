"""Arguments are bound, checked and carried by the names of the parameters."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Never
from uuid import UUID

import pytest

from tq.app.codec import ARGUMENTS, JSON, VALUE, decode, encode
from tq.app.context import INJECTED, Context
from tq.app.signature import Signature
from tq.model.errors import InvalidArgument

if TYPE_CHECKING:
    from fractions import Fraction


@dataclasses.dataclass
class Invoice:
    number: int
    lines: tuple[str, ...]


def welcome(user_id: int, tenant: str = "acme", *, ctx: Context = INJECTED, urgent: bool = False) -> Any:
    return user_id, tenant, ctx, urgent


def everything(first: int, /, second: str, *rest: float, flag: bool, other: str = "o", **more: int) -> Any:
    return first, second, rest, flag, other, more


def round_trip(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the handler gets and returns, on the other side of the wire."""
    signature = Signature("job", function)
    payload = signature.encode(args, kwargs)
    return signature.call(function, signature.decode(payload, ARGUMENTS), Context.detached())


def test_a_payload_is_a_map_from_parameter_to_value_without_defaults_and_context() -> None:
    assert decode(Signature("job", welcome).encode((7,), {"urgent": True})) == {"user_id": 7, "urgent": True}


def test_every_kind_of_parameter_arrives_in_its_place() -> None:
    got = round_trip(everything, 1, "two", 3.0, 4, flag=True, x=5)

    assert got == (1, "two", (3.0, 4.0), True, "o", {"x": 5})
    assert round_trip(everything, 1, "two", flag=False, other="p") == (1, "two", (), False, "p", {})


def test_defaults_are_those_of_the_handler_that_runs_and_are_handed_over_as_they_are() -> None:
    default = [object()]

    def handler(items: list[int] = default) -> Any:  # type: ignore[assignment]
        return items

    assert round_trip(handler) is default


def test_a_union_left_to_its_default_is_not_checked_against_its_members() -> None:
    nothing: Any = object()

    def handler(when: str | UUID = nothing) -> Any:
        return when

    assert round_trip(handler) is nothing
    assert round_trip(handler, UUID(int=1)) == UUID(int=1)


def test_dataclasses_arrive_as_dataclasses() -> None:
    def handler(invoice: Invoice) -> Any:
        return invoice

    assert round_trip(handler, Invoice(1, ("a", "b"))) == Invoice(1, ("a", "b"))


@dataclasses.dataclass
class Picky:
    number: int

    def __post_init__(self) -> None:
        {1: "one"}[self.number]


def test_a_class_that_does_not_want_its_values_refuses_the_arguments() -> None:
    def handler(picky: Picky) -> None: ...

    with pytest.raises(InvalidArgument, match="task 'job': the arguments cannot be built: KeyError: 2"):
        Signature("job", handler).decode(encode({"picky": {"number": 2}}), ARGUMENTS)


def test_a_parameter_without_an_annotation_takes_anything() -> None:
    def handler(value):  # type: ignore[no-untyped-def]
        return value

    assert round_trip(handler, {"a": {1, 2}}) == {"a": {1, 2}}


def first(ctx: Context, user_id: int) -> Any:
    return ctx, user_id


def middle(user_id: int, ctx: Context, tenant: str) -> Any:
    return ctx, user_id, tenant


def optional(user_id: int, ctx: Context | None = None) -> Any:
    return ctx, user_id


@pytest.mark.parametrize(("handler", "arguments"), [(first, (7,)), (middle, (7, "acme")), (optional, (7,))])
def test_the_context_is_injected_by_its_annotation_wherever_it_stands(
    handler: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    got, *rest = round_trip(handler, *arguments)

    assert isinstance(got, Context)
    assert tuple(rest) == arguments


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "task 'job': missing a required argument: 'user_id'"),
        ((1, "a", 2), {}, "task 'job': too many positional arguments"),
        ((1,), {"nobody": 1}, "task 'job': got an unexpected keyword argument 'nobody'"),
        ((1,), {"user_id": 1}, "task 'job': multiple values for argument 'user_id'"),
        ((1,), {"ctx": None}, "task 'job': 'ctx' is filled by the worker"),
        (("seven",), {}, "task 'job': argument 'user_id': Expected `int`, got `str`"),
        ((1, object()), {}, "task 'job': argument 'tenant': cannot be encoded: builtins.object"),
        ((1,), {"urgent": [{"a": "\ud800"}]}, "task 'job': argument 'urgent': cannot be encoded"),
    ],
)
def test_wrong_arguments_are_refused_when_they_are_enqueued(
    args: tuple[Any, ...], kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        Signature("job", welcome).encode(args, kwargs)

    assert refusal.value.message.startswith(message)


def test_arguments_that_are_nested_too_deeply_as_a_whole_are_refused() -> None:
    """MessagePack's bound is 511 levels; the map of arguments is one of them."""
    deep: list[Any] = []
    while True:
        try:
            encode(deep)
        except InvalidArgument:
            break
        deep = [deep]

    with pytest.raises(InvalidArgument, match="recursion limit exceeded"):
        Signature("job", lambda value: None).encode((deep[0],), {})


def test_wrong_arguments_for_the_rest_are_named_too() -> None:
    signature = Signature("job", everything)

    with pytest.raises(InvalidArgument, match=r"argument 'rest\[1\]': Expected `float`, got `str`"):
        signature.encode((1, "a", 2.0, "b"), {"flag": True})
    with pytest.raises(InvalidArgument, match=r"argument 'more\[\.\.\.\]': Expected `int`, got `str`"):
        signature.encode((1, "a"), {"flag": True, "x": "y"})


def test_a_union_that_takes_none_of_it_is_named() -> None:
    def handler(when: str | UUID) -> None: ...

    with pytest.raises(InvalidArgument, match="task 'job': argument 'when': Expected"):
        Signature("job", handler).encode((1.5,), {})


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, "task 'job': missing a required argument: 'user_id'"),
        ({"user_id": 1, "gone": 2}, "task 'job': got an unexpected argument: 'gone'"),
        ({"user_id": None}, "task 'job': argument 'user_id': Expected `int`, got `null`"),
        ([1], "task 'job': the payload is no map of arguments: Expected `object`, got `array`"),
    ],
)
def test_a_payload_of_another_signature_is_refused_in_the_words_of_a_call(payload: Any, message: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        Signature("job", welcome).decode(encode(payload), ARGUMENTS)

    assert refusal.value.message == message


def test_a_payload_that_is_not_messagepack_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="task 'job': the payload is no map of arguments: not MessagePack"):
        Signature("job", welcome).decode(b"\xc1", ARGUMENTS)


def test_json_objects_are_arguments_too() -> None:
    assert Signature("job", welcome).decode(b'{"user_id": 7}', JSON) == (7, "acme", False)


def test_bare_bytes_go_to_the_one_parameter_that_takes_bytes() -> None:
    def handler(data: bytes, *, ctx: Context) -> None: ...

    assert Signature("job", handler).decode(b"\x89PNG", "") == (b"\x89PNG",)
    assert Signature("job", handler).decode(b"\x89PNG", "application/octet-stream") == (b"\x89PNG",)


def test_bare_bytes_are_no_arguments_for_any_other_handler() -> None:
    def nullary() -> None: ...

    assert Signature("job", nullary).decode(b"", "") == ()
    with pytest.raises(InvalidArgument, match="task 'job': the payload is bare bytes"):
        Signature("job", nullary).decode(b"x", "")
    with pytest.raises(InvalidArgument, match="missing a required argument: 'user_id'"):
        Signature("job", welcome).decode(b"", "")
    with pytest.raises(InvalidArgument, match="image/png"):
        Signature("job", welcome).decode(b"x", "image/png")


def test_results_are_what_the_annotation_says() -> None:
    def handler() -> Invoice: ...  # type: ignore[empty-body]

    signature = Signature("job", handler)

    assert signature.read_result(encode(Invoice(1, ("a",))), VALUE) == Invoice(1, ("a",))
    assert signature.read_result(b"", "") is None
    assert signature.read_result(b"\x89PNG", "") == b"\x89PNG"
    with pytest.raises(InvalidArgument, match="the result of task 'job' is not what its annotation says: Expected"):
        signature.read_result(encode(7), VALUE)


def test_a_handler_that_never_returns_has_no_result_to_check() -> None:
    def handler() -> Never: ...  # type: ignore[empty-body]

    assert Signature("job", handler).read_result(b"", "") is None


def unresolvable(value: "Fraction") -> None: ...


def unions_inside(values: list[str | UUID]) -> None: ...


def two_contexts(one: Context, two: Context) -> None: ...


def many_contexts(*contexts: Context) -> None: ...


def strange_result() -> list[str | UUID]: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (unresolvable, "an annotation cannot be resolved: name 'Fraction' is not defined"),
        (unions_inside, "the annotation of parameter 'values' cannot be checked: Type unions"),
        (strange_result, "the annotation of the result cannot be checked: Type unions"),
        (two_contexts, "has 2 parameters annotated tq.Context"),
        (many_contexts, "cannot take the tq.Context"),
    ],
)
def test_annotations_that_cannot_work_are_named(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        Signature("job", function)

    assert refusal.value.message.startswith("task 'job'")
    assert message in refusal.value.message


def test_some_of_the_arguments_can_be_bound_for_a_comparison() -> None:
    signature = Signature("job", welcome)

    assert signature.bind_partly((), {"tenant": "a"}) == {"tenant": "a"}
    assert signature.named((7, "acme", True)) == {"user_id": 7, "tenant": "acme", "urgent": True}
    with pytest.raises(InvalidArgument, match="nobody"):
        signature.bind_partly((), {"nobody": 1})


@pytest.mark.parametrize(
    ("handler", "args", "kwargs"),
    [
        (welcome, (7,), {}),
        (first, (7,), {}),
        (middle, (7, "acme"), {}),
        (middle, (7,), {"tenant": "acme"}),
        (middle, (), {"user_id": 7, "tenant": "acme"}),
    ],
)
def test_a_direct_call_gets_the_context_that_it_does_not_give(
    handler: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    context = Context.detached()

    assert context in Signature("job", handler).call_directly(handler, args, kwargs, context)


def test_a_direct_call_can_bring_its_own_context() -> None:
    own, other = Context.detached("own"), Context.detached("other")

    assert Signature("job", first).call_directly(first, (own, 7), {}, other) == (own, 7)
    assert Signature("job", welcome).call_directly(welcome, (7,), {"ctx": own}, other)[2] is own
    assert Signature("job", everything).call_directly(everything, (1, "a"), {"flag": True}, other)[0] == 1
