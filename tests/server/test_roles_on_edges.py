"""The table of roles, tried: every request, by every role, over TCP, TLS and the unix socket."""

import ssl
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from msgspec import inspect

from tests.certificates import Certificates
from tests.server.edges import edges, everything, hello
from tests.server.wire import Wire
from tq.model.commands import Hello, ListQueues, Request, Submit
from tq.model.identity import Role
from tq.model.replies import ErrorReply, QueuePage
from tq.model.roles import RULES
from tq.model.task import TaskSpec

PING = 1 << 40
KINDS: list[Any] = [kind for kind in get_args(Request) if kind is not Hello]


def example(kind: Any, request_id: int) -> Any:
    """The smallest message of a kind that can be decoded."""
    if kind is Submit:
        return Submit(request_id, [TaskSpec(bytes(16), "mail", b"")])
    fields = {
        field.encode_name: _value(field.type)
        for field in inspect.type_info(kind).fields  # type: ignore[attr-defined]
        if field.required
    }
    return kind(**{**fields, "request_id": request_id})


def _value(info: inspect.Type) -> Any:
    match info:
        case inspect.Metadata(type=inner):
            return _value(inner)
        case inspect.IntType(ge=smallest):
            return smallest or 0
        case inspect.FloatType():
            return 0.0
        case inspect.StrType(min_length=shortest):
            return "x" * (shortest or 0)
        case inspect.BytesType(min_length=shortest):
            return bytes(shortest or 0)
        case inspect.ListType(item_type=item, min_length=shortest):
            return [_value(item)] * (shortest or 0)
        case inspect.VarTupleType():
            return ()
        case inspect.EnumType(cls=enum):
            return next(iter(enum))
        case inspect.StructType(cls=struct, fields=fields):
            return struct(**{field.encode_name: _value(field.type) for field in fields if field.required})
        case inspect.UnionType(types=types):
            return None if any(isinstance(each, inspect.NoneType) for each in types) else _value(types[0])
        case inspect.BoolType():
            return False
    raise AssertionError(info)


async def refused_kinds(wire: Wire) -> set[str]:
    """The kinds of request that are answered with ACCESS_DENIED."""
    wire.send(*(example(kind, number) for number, kind in enumerate(KINDS, 1)), ListQueues(PING))
    refused: set[str] = set()
    while True:
        reply = await wire.receive()
        if isinstance(reply, QueuePage) and reply.request_id == PING:
            return refused
        if isinstance(reply, ErrorReply) and reply.code == "ACCESS_DENIED":
            refused.add(KINDS[reply.request_id - 1].__name__)


def forbidden(role: Role) -> set[str]:
    """What the table says, and what is for the broker's own edges alone; of requests without an answer nobody hears
    that they were refused."""
    silent = {"Fetch", "Heartbeat", "ReportProgress", "ReportLog", "StackTaken", "WatchCredit", "Unwait"}
    return ({kind.__name__ for kind in KINDS if not role.may(RULES[kind].role)} | {"ReportEdge"}) - silent


@pytest.mark.parametrize("edge", ["tcp", "tls", "unix"])
@pytest.mark.parametrize("role", [role for role in Role if role is not Role.NONE])
async def test_every_request_is_allowed_to_a_role_or_refused_as_the_table_says(
    short_socket: Path, certificates: Certificates, role: Role, edge: str
) -> None:
    tls = {"tls_cert": certificates.path("server.pem"), "tls_key": certificates.path("server.key")}
    async with edges(short_socket, tls if edge == "tls" else {}) as broker:
        token = await broker.token(role)
        if edge == "unix":
            wire = await broker.unix()
        else:
            context = ssl.create_default_context(cafile=certificates.path("ca.pem")) if edge == "tls" else None
            wire = await broker.tcp(context)

        welcome = await wire.greet(hello(token))
        refused = await refused_kinds(wire)

    assert welcome.role == role.value
    assert refused == forbidden(role)


async def test_nothing_at_all_is_done_for_who_was_not_greeted(short_socket: Path) -> None:
    """Not even what came in one piece with a greeting that was refused."""
    async with edges(short_socket) as broker:
        await broker.token(Role.VIEWER)
        wire = await broker.tcp()
        wire.send(hello(), Submit(1, [TaskSpec(b"x" * 16, "mail", b"")]))
        replies = await everything(wire)
        queues = await (await broker.admin()).ask(ListQueues(1))

    assert {reply.code for reply in replies if isinstance(reply, ErrorReply)} == {"ACCESS_DENIED"}
    assert isinstance(queues, QueuePage)
    assert queues.queues == []


def test_every_kind_has_an_example_that_can_be_decoded() -> None:
    for number, kind in enumerate(KINDS, 1):
        encoded = msgspec.msgpack.encode(example(kind, number))
        assert msgspec.msgpack.decode(encoded, type=kind) == example(kind, number)
