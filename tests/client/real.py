"""A broker as a process of its own, to be killed and started again."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.client.scripted import free_port


class RealBroker:
    """`tq broker` over one data directory, on one port and the socket in the directory."""

    def __init__(self, data_dir: Path, settings: dict[str, str]) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.socket_address = f"unix://{data_dir}/tq.sock"
        self._environment = {**os.environ, **settings}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        command = ["broker", "--port", str(self.port), "--data-dir", str(self.data_dir), "--log-format", "json"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tq.cli.main", *command], stderr=subprocess.PIPE, env=self._environment
        )
        assert self._process.stderr is not None
        log = []
        for line in self._process.stderr:
            log.append(line.decode())
            if b'"broker_started"' in line:
                return
        raise AssertionError("the broker did not start:\n" + "".join(log))

    def kill(self, signal_: signal.Signals = signal.SIGKILL) -> None:
        """End it with a signal and wait until it is gone."""
        assert self._process is not None
        self._process.send_signal(signal_)
        self._process.wait(30)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._process = None

    async def kill_and_start(self, signal_: signal.Signals = signal.SIGKILL) -> None:
        """The same, while the event loop goes on."""
        await asyncio.to_thread(self.kill, signal_)
        await asyncio.to_thread(self.start)

    def stop(self) -> None:
        """End it if it runs."""
        if self._process is not None:
            self.kill()


@contextmanager
def real_broker(data_dir: Path, **settings: str) -> Iterator[RealBroker]:
    """A running broker; `settings` are environment variables."""
    broker = RealBroker(data_dir, settings)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
