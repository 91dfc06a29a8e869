"""Who is let in, for how long, and what the log says of it: on real sockets."""

import asyncio
from pathlib import Path

import pytest

from tests.server.edges import edges, everything, hello
from tq.engine.engine import Engine
from tq.model.commands import (
    GetMetrics,
    GetStats,
    ListAudit,
    ListQueues,
    PauseQueue,
    RevokeToken,
    Submit,
    Wait,
    WorkerHello,
)
from tq.model.errors import StorageFailed
from tq.model.identity import Role
from tq.model.replies import Affected, AuditPage, ErrorReply, MetricsReply, QueuePage, StatsReply, Submitted
from tq.model.settings import SecuritySettings
from tq.model.task import TaskSpec
from tq.server import greeting

WRONG = f"tq_0123456789ab_{'x' * 43}"
SPEC = TaskSpec(b"x" * 16, "mail", b"", "mail")


def denied(message: object) -> str:
    assert isinstance(message, ErrorReply), message
    assert message.code == "ACCESS_DENIED"
    return message.message


async def test_a_loopback_broker_without_tokens_takes_everybody_for_an_admin(short_socket: Path) -> None:
    async with edges(short_socket) as broker:
        assert (await (await broker.tcp()).greet()).role == "admin"
        assert (await (await broker.unix()).greet()).role == "admin"


async def test_the_first_token_ends_the_connections_that_came_without_after_their_last_answer(
    short_socket: Path,
) -> None:
    async with edges(short_socket) as broker:
        anonymous, waiting = await broker.tcp(), await broker.tcp()
        await anonymous.greet()
        await waiting.greet()
        anonymous.send(Submit(1, [SPEC]))
        assert await anonymous.receive() == Submitted(1)
        waiting.send(Wait(2, SPEC.id, 60_000))
        await broker.token(Role.ADMIN)

        assert "the access of anonymous has ended" in denied(*await everything(anonymous))
        assert "the access of anonymous has ended" in denied(*await everything(waiting))
        assert "asks for credentials" in denied(await (await broker.tcp()).ask(hello()))
        assert (await (await broker.unix()).greet()).role == "admin"


async def test_a_revoked_token_ends_its_connections_at_once_and_no_others(short_socket: Path) -> None:
    async with edges(short_socket) as broker:
        lost, kept = await broker.token(Role.PRODUCER, "lost"), await broker.token(Role.PRODUCER, "kept")
        loser, keeper, admin = await broker.tcp(), await broker.tcp(), await broker.admin()
        await loser.greet(hello(lost))
        await keeper.greet(hello(kept))

        assert await admin.ask(RevokeToken(1, "lost")) == Affected(1, 1)
        assert "the access of token:lost has ended" in denied(*await everything(loser))
        assert isinstance(await keeper.ask(ListQueues(2)), QueuePage)


async def test_who_revokes_the_own_token_is_answered_first(short_socket: Path) -> None:
    async with edges(short_socket) as broker:
        token = await broker.token(Role.ADMIN, "mine")
        wire = await broker.tcp()
        await wire.greet(hello(token))
        wire.send(RevokeToken(1, "mine"))

        done, ended = await everything(wire)
        assert done == Affected(1, 1)
        assert "token:mine" in denied(ended)


async def test_a_token_that_expires_ends_its_connections(short_socket: Path) -> None:
    async with edges(short_socket) as broker:
        token = await broker.token(Role.VIEWER, "short", lifetime_ms=1_500)
        wire = await broker.tcp()
        await wire.greet(hello(token))

        assert "the access of token:short has ended" in denied(*await everything(wire))


async def test_a_wrong_token_is_answered_late_and_logged_without_its_secret(
    short_socket: Path,
) -> None:
    async with edges(short_socket) as broker:
        await broker.token(Role.ADMIN)
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        wire = await broker.tcp()
        wire.send(hello(WRONG), ListQueues(1))
        answers = await everything(wire)

        assert loop.time() - began_at >= greeting.WRONG_TOKEN_SECONDS * 0.9
        assert [answer.code for answer in answers if isinstance(answer, ErrorReply)] == ["ACCESS_DENIED"] * 2
        event = broker.log.find("access_denied")
        assert "tq_0123456789ab_***" in event["reason"]
        assert event["origin"] == "tcp 127.0.0.1"
        assert "xxx" not in repr(broker.log.events)


