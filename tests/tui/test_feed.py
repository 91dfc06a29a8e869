"""The live feed, over a real broker that is killed and comes back."""

import asyncio
import getpass
import os
from collections.abc import AsyncIterator
from pathlib import Path

from tests.client.real import real_broker
from tq.client.async_client import AsyncClient
from tq.client.task import Task
from tq.model.identity import Role
from tq.tui.feed import Connected, Disconnected, Frame, LiveFeed, Told


async def until(told: AsyncIterator[Told], kind: type[Told]) -> Told:
    async with asyncio.timeout(30):
        async for one in told:
            if isinstance(one, kind):
                return one
    raise AssertionError(f"the feed ended before {kind}")


async def test_a_feed_says_who_is_there_and_then_what_is_new(tmp_path: Path) -> None:
    with real_broker(tmp_path) as broker:
        feed = LiveFeed(AsyncClient(broker.address, reconnect_timeout=0.2), badge="TEST")
        feed.watch(("totals", "queues"), 10.0)
        told = feed.told()

        greeted = await anext(told)
        frame = await anext(told)

        assert isinstance(greeted, Connected)
        assert (greeted.greeting.address, greeted.greeting.role) == (broker.address, Role.ADMIN)
        assert greeted.greeting.badge == "TEST"
        assert isinstance(frame, Frame)
        assert {change.scope for change in frame.changes} == {"totals", "queues"}
        await feed.close()


async def test_what_a_cluster_says_of_itself_counts_before_what_a_profile_calls_it(tmp_path: Path) -> None:
    named = {"TQ_CLUSTER_NAME": "prod", "TQ_CLUSTER_BADGE": "PRODUCTION", "TQ_CLUSTER_CONFIRM_ALWAYS": "true"}
    with real_broker(tmp_path, **named) as broker:
        client = AsyncClient(broker.socket_address, acts_for="anna", role=Role.OPERATOR)
        feed = LiveFeed(client, badge="MINE")
        greeted = await anext(feed.told())
        await feed.close()

    assert isinstance(greeted, Connected)
    greeting = greeted.greeting
    assert greeting.address == f"prod@{tmp_path}/tq.sock"
    assert (greeting.badge, greeting.confirms_always, greeting.role) == ("PRODUCTION", True, Role.OPERATOR)
    assert greeting.actor == f"uid:{os.geteuid()} {getpass.getuser()} for anna"


async def test_a_feed_turns_to_what_another_screen_needs(tmp_path: Path) -> None:
    with real_broker(tmp_path) as broker:
        async with AsyncClient(broker.address) as client:
            await client.submit_task(Task("a", queue="mail"))
        feed = LiveFeed(AsyncClient(broker.address, reconnect_timeout=0.2))
        feed.watch(("totals",), 10.0)
        told = feed.told()
        await until(told, Frame)

        feed.watch(("queue:mail",), 10.0)
        async with asyncio.timeout(30):
            async for one in told:
                if isinstance(one, Frame) and any(change.scope == "queue:mail" for change in one.changes):
                    break
        await feed.close()


async def test_a_lost_broker_is_said_and_tried_again_until_it_is_back(tmp_path: Path) -> None:
    with real_broker(tmp_path) as broker:
        feed = LiveFeed(AsyncClient(broker.address, reconnect_timeout=0.2))
        feed.watch(("totals",), 10.0)
        told = feed.told()
        first = await until(told, Connected)
        await until(told, Frame)

        await asyncio.to_thread(broker.kill)
        lost = await until(told, Disconnected)
        await asyncio.to_thread(broker.start)
        again = await until(told, Connected)

        assert isinstance(lost, Disconnected)
        assert "no broker answers" in lost.reason
        assert isinstance(first, Connected)
        assert isinstance(again, Connected)
        assert again.greeting.boot_id != first.greeting.boot_id
        await feed.close()
