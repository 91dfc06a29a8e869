"""A real broker, in memory, in a thread of its own."""

import asyncio
import io
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import uvloop

from tq.model.settings import BrokerSettings, LogSettings, Settings
from tq.server.broker import Broker
from tq.server.logging import make_logger
from tq.storage.memory import MemoryStore

SETTINGS = Settings(broker=BrokerSettings(port=0, socket="none", graceful_shutdown_timeout_secs=2))


@contextmanager
def served() -> Iterator[str]:
    """The address of a broker that lives as long as the block."""
    address: Future[str] = Future()
    stopping = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        log = make_logger(LogSettings(level="error"), io.StringIO())
        broker = Broker(SETTINGS, MemoryStore(), log, is_ephemeral=True)
        await broker.start()
        loops.append(asyncio.get_running_loop())
        address.set_result(broker.addresses[0])
        await stopping.wait()
        await broker.stop()

    def run() -> None:
        try:
            uvloop.run(serve())
        except BaseException as error:
            if address.done():
                raise
            address.set_exception(error)

    thread = threading.Thread(target=run, name="broker of a test")
    thread.start()
    try:
        yield address.result(10)
        loops[0].call_soon_threadsafe(stopping.set)
    finally:
        if loops:
            loops[0].call_soon_threadsafe(stopping.set)
        thread.join(10)
