"""Fill a broker as a large installation would be, and keep it alive until Ctrl-C: queues in every state, connected
workers, dead letters, paused queues, running operations.

    TQ_BROKER_MAX_CONNECTIONS=3000 tq broker --data-dir /tmp/crowd &
    python tools/seed_broker.py --url unix:///tmp/crowd/tq.sock
    tq top unix:///tmp/crowd/tq.sock

With --changing 0.1, a tenth of the queues change twice a second. On stdin, a line with a number sets another part: 0
for none. Each step that is done is said on stdout. Dead letters that are there already are not made again.
"""

import argparse
import asyncio
import contextlib
import sys
import time

from tq.bench.crowd import Crowd, dead_queues, queue_names
from tq.bench.dead_letters import dead_letters, make_dead_letters
from tq.client.async_client import AsyncClient
from tq.model.operations import Action

SLOW_RATE = 1
"""Tasks a second of the operations that are left running: they outlast whoever looks."""


async def seed(options: argparse.Namespace) -> None:
    """All steps, then alive until cancelled."""
    names = queue_names(options.queues)
    async with AsyncClient(options.url, name="tq bench") as client:
        began = time.monotonic()
        missing = options.dead - await dead_letters(client)
        if missing > 0:
            await make_dead_letters(client, options.url, missing, dead_queues(names))
        say(f"dead letters {options.dead} in {time.monotonic() - began:.1f} s")
        async with Crowd(options.url, client, names, options.workers) as crowd:
            await crowd.fill()
            await start_operations(client, names)
            crowd.share = options.changing
            say(f"seeded in {time.monotonic() - began:.1f} s")
            async with asyncio.TaskGroup() as group:
                group.create_task(crowd.live())
                group.create_task(obey(crowd))


async def start_operations(client: AsyncClient, names: list[str]) -> None:
    """A slow retry, a slow purge, and one that is done."""
    dead = dead_queues(names)
    for action, selector, rate in (
        (Action.RETRY, f"state:dead_letter queue:{dead[0]}", SLOW_RATE),
        (Action.PURGE, f"state:dead_letter queue:{dead[-1]} err:*Timeout*", SLOW_RATE),
        (Action.CANCEL, f"queue:{names[min(8, len(names) - 1)]}", 1_000),
    ):
        prepared = await client.prepare(action, selector)
        await client.commit(prepared.token, "gateway fixed, ticket OPS-311", rate)


async def obey(crowd: Crowd) -> None:
    """Take the part of the queues that change from the lines of stdin, until it ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        crowd.share = float(line)
        say(f"changing {crowd.share:g}")


def say(text: str) -> None:
    """A line that whoever started this waits for."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="of the broker")
    parser.add_argument("--queues", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=2_000)
    parser.add_argument("--dead", type=int, default=1_000_000)
    parser.add_argument("--changing", type=float, default=0.0, metavar="PART", help="of the queues; 0 to 1")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(seed(parser.parse_args()))


if __name__ == "__main__":
    main()
