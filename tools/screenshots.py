"""Draw the pictures in docs/images: the dashboard over a real broker, with real workers of a shop that fails at times.

    python tools/screenshots.py [--seconds 330] [--directory docs/images] [NAME ...]

`--seconds` is how long the shop runs before the first picture: a history takes time. The load and what fails come from
a seed, but processes and clocks are real, so each run has other figures: draw anew only what looks different now. The
pictures are SVG without fonts of their own, so that nothing is fetched by whoever looks at them.
"""

import argparse
import asyncio
import contextlib
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import shop
from textual.pilot import Pilot

from tq.client.async_client import AsyncClient
from tq.model.ids import format_id
from tq.tui.app import Look, TopApp
from tq.tui.commandline import HOME, Place
from tq.tui.feed import Connected, LiveFeed, Told
from tq.tui.glyphs import UNICODE
from tq.tui.once import as_text
from tq.tui.theme import DARK, LIGHT

ROOT = Path(__file__).parents[1]
PLACE = Path(tempfile.gettempdir()) / "shop"
"""Where all of it runs; a traceback shows it."""
COLUMNS = 120
START_SECONDS = 30.0
SEEN_SECONDS = 30.0
SETTLE_SECONDS = 1.5
"""A few frames more, for what is asked for once a screen is there."""
TICK_SECONDS = 0.25

WORKERS = {
    "bank-1": ("orders.charge", 5),
    "bank-2": ("orders.charge", 5),
    "web-1": ("webhooks.out,mail.receipts,mail.welcome,crm.sync", 16),
    "web-2": ("webhooks.out,mail.receipts,mail.welcome,orders.refund", 16),
    "media-1": ("media.thumbs,ml.embed", 12),
    "back-1": ("search.index,stock.levels,fraud.check", 8),
    "back-2": ("billing.invoices,reports.nightly,stock.levels,fraud.check", 8),
}
"""Worker processes, with the queues that each serves and how many tasks it runs at once."""


class Load(NamedTuple):
    """What comes in: tasks a second on the average, the seconds from one wave to the next, and how."""

    per_second: float
    wave_seconds: float
    submit: Callable[[int], Coroutine[Any, Any, object]]


LOADS = (
    Load(29, 1_200, lambda order: shop.charge.enqueue(order, order * 7 % 90_000, "EUR")),
    Load(26, 90, lambda order: shop.deliver.enqueue(order % 40, {"order_id": order, "type": "paid"})),
    Load(5, 60, lambda order: shop.thumbnail.enqueue(f"img/{order}.{'jpg' if order % 100 else 'bmp'}", 320)),
    Load(0.8, 45, shop.refund.enqueue),
    Load(22, 120, shop.receipt.enqueue),
    Load(2, 80, shop.welcome.enqueue),
    Load(80, 50, shop.reindex.enqueue),
    Load(3, 110, shop.embed.enqueue),
    Load(6, 75, shop.sync.enqueue),
    Load(14, 40, shop.count.enqueue),
    Load(4, 140, shop.invoice.enqueue),
    Load(9, 65, shop.check.enqueue),
    Load(0.3, 300, lambda _: shop.report.enqueue("2026-02-11")),
)

FAMILY = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace'
"""The fonts that systems have; Textual's picture would fetch one from elsewhere."""


class Picture(NamedTuple):
    """One file. `first` is waited for, `keys` are pressed, then `signs` must be there."""

    name: str
    signs: Sequence[str]
    start: Place = HOME
    first: Sequence[str] = ()
    keys: Sequence[str] = ()
    theme: str = DARK.name
    lines: int = 32


def pictures(dead: str) -> tuple[Picture, ...]:
    """All of them; `dead` is the id of a dead letter."""
    error = ["GatewayTimeout"]
    return (
        Picture("queues", ["webhooks.out", "NEEDS ATTENTION"]),
        Picture("queues-light", ["webhooks.out", "NEEDS ATTENTION"], theme=LIGHT.name),
        Picture("workers", ["media-1"], Place("workers"), lines=16),
        Picture("dead", error, Place("dead"), lines=16),
        Picture("task", ["Traceback"], Place("task", dead), lines=42),
        Picture("retry", ["frozen"], Place("dead"), error, ["R"], lines=26),
        Picture("activity", ["retry"], Place("activity"), lines=24),
    )


async def draw_all(directory: Path, seconds: float, names: Sequence[str]) -> None:
    """The pictures of these names, all if there are none, and the processes that they need."""
    address = f"unix://{PLACE}/data/tq.sock"
    os.environ["TQ_URL"] = address  # for the shop
    with running():
        async with shop.app, AsyncClient(address, reconnect_timeout=START_SECONDS) as client:
            selling = asyncio.create_task(sell())
            anna, ci = [(await client.create_token(name, "operator")).text for name in ("anna", "ci")]
            await asyncio.sleep(seconds / 2)
            async with AsyncClient(address, token=ci) as robot:
                await robot.pause_queue("reports.nightly", "migration 214")
            await asyncio.sleep(seconds / 2)
            async with AsyncClient(address, token=anna) as operator:
                await act(operator)
            dead = await client.list_tasks("queue:orders.charge state:dead_letter err:*Timeout", limit=1)
            for picture in pictures(format_id(dead.tasks[0].id)):
                if picture.name in names or not names:
                    (directory / f"{picture.name}.svg").write_text(await draw(picture, address, anna))
                    sys.stderr.write(f"{picture.name}\n")
            selling.cancel()