async def test_many_wrong_tokens_at_once_neither_fill_the_log_nor_keep_a_right_one_out(short_socket: Path) -> None:
    async with edges(short_socket) as broker:
        token = await broker.token(Role.VIEWER)
        guessers = [await broker.tcp() for _ in range(greeting.WRONG_TOKENS_MAX + 20)]
        for wire in guessers:
            wire.send(hello(WRONG))
        ends = [asyncio.ensure_future(everything(wire)) for wire in guessers]
        right = await broker.tcp()

        assert (await right.greet(hello(token))).role == "viewer"
        answers = await asyncio.gather(*ends)
        assert sum(map(len, answers)) == greeting.WRONG_TOKENS_MAX
        assert broker.log.names().count("access_denied") == greeting.WRONG_TOKENS_MAX


@pytest.mark.parametrize("token", ["x", "tq_", "tq__", "\x1b[31m", "tq_" + "0" * 190, "🔑" * 40])
async def test_hostile_tokens_are_refused_and_appear_nowhere(
    short_socket: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(greeting, "WRONG_TOKEN_SECONDS", 0.01)
    async with edges(short_socket) as broker:
        wire = await broker.tcp()
        wire.send(hello(token))
        answers = await everything(wire)

        assert "this is not a token of tq" in denied(*answers)
        assert len(token) < 5 or token not in repr(answers)
        assert len(token) < 5 or token not in repr(broker.log.events)


async def test_a_worker_without_the_role_is_refused_and_holds_nothing(short_socket: Path) -> None:
    worker = WorkerHello("w", b"w" * 16, "host", 1, ["mail"])
    async with edges(short_socket) as broker:
        token = await broker.token(Role.PRODUCER)
        wire = await broker.tcp()
        refusal = await wire.ask(hello(token, worker=worker))
        admin = await broker.admin()
        stats, metrics = await admin.ask(GetStats(1)), await admin.ask(GetMetrics(2))

        assert "to run tasks it needs worker" in denied(refusal)
        assert isinstance(stats, StatsReply)
        assert stats.engine.workers_connected == 0
        assert isinstance(metrics, MetricsReply)
        assert metrics.metrics.process is not None
        assert metrics.metrics.process.denied_total == 1


async def test_what_is_done_is_told_with_the_name_of_the_token_and_the_address(short_socket: Path) -> None:
    async with edges(short_socket) as broker:
        token = await broker.token(Role.OPERATOR, "anna", queues=("mail",))
        wire = await broker.tcp()
        await wire.greet(hello(token))
        await wire.ask(Submit(1, [SPEC]))
        await wire.ask(PauseQueue(2, "mail", "disk"))
        page = await (await broker.admin()).ask(ListAudit(1, action="pause"))

        assert isinstance(page, AuditPage)
        (entry,) = page.entries
        assert (entry.actor, entry.origin, entry.target, entry.reason) == (
            "token:anna",
            "tcp 127.0.0.1",
            "mail",
            "disk",
        )


async def test_anonymous_clients_get_the_role_that_the_settings_give_them(short_socket: Path) -> None:
    async with edges(short_socket, security=SecuritySettings(anonymous_role="viewer")) as broker:
        wire = await broker.tcp()
        welcome = await wire.greet()
        refusal = await wire.ask(Submit(1, [SPEC]))

        assert welcome.role == "viewer"
        assert denied(refusal) == "Submit needs the role producer; anonymous has the role viewer"


async def test_an_engine_that_is_loaded_again_still_knows_who_is_connected(short_socket: Path) -> None:
    async with edges(short_socket) as broker:
        token = await broker.token(Role.OPERATOR, "anna", queues=("mail",))
        wire, other = await broker.tcp(), await broker.admin()
        await wire.greet(hello(token))
        await wire.ask(Submit(1, [SPEC]))

        def fail(*_: object) -> None:
            raise StorageFailed("a row cannot be read")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Engine, "step", fail)
            await other.ask(Submit(1, [SPEC]))
        await broker.log.until("engine_reloaded")
        refusal = await wire.ask(PauseQueue(2, "bank"))
        await wire.ask(PauseQueue(3, "mail"))
        page = await (await broker.admin()).ask(ListAudit(1, action="pause"))

        assert "confined to the queues mail" in denied(refusal)
        assert isinstance(page, AuditPage)
        assert [entry.actor for entry in page.entries] == ["token:anna"]
