"""A real broker with its real edges, as `tq broker` starts them."""

import contextlib
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.cli.processes import Daemon, call_tq, daemon, environment

EDGES_ON = {"TQ_API_REST_ENABLED": "true"}
GRPC_ON = {"TQ_API_REST_ENABLED": "false", "TQ_API_GRPC_ENABLED": "true"}


class EdgeBroker:
    """One that runs.

    Attributes:
        address: of its unix socket.
        rest: of the REST edge, such as "http://127.0.0.1:41234"; empty: it has none.
        grpc: of the gRPC edge, such as "grpc://127.0.0.1:41235"; empty: it has none.
    """

    def __init__(self, process: Daemon, address: str) -> None:
        self.process = process
        self.address = address
        started = json.loads(process.wait_for('"broker_started"'))
        (self.rest,) = [each for each in started["addresses"] if each.startswith("http")] or [""]
        (self.grpc,) = [each for each in started["addresses"] if each.startswith("grpc")] or [""]
        self.native = started["addresses"][0]

    @property
    def pid(self) -> int:
        return self.process.process.pid

    def event(self, name: str, count: int = 1) -> dict[str, Any]:
        """The facts of an event of the log, when it comes for the count-th time."""
        facts: dict[str, Any] = json.loads(self.process.wait_for(f'"{name}"', count=count))
        return facts

    def edge_pid(self, count: int = 1) -> int:
        """Of the edge that was started as the count-th."""
        return int(self.event("edge_started", count)["edge_pid"])

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)

    def token(self, name: str, role: str, *flags: str) -> str:
        """A new token."""
        done = call_tq("token", "create", name, "--role", role, *flags, "--url", self.address)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def revoke(self, name: str) -> None:
        assert call_tq("token", "revoke", name, "--url", self.address).returncode == 0


@contextlib.contextmanager
def edge_broker(directory: Path, *flags: str, **settings: str) -> Iterator[EdgeBroker]:
    """A broker with its edges on free ports, REST unless `settings`, which are environment variables, say otherwise."""
    data = directory / "data"
    command = (
        "broker",
        "--port",
        "0",
        "--rest-port",
        "0",
        "--grpc-port",
        "0",
        "--data-dir",
        str(data),
        "--log-format",
        "json",
        *flags,
    )
    with daemon(*command, env=environment(**{**EDGES_ON, **settings})) as process:
        yield EdgeBroker(process, f"unix://{data}/tq.sock")


def wait_until_gone(pid: int, seconds: float = 30) -> None:
    """Until a process that is no child of this one has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(seconds)


def secret_of(token: str) -> str:
    """The part of a token that nobody may see."""
    found = re.fullmatch(r"tq_[0-9a-f]{12}_(\S+)", token)
    assert found
    return found[1]


def http(broker: EdgeBroker, token: str = "") -> httpx.Client:
    """A client of the REST edge."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=f"{broker.rest}/api/v1", headers=headers, timeout=30)
