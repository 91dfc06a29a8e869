"""A broker process, started, heard and ended by a test."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Self

import msgspec

from tests.server.wire import Wire
from tq.model.settings import Settings

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 30


class BrokerProcess:
    """`python -m tests.server.serve`, with its log."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self.rest = ""
        self.port = 0

    @classmethod
    async def start(cls, settings: Settings, *arguments: str) -> Self:
        """Start one and wait until clients can connect."""
        command = [sys.executable, "-m", "tests.server.serve", msgspec.json.encode(settings).decode(), *arguments]
        made = cls(await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=asyncio.subprocess.PIPE))
        started = await made.until("broker_started")
        made.port = int(started["addresses"][0].rpartition(":")[2])
        return made

    async def until(self, name: str) -> dict[str, Any]:
        """Read the log up to an event."""
        assert self.process.stderr is not None
        async with asyncio.timeout(WAIT_SECONDS):
            while line := await self.process.stderr.readline():
                try:
                    event: dict[str, Any] = json.loads(line)
                except ValueError:
                    self.rest += line.decode()
                    continue
                self.events.append(event)
                if event["message"] == name:
                    return event
        raise AssertionError(f"no {name} in {self.events}, {self.rest}")

    def names(self) -> list[str]:
        return [event["message"] for event in self.events]

    async def connect(self) -> Wire:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.port))
        await wire.greet()
        return wire

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    async def ended(self) -> int:
        """Its exit code; what it still logged is in `events` and `rest`."""
        assert self.process.stderr is not None
        async with asyncio.timeout(WAIT_SECONDS):
            while line := await self.process.stderr.readline():
                try:
                    self.events.append(json.loads(line))
                except ValueError:
                    self.rest += line.decode()
            return await self.process.wait()
