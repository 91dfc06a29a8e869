"""Measure `tq top` on a real terminal over a seeded broker, against its targets; about five minutes, mostly seeding.

    python tools/measure_dashboard.py --repeat 3
    python tools/measure_dashboard.py --dead 20000 --workers 200 --seconds 5     quicker, says less

A broker is started over an empty directory and filled by tools/seed_broker.py. Then the dashboard runs on a
pseudo-terminal of 120x40, whose other end is read here: what is measured is what a person at it would have. CPU is the
scheduler's own count of the process. Rows of a door need what the door needs (sshd, ssh, asyncssh, aiohttp); without it
they are left out, with the reason. With --repeat all is measured so many times over the same broker: the table has the
best of each row, and the spread.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from measure_doors import SHOWN, through_ssh_door, through_web_door
from measuring import environment, figure, say, show
from pty_screen import Screen, cpu_seconds

from tq.bench.machine import describe_machine
from tq.bench.plan import Figure
from tq.bench.rig import TQ, Rig
from tq.client.async_client import AsyncClient

ROOT = Path(__file__).parents[1]
CHANGING = 0.1
SCOPES = ("totals", "attention", "queues", "events", "ops")
"""What the dashboard watches on its first screen."""
HZ = 2
WATCHERS = 50
TURNS = 5
LOAD_SECONDS = 20
STARTS = 5
KEYS = 100
REPAINTS = 50
SETTLE_SECONDS = 12
"""After the queues began or ceased to change: rates are of the last ten seconds."""
FOCUS_OUT, FOCUS_IN = b"\x1b[O", b"\x1b[I"
PAGE_UP, PAGE_DOWN, UP, DOWN = b"\x1b[5~", b"\x1b[6~", b"\x1b[A", b"\x1b[B"
CLEAR = b"\x15"
"""Ctrl+u: empties a line. What is typed in the same moment may be lost with the rest."""


# -- what is not asked for --------------------------------------------------------------------------------------------

FACES = ("textual", "asyncssh", "aiohttp")


def imports(address: str) -> Figure:
    """The dashboard's libraries that the everyday commands import; of worker and broker a test sees to it."""
    run = "import json, sys; sys.argv = ['tq', *sys.argv[1:]]\nfrom tq.cli.main import main\n"
    run += "try:\n    main()\nfinally:\n    print(json.dumps([*sys.modules]), file=sys.stderr)"
    found = 0
    for words in (["--version"], ["submit", "--type", "measured", "--queue", "measured", "--url", address]):
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-c", run, *words], capture_output=True, text=True, env=environment(), check=True
        )
        found += sum(name in FACES for name in json.loads(done.stderr.splitlines()[-1]))
    return figure("textual, asyncssh, aiohttp imported by `tq --version`, `tq submit`", found, "modules", 0.5)


# -- start -----------------------------------------------------------------------------------------------------------

PAINTED = rb"1 Queues"


def starts(address: str, environment: Mapping[str, str], how: str, targets: tuple[float, float]) -> list[Figure]:
    """From the start of the process to the painted frame, and to the first data; the first start is not counted."""
    painted, shown = [], []
    for _ in range(1 + STARTS):
        with Screen([*TQ, "top", address], environment) as screen:
            painted.append(screen.until(PAINTED) - screen.started)
            shown.append(screen.until(SHOWN) - screen.started)
    return [
        figure(f"start to painted, {how}", statistics.median(painted[1:]) * 1_000, "ms", targets[0]),
        figure(f"start to first data, {how}", statistics.median(shown[1:]) * 1_000, "ms", targets[1]),
    ]