@contextlib.contextmanager
def running() -> Iterator[None]:
    """A broker and workers, ended with the block."""
    PLACE.mkdir(mode=0o700)
    shutil.copy(ROOT / "tools" / "shop.py", PLACE)
    variables = {"TQ_CLUSTER_NAME": "prod", "TQ_CLUSTER_BADGE": "PRODUCTION"}
    path = os.pathsep.join((str(ROOT), str(PLACE)))
    environment = {**os.environ, **variables, "PYTHONPATH": path}
    commands = [["broker", "--port", "0", "--data-dir", str(PLACE / "data")]]
    for name, (queues, slots) in WORKERS.items():
        commands.append(["worker", "shop:app", "--name", name, "--queues", queues, "--concurrency", str(slots)])
    processes = []
    try:
        with (PLACE / "log").open("w") as log:
            for command in commands:
                program = [sys.executable, "-m", "tq.cli.main", *command]
                processes.append(subprocess.Popen(program, env=environment, cwd=PLACE, stderr=log))
        while not (PLACE / "data" / "tq.sock").exists():  # the clients try once, the workers until it is there
            if processes[0].poll() is not None:
                sys.exit((PLACE / "log").read_text())
            time.sleep(0.05)
        yield
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(60)
        shutil.rmtree(PLACE)


async def sell() -> None:
    """Orders come in, in waves, until cancelled."""
    chance = random.Random(1)
    order, began = 8_000, time.monotonic()
    while True:
        passed = time.monotonic() - began
        waiting = []
        for load in LOADS:
            expected = load.per_second * TICK_SECONDS * (1 + 0.5 * math.sin(2 * math.pi * passed / load.wave_seconds))
            for _ in range(int(expected + chance.random())):
                order += 1
                waiting.append(load.submit(order))
        await asyncio.gather(*waiting)
        await asyncio.sleep(TICK_SECONDS)


async def act(client: AsyncClient) -> None:
    """What an operator has done just now, for Activity."""
    for action, selector, reason, rate in (
        ("retry", "state:dead_letter queue:webhooks.out", "hooks.example is back", 1),
        ("purge", "state:dead_letter queue:media.thumbs", "no pictures, OPS-311", 500),
        ("cancel", "state:pending queue:reports.nightly", "one is enough", 500),
    ):
        prepared = await client.prepare(action, selector)
        await client.commit(prepared.token, reason, rate)


class Renamed(LiveFeed):
    """The same under a name that is not this machine's."""

    async def told(self) -> AsyncIterator[Told]:
        """What the broker tells."""
        async for told in super().told():
            if isinstance(told, Connected):
                yield Connected(told.greeting._replace(address="prod@broker-1"))
            else:
                yield told


async def draw(picture: Picture, address: str, token: str) -> str:
    """One picture, as SVG."""
    feed = Renamed(AsyncClient(address, token=token, reconnect_timeout=1))
    client = AsyncClient(address, token=token, reconnect_timeout=START_SECONDS)
    app = TopApp(feed, Look(UNICODE, picture.theme), client, start=picture.start)
    async with app.run_test(size=(COLUMNS, picture.lines)) as pilot:
        await shown(app, pilot, "LIVE", "link", *picture.first)
        await pilot.press(*picture.keys)
        await shown(app, pilot, *picture.signs)
        await pilot.pause(SETTLE_SECONDS)
        return self_contained(app.export_screenshot(title="tq top"))


def self_contained(svg: str) -> str:
    """The picture without what it would fetch, and with nothing that differs for the same content."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("font-family: Fira Code, monospace", f"font-family: {FAMILY}")
    svg = svg.replace("font-family: arial", "font-family: sans-serif")
    svg = re.sub(r"terminal-\d+-", "tq-", svg)
    # The last line of the terminal is cut off by a few pixels otherwise.
    return re.sub(r'(clip-terminal">\s*<rect [^>]*height=")([\d.]+)', lambda m: f"{m[1]}{float(m[2]) + 4}", svg)


async def shown(app: TopApp, pilot: "Pilot[None]", *signs: str) -> None:
    """Wait until all of these are on the screen."""
    try:
        async with asyncio.timeout(SEEN_SECONDS):
            while not all(sign in as_text(app) for sign in signs):
                await pilot.pause(0.1)
    except TimeoutError:
        sys.exit(f"{signs} did not come; there is:\n{as_text(app)}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=330.0)
    parser.add_argument("--directory", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of the pictures to draw; none: all")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    asyncio.run(draw_all(options.directory, options.seconds, options.names))


if __name__ == "__main__":
    main()
