"""What a caller of an edge may do is what the broker says of the caller, over connections that are kept and bounded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.server.edges import Edges, edges
from tq.client.task import Task
from tq.edges import gateway as module
from tq.edges.gateway import Caller, Gateway
from tq.model.errors import AccessDenied, TooManyConnections, TooManyRequests
from tq.model.identity import Role
from tq.server import greeting

LOCAL = Caller("", "127.0.0.1", is_local=True)
WRONG = f"tq_0123456789ab_{'x' * 43}"


@asynccontextmanager
async def gateway_to(broker: Edges, *, callers_max: int = 8, idle_seconds: float = 60) -> AsyncIterator[Gateway]:
    address = f"unix://{broker.socket}"
    made = Gateway(address, broker.broker.edge_key, "rest", callers_max=callers_max, idle_seconds=idle_seconds)
    try:
        yield made
    finally:
        await made.close()


def caller(token: str, origin: str = "10.0.0.7") -> Caller:
    return Caller(token, origin, is_local=False)


async def test_each_caller_has_the_role_of_the_own_token(tmp_path: Path) -> None:
    async with edges(tmp_path / "s") as broker, gateway_to(broker) as gateway:
        producer = caller(await broker.token(Role.PRODUCER))
        async with gateway.client(producer) as client:
            await client.submit_task(Task("mail"))
            with pytest.raises(AccessDenied, match="operator"):
                await client.pause_queue("default")
        operator = caller(await broker.token(Role.OPERATOR, "anna"))
        async with gateway.client(operator) as client:
            await client.pause_queue("default")
            (entry,) = [entry for entry in await client.audit() if entry.action == "pause"]

    assert (entry.actor, entry.origin) == ("token:anna", "rest 10.0.0.7")


async def test_who_shows_nothing_where_there_are_tokens_is_refused_although_the_edge_runs_as_the_brokers_user(
    tmp_path: Path,
) -> None:
    async with edges(tmp_path / "s") as broker, gateway_to(broker) as gateway:
        async with gateway.client(LOCAL) as client:
            await client.submit_task(Task("mail"))
        await broker.token(Role.ADMIN)
        with pytest.raises(AccessDenied):
            async with gateway.client(Caller("", "127.0.0.2", is_local=True)):
                pass

        stats = await gateway.own.stats()
        with pytest.raises(AccessDenied):
            await gateway.own.submit_task(Task("mail"))

    assert stats.engine.ready == 1


async def test_a_token_of_the_environment_is_never_shown_for_a_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with edges(tmp_path / "s") as broker, gateway_to(broker) as gateway:
        monkeypatch.setenv("TQ_TOKEN", await broker.token(Role.ADMIN))
        with pytest.raises(AccessDenied, match="shows no token"):
            async with gateway.client(LOCAL):
                pass


async def test_a_revoked_token_ends_the_access_of_its_bearer_at_once(tmp_path: Path) -> None:
    async with edges(tmp_path / "s") as broker, gateway_to(broker) as gateway:
        admin = caller(await broker.token(Role.ADMIN, "boss"))
        bearer = caller(await broker.token(Role.VIEWER, "guest"))
        async with gateway.client(bearer) as guest, gateway.client(admin) as boss:
            await guest.stats()
            waiting = asyncio.ensure_future(guest.wait(await boss.submit_task(Task("mail")), 30))
            await guest.stats()  # so that the broker has it
            await boss.revoke_token("guest")
            with pytest.raises(AccessDenied):
                await waiting
            with pytest.raises(AccessDenied):
                await guest.stats()
        with pytest.raises(AccessDenied):
            async with gateway.client(bearer):
                pass
        assert gateway.callers == 1


async def test_equal_callers_share_a_connection_and_others_do_not(tmp_path: Path) -> None:
    async with edges(tmp_path / "s") as broker, gateway_to(broker) as gateway, AsyncExitStack() as stack:
        first = [await stack.enter_async_context(gateway.client(LOCAL)) for _ in range(3)]
        other = await stack.enter_async_context(gateway.client(Caller("", "127.0.0.2", is_local=True)))

    assert len(set(map(id, first))) == 1
    assert other is not first[0]


async def test_a_caller_beyond_the_limit_takes_the_place_of_one_who_is_idle_and_never_of_one_who_is_not(
    tmp_path: Path,
) -> None:
    def nth(number: int) -> Caller:
        return Caller("", f"127.0.0.{number}", is_local=True)

    async with (
        edges(tmp_path / "s") as broker,
        gateway_to(broker, callers_max=2) as gateway,
        gateway.client(nth(1)) as busy,
    ):
        async with gateway.client(nth(2)):
            with pytest.raises(TooManyConnections):
                async with gateway.client(nth(3)):
                    pass
        async with gateway.client(nth(3)):
            assert gateway.callers == 2
        await busy.stats()


async def test_an_idle_connection_is_closed(tmp_path: Path) -> None:
    async with edges(tmp_path / "s") as broker, gateway_to(broker, idle_seconds=0.05) as gateway:
        async with gateway.client(LOCAL) as client:
            pass
        async with asyncio.timeout(10):
            while gateway.callers:
                await asyncio.sleep(0.01)
        with pytest.raises(Exception, match="closed"):
            await client.stats()
        async with gateway.client(LOCAL) as again:
            await again.stats()


async def test_who_guesses_tokens_is_held_back_and_costs_nobody_else_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(greeting, "WRONG_TOKEN_SECONDS", 0.2)

    async def guess(gateway: Gateway, number: int) -> str:
        try:
            async with gateway.client(caller(f"tq_{number:012x}_{'x' * 43}")):
                return "in"
        except (AccessDenied, TooManyRequests) as error:
            return error.code

    async with edges(tmp_path / "s") as broker, gateway_to(broker, callers_max=1) as gateway:
        good = caller(await broker.token(Role.VIEWER))
        async with gateway.client(good) as client:
            pass
        guesses = [asyncio.ensure_future(guess(gateway, number)) for number in range(20)]
        async with gateway.client(good) as again:
            await again.stats()
        codes = [await each for each in guesses]

    assert again is client
    assert codes.count("ACCESS_DENIED") == module.GREETINGS_OF_ORIGIN_MAX
    assert codes.count("TOO_MANY_REQUESTS") == 20 - module.GREETINGS_OF_ORIGIN_MAX