def starts_over_ssh(data_dir: Path) -> list[Figure]:
    """The same through a stock sshd on the loopback, from scratch and through a connection that is shared."""
    sys.path.insert(0, str(ROOT))
    from tests.doors.sshd import missing, running_sshd

    if why := missing():
        say(f"no ssh: {why}")
        return []
    with tempfile.TemporaryDirectory() as directory, running_sshd(Path(directory)) as (sshd, _):
        address = f"{sshd.address}{data_dir}/tq.sock"
        home = {**environment(), "HOME": str(sshd.home)}
        cold = starts(address, {**home, "TQ_SSH_COMMAND": sshd.command()}, "ssh", (800, 800))
        share = f"-oControlMaster=auto -oControlPath={directory}/c -oControlPersist=60"
        shared = starts(address, {**home, "TQ_SSH_COMMAND": f"{sshd.command()} {share}"}, "ssh, shared", (550, 550))
        subprocess.run(  # noqa: S603 - ends what ControlPersist left behind
            [*sshd.command().split(), *share.split(), "-O", "exit", "broker-host"], capture_output=True, check=False
        )
    return [*cold, *shared]


# -- while it runs ----------------------------------------------------------------------------------------------------


def keys(screen: Screen) -> list[Figure]:
    """From a key to the first byte that comes of it, at moments that have nothing to do with the frames."""
    waits = []
    for number in range(KEYS):
        screen.read(0.05 + 0.137 * (number % 5))
        pressed = time.perf_counter()
        screen.press(DOWN if number // 20 % 2 == 0 else UP)
        waits.append(screen.first_byte() - pressed)
    waits.sort()
    return [
        figure("key to first byte, p50", waits[len(waits) // 2] * 1_000, "ms", 10),
        figure("key to first byte, p95", waits[len(waits) * 95 // 100] * 1_000, "ms", 25),
    ]


def repaint(screen: Screen) -> Figure:
    """CPU of showing other rows in the whole table, the key included; the stream is paused."""
    screen.press(b"Z")
    screen.read(2)
    before = screen.cpu_seconds()
    for number in range(REPAINTS):
        screen.press(PAGE_DOWN if number % 2 == 0 else PAGE_UP)
        screen.read(0.05)
    spent = screen.cpu_seconds() - before
    screen.press(b"Z")
    screen.read(2)
    return figure("full table repaint", spent / REPAINTS * 1_000, "ms CPU", 8)


class Steady(NamedTuple):
    """What the process used while nobody pressed a key."""

    cpu_percent: float
    terminal_bytes: float  # a second


def steady(screen: Screen, seconds: float) -> Steady:
    """Read on, and see what it takes."""
    cpu, written, began = screen.cpu_seconds(), screen.bytes, time.perf_counter()
    screen.read(seconds)
    took = time.perf_counter() - began
    return Steady(100 * (screen.cpu_seconds() - cpu) / took, (screen.bytes - written) / took)


def costs(screen: Screen, seconds: float) -> list[Figure]:
    """CPU and bytes with a tenth of the queues changing, paused, and without the focus."""
    live = steady(screen, seconds)
    screen.press(b"Z")
    screen.read(2)
    paused = steady(screen, seconds)
    screen.press(b"Z")
    screen.press(FOCUS_OUT)
    screen.read(3)
    blurred = steady(screen, seconds)
    screen.press(FOCUS_IN)
    screen.read(1)
    return [
        figure("CPU, 10 % of the queues changing", live.cpu_percent, "% of a core", 5),
        figure("  bytes to the terminal", live.terminal_bytes / 1_024, "KiB/s", 0),
        figure("CPU, paused", paused.cpu_percent, "% of a core", 0.05),
        figure("  bytes to the terminal", paused.terminal_bytes / 1_024, "KiB/s", 0.001),
        figure("CPU, without the focus", blurred.cpu_percent, "% of a core", 1),
    ]


def memory(screen: Screen, seconds: float) -> list[Figure]:
    """RSS after a look at every screen, and whether anything grows from then on."""
    for key in b"23451":
        screen.press(bytes([key]))
        screen.read(2)
    samples, before = [], (screen.process.num_fds(), screen.process.num_threads())
    began = time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        screen.read(0.5)
        samples.append((elapsed, screen.process.memory_info().rss / (1 << 20)))
    after = screen.process.num_fds(), screen.process.num_threads()
    slope = statistics.linear_regression(*zip(*samples, strict=True)).slope * 60
    return [
        figure("RSS, all screens seen", max(rss for _, rss in samples), "MiB", 55),
        figure("  its slope", slope, "MiB/min", 0.5),
        figure("  more open files, threads than before", sum(after) - sum(before), "", 0.5),
    ]


HINT = rb"type:send|state:dead"
"""What the prompt of a filter has in it: an example, or what was searched for before."""
GROUPS = rb"[1-9]\d* of [\d,]+ errors?"


def dead(screen: Screen) -> list[Figure]:
    """From a key to what it shows of a million dead letters: their groups, more tasks of one, those of an error."""
    groups, pages, filters = [], [], []
    for number in range(5):
        pressed = time.perf_counter()
        screen.press(b"3")
        groups.append(screen.until(GROUPS) - pressed)
        screen.press(b"\r")
        screen.until(rb"\b200 of [\d,]+ tasks")
        pressed = time.perf_counter()
        screen.press(b"G")
        pages.append(screen.until(rb"\b(2\d[1-9]|[3-9]\d\d) of [\d,]+ tasks") - pressed)
        screen.press(b"\x1b")
        screen.until(GROUPS)
        screen.press(b"4")
        screen.until(rb"[1-9]\d* of [\d,]+ tasks")
        error = (b"ConnectTimeout", b"RareError")[number % 2]
        screen.press(b"/")
        screen.until(HINT)
        screen.press(CLEAR)
        screen.read(0.5)
        screen.press(b"state:dead_letter err:" + error)
        screen.until(error)
        screen.read(0.5)
        pressed = time.perf_counter()
        screen.press(b"\r")
        filters.append(screen.until(rb"\b[1-9]\d* of [\d,]+ (or more )?tasks  (more|sort)") - pressed)
        screen.press(b"1")
        screen.until(SHOWN)
    return [
        figure("open the dead letters", statistics.median(groups) * 1_000, "ms", 100),
        figure("the next page of a group", statistics.median(pages) * 1_000, "ms", 50),
        figure("filter all tasks by an error", statistics.median(filters) * 1_000, "ms", 150),
    ]


# -- the link ---------------------------------------------------------------------------------------------------------


class Relay:
    """A socket before the broker's, which counts what comes back from it."""

    def __init__(self, path: Path, target: Path) -> None:
        self.bytes = 0
        self._target = target
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            far = socket.socket(socket.AF_UNIX)
            far.connect(str(self._target))
            threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self.bytes += len(data) if is_counted else 0
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def link(data_dir: Path, path: Path, seconds: float) -> Figure:
    """Bytes that the broker sends to a dashboard, once the first frame is there."""
    relay = Relay(path, data_dir / "tq.sock")
    with Screen([*TQ, "top", f"unix://{path}"], environment()) as screen:
        screen.until(SHOWN)
        screen.read(2)
        before = relay.bytes
        screen.read(seconds)
        return figure("bytes over the link", (relay.bytes - before) / seconds / 1_024, "KiB/s", 10)


# -- the broker -------------------------------------------------------------------------------------------------------


async def watchers(rig: Rig, count: int, seconds: float) -> float:
    """CPU of the broker, in seconds a second, while so many watch what the first screen does."""
    pid = rig.broker_process().pid

    frames = 0

    async def watch() -> None:
        nonlocal frames
        async with AsyncClient(rig.address, name="tq bench") as client, client.watch(*SCOPES, hz=HZ) as stream:
            async for _ in stream:
                frames += 1

    tasks = [asyncio.create_task(watch()) for _ in range(count)]
    await asyncio.sleep(3)
    before, began, frames = cpu_seconds(pid), time.perf_counter(), 0
    await asyncio.sleep(seconds)
    spent = (cpu_seconds(pid) - before) / (time.perf_counter() - began)
    if frames < count * HZ * (seconds - 1) * 0.8:
        raise SystemExit(f"{count} watchers got {frames} frames in {seconds:g} s; a figure for them would mean nothing")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return spent


async def broker_costs(rig: Rig, seconds: float) -> list[Figure]:
    """What the first watcher costs, and what 49 more of the same scopes do.

    In turns, for a busy broker does not use the same from one minute to the next.
    """
    turns = [[await watchers(rig, count, seconds) for count in (0, 1, WATCHERS)] for _ in range(TURNS)]
    nobody = statistics.median(none for none, _, _ in turns)
    first = statistics.median(one - none for none, one, _ in turns)
    more = statistics.median(many - one for _, one, many in turns)
    return [
        figure("broker, nobody watches", nobody * 100, "% of a core", 0),
        figure("broker, the first watcher", first / HZ * 1_000, "ms CPU a frame", 0.5),
        figure("broker, each of 49 more", more / HZ / (WATCHERS - 1) * 1_000, "ms CPU a frame", 0.5),
    ]


# -- all of it --------------------------------------------------------------------------------------------------------


@contextmanager
def seeded(rig: Rig, options: argparse.Namespace) -> Iterator["subprocess.Popen[str]"]:
    """The seeding process, once it is done; it goes on to keep workers and queues alive."""
    sizes = [f"--{name}={getattr(options, name)}" for name in ("queues", "workers", "dead")]
    command = [sys.executable, str(ROOT / "tools" / "seed_broker.py"), f"--url={rig.address}", *sizes]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
    try:
        assert process.stdout is not None
        for line in process.stdout:
            say(line.strip())
            if line.startswith("seeded"):
                break
        if process.poll() is not None:
            raise SystemExit("the broker was not seeded")
        yield process
    finally:
        process.terminate()
        process.wait()


def change(seeder: "subprocess.Popen[str]", part: float) -> None:
    """Let that part of the queues change, and wait until the rates have followed."""
    assert seeder.stdin is not None
    seeder.stdin.write(f"{part}\n")
    seeder.stdin.flush()
    time.sleep(SETTLE_SECONDS)


async def measure(options: argparse.Namespace) -> list[list[Figure]]:
    """Everything, in order, as often as that is wanted. Blocks the loop: while a terminal is read, there is nothing
    else to do."""
    settings = {"TQ_BROKER_MAX_CONNECTIONS": str(options.workers + 500)}
    async with Rig(None, None, settings) as rig:
        say(" · ".join(f"{name} {value}" for name, value in describe_machine(rig.directory).items()))
        with seeded(rig, options) as seeder:
            change(seeder, CHANGING)
            runs = []
            for number in range(options.repeat):
                await quiet(options.load)
                say(f"run {number + 1} of {options.repeat} begins, load {os.getloadavg()[0]:.1f}")
                runs.append(await measure_once(rig, options.seconds, rig.directory / f"relay-{number}.sock"))
                show([runs[-1]])
            return runs


async def quiet(load: float) -> None:
    """Wait until the machine has less to do than that; 0: do not wait."""
    while 0 < load < os.getloadavg()[0]:  # noqa: ASYNC110 - nothing tells when others are done
        await asyncio.sleep(LOAD_SECONDS)


async def measure_once(rig: Rig, seconds: float, relay: Path) -> list[Figure]:
    """Each row once."""
    data_dir = rig.directory / "data"
    address = f"unix://{data_dir}/tq.sock"
    figures = [imports(address)]
    figures += starts(address, environment(), "local socket", (350, 450))
    figures += starts_over_ssh(data_dir)
    with Screen([*TQ, "top", address], environment()) as screen:
        screen.until(SHOWN)
        screen.read(2)
        figures += keys(screen)
        figures.append(repaint(screen))
        figures += costs(screen, seconds)
        figures += dead(screen)
        figures += memory(screen, 2 * seconds)
    figures.append(link(data_dir, relay, seconds))
    figures += await broker_costs(rig, seconds)
    figures += through_ssh_door(address)
    figures += await through_web_door(address)
    return figures


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queues", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=2_000)
    parser.add_argument("--dead", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each steady part")
    parser.add_argument("--repeat", type=int, default=1, help="times that all is measured")
    parser.add_argument("--load", type=float, default=0, help="of the machine, above which a run waits; 0: none does")
    show(asyncio.run(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
