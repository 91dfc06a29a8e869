"""Measures of one dashboard more through each of its doors: part of tools/measure_dashboard.py."""

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psutil
from measuring import environment, figure, say
from pty_screen import COLUMNS, LINES, Screen

from tq.bench.plan import Figure
from tq.bench.rig import TQ

SHOWN = rb"of [\d,]+ queues?"
"""The first screen has its data."""


def private_mib(pid: int) -> float:
    """Memory of a process that it shares with no other: what one more of them costs."""
    return psutil.Process(pid).memory_full_info().uss / (1 << 20)


def dashboards_under(pid: int) -> list[int]:
    """The processes of a door that draw."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True) if "top" in child.cmdline()]


@contextmanager
def daemon(words: Sequence[str], ready: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A door, and the line that says that it is open."""
    command = [*TQ, *words, "--log-format", "json"]
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    )
    try:
        assert process.stdout is not None
        line = next((line for line in process.stdout if ready in line), "")
        if not line:
            raise SystemExit(f"{' '.join(command)} has ended")
        yield process, line
    finally:
        process.terminate()
        process.wait()


def through_ssh_door(address: str) -> list[Figure]:
    """A session of `tq door`, with the system's ssh."""
    if _lacks("asyncssh", "ssh-keygen"):
        return []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        make_key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / "id")]
        subprocess.run(make_key, check=True)  # noqa: S603 - in a directory of our own
        (directory / "keys").write_text((directory / "id.pub").read_text())
        files = ["--keys", str(directory / "keys"), "--host-key", str(directory / "host_key")]
        with daemon(["door", "--port", "0", "--url", address, *files], '"door_open"') as (door, line):
            flags = [f"-oUserKnownHostsFile={directory}/known", "-oStrictHostKeyChecking=accept-new", "-F", "none"]
            port = str(json.loads(line)["port"])
            ssh = ["ssh", "-i", str(directory / "id"), "-p", port, *flags, "-oIdentityAgent=none", "127.0.0.1"]
            with Screen(ssh, environment()) as screen:
                screen.until(SHOWN)
                screen.read(5)
                (pid,) = dashboards_under(door.pid)
                return [figure("a session through `tq door`, private memory", private_mib(pid), "MiB", 30)]


async def through_web_door(address: str) -> list[Figure]:
    """A session of `tq web`, with a websocket such as a browser opens."""
    if _lacks("textual_serve"):
        return []
    import aiohttp

    with daemon(["web", "--port", "0", "--url", address], "/?token=") as (door, line):
        link = line.strip()
        base = link.partition("/?")[0]
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
            async with http.get(link) as response:
                response.raise_for_status()
            page = f"{base}/ws?width={COLUMNS}&height={LINES}"
            async with http.ws_connect(page, headers={"Origin": base}) as websocket:
                end = time.perf_counter() + 8
                while time.perf_counter() < end:
                    await websocket.receive()
                (pid,) = dashboards_under(door.pid)
                private = private_mib(pid)
    return [figure("a session through `tq web`, private memory", private, "MiB", 30)]


def _lacks(module: str, program: str = "") -> bool:
    """Whether something that a door needs is missing, which is said."""
    lacks = find_spec(module) is None or bool(program and shutil.which(program) is None)
    if lacks:
        say(f"left out: no {module}{f' or no {program}' if program else ''}")
    return lacks
