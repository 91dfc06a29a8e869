"""What `tq up` runs: a broker in this process, workers and perhaps the demo beside it, and an orderly end for all."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO

import msgspec

from tq.cli.dashboard import Dashboard, tail
from tq.cli.demo import DRIVER, demo_environment
from tq.cli.exits import Exit
from tq.cli.terminal import is_attended, say
from tq.model.settings import Settings
from tq.server.broker import Broker, open_store, prepare_process
from tq.server.edge_processes import EdgeProcesses
from tq.server.listen import check_exposure
from tq.server.logging import make_logger
from tq.tui.leaving import Leaving
from tq.worker.supervisor import SAME_SIGNAL_SECONDS

REPORT_SECONDS: Final = 6.0
"""How long the report of the demo can be read before the dashboard covers it. It is there again afterwards."""


class Plan(NamedTuple):
    """What to run beside the broker."""

    apps: Sequence[str]
    is_demo: bool
    is_ephemeral: bool
    log_file: TextIO | None = None
    """Where broker and workers write their log while a dashboard has the terminal; None: no dashboard."""


class Supervisor:
    """Runs the plan until a signal, or until a part of it fails. `exit_code` tells how it ended."""

    def __init__(self, settings: Settings, plan: Plan) -> None:
        """
        Raises:
            TqError: the data cannot be opened.
        """
        self._settings = settings
        self._plan = plan
        self._log = make_logger(settings.log, plan.log_file)
        check_exposure(settings)
        self._edges = EdgeProcesses(settings, self._log, takes_next_free_port=True, stream=plan.log_file)
        self._edges.bind()
        store = open_store(settings, self._log, is_ephemeral=plan.is_ephemeral)
        self._broker = Broker(
            settings,
            store,
            self._log,
            is_ephemeral=plan.is_ephemeral,
            takes_next_free_port=True,
            edge_addresses=self._edges.addresses,
        )
        self._parts: dict[str, Process] = {}
        self._watchers: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._signals = 0
        self._signalled_at = 0.0
        self._dashboard: Dashboard | None = None
        self.exit_code = Exit.OK

    async def run(self) -> None:
        """Start everything, wait, and stop it in the right order: the demo, the workers, the broker.

        Raises:
            TqError: the broker could not start, or its disk failed.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal)
        prepare_process()
        await self._broker.start()
        self._edges.start(self._broker.local_address, self._broker.edge_key)
        try:
            self._broker.died.add_done_callback(lambda _: self._stop.set())
            self._greet()
            for app in self._plan.apps:
                await self._start_worker(app)
            if self._plan.is_demo:
                await self._start_demo()
            elif self._plan.log_file is not None:
                self._watch(self._show_dashboard(self._plan.log_file))
            await self._stop.wait()
        finally:
            if self._dashboard is not None:
                await self._dashboard.end()
            await self._stop_parts()
            await self._edges.stop()
            await self._broker.stop()
            self._tell_why()
        if self._broker.died.done():
            self._broker.died.result()

    def _greet(self) -> None:
        address, wanted = self._broker.addresses[0], self._settings.broker.port
        if self._plan.is_demo:
            is_taken = wanted and not address.endswith(f":{wanted}")
            say(f"Broker at {address}" + (f" (port {wanted} is taken)" if is_taken else ""))
        elif not self._plan.apps:
            self._log.warning("no_application", meaning="tasks wait until a worker comes", run="tq worker module:app")

    async def _start_worker(self, app: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tq.cli.main", "worker", app, "--end-with-stdin"),
            stdin=asyncio.subprocess.PIPE,  # closed by the kernel if this process is killed
            stderr=self._plan.log_file,
            env={**self._environment(self._broker.local_address), **worker_variables(self._settings)},
            # Ctrl-C goes to the whole group of the terminal; the workers must hear of it from here, and once.
            start_new_session=True,
        )
        self._parts[app] = process
        self._watch(self._watch_worker(app, process))

    async def _watch_worker(self, app: str, process: Process) -> None:
        code = await process.wait()
        del self._parts[app]
        if code == 0:
            if not self._stop.is_set():  # an operator drained it
                self._log.info("worker_left", app=app)
            return
        # It has said why on stderr. Its parent process restarts what crashes, so this is not for trying again.
        self._log.error("worker_failed", app=app, exit_code=code)
        self.exit_code = Exit.FAILED
        self._stop.set()

    async def _start_demo(self) -> None:
        # In the terminal's own group: Ctrl-C ends the driver first.
        driver = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", DRIVER), env=self._environment(self._broker.addresses[0])
        )
        self._parts[DRIVER] = driver
        self._watch(self._watch_demo(driver))

    async def _watch_demo(self, driver: Process) -> None:
        code = await driver.wait()
        del self._parts[DRIVER]
        if self._signals:
            self.exit_code = Exit.INTERRUPTED
        elif code:
            self.exit_code = Exit.FAILED
        if code == 0 and self._plan.log_file is not None:
            await self._let_read()
            await self._show_dashboard(self._plan.log_file)
        elif code == 0 and is_attended():
            say("\nThe broker and its workers stay up until Ctrl-C.")
        else:
            self._stop.set()

    async def _let_read(self) -> None:
        """Leave the report on the terminal until somebody has read it, or has had the time."""
        say(f"\nThe dashboard opens in {REPORT_SECONDS:.0f} s. Enter: now. Ctrl-C: stop everything.")
        pressed = asyncio.ensure_future(_pressed_enter())
        stopped = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((pressed, stopped), timeout=REPORT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for wait in (pressed, stopped):
            wait.cancel()
        await asyncio.gather(pressed, stopped, return_exceptions=True)

    async def _show_dashboard(self, log_file: TextIO) -> None:
        if self._stop.is_set():
            return
        address, log_path = self._broker.local_address, Path(log_file.name)
        self._dashboard = Dashboard(address, log_path)
        leaving = await self._dashboard.show()
        if leaving is Leaving.STOP or self._stop.is_set():
            self._stop.set()
            return
        again = f"The dashboard again, in another terminal: tq top {address}"
        if leaving is None:
            say("The dashboard has ended unexpectedly. The broker and its workers are not concerned.")
        say(f"Running without the dashboard until Ctrl-C. Log: {log_path}\n{again}")

    def _tell_why(self) -> None:
        """Show the end of the log if something failed: the dashboard covered it, and that of a demo goes with it."""
        if self._plan.log_file is not None and self.exit_code == Exit.FAILED:
            path = Path(self._plan.log_file.name)
            say(f"Something failed. The end of {path}:\n{tail(path)}")

    def _watch(self, watcher: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(watcher)
        self._watchers.add(task)
        task.add_done_callback(self._on_watched)

    def _on_watched(self, watcher: asyncio.Task[None]) -> None:
        if watcher.exception() is not None:  # a defect, or no process could be started; `_stop_parts` raises it
            self._stop.set()

    def _environment(self, address: str) -> dict[str, str]:
        if self._plan.is_demo:
            return demo_environment(os.environ, address)
        return {**os.environ, "TQ_URL": address}

    def _on_signal(self) -> None:
        now = time.monotonic()
        if self._signals and now - self._signalled_at < SAME_SIGNAL_SECONDS:
            return
        self._signals += 1
        self._signalled_at = now
        self._stop.set()
        if self._signals > 1:
            # At SIGQUIT a worker hands back at once what it runs; after that, patience is over.
            for process in self._parts.values():
                _end(process, signal.SIGQUIT if self._signals == 2 else signal.SIGKILL)

    async def _stop_parts(self) -> None:
        if self._parts:
            line = "Stopping: what runs is finished first. Ctrl-C again hands it back."
            say(f"\n{line}" if sys.stderr.isatty() else line)  # not behind the ^C
        for process in self._parts.values():
            _end(process, signal.SIGTERM)
        await asyncio.gather(*self._watchers)


def worker_variables(settings: Settings) -> dict[str, str]:
    """The settings that a worker needs as environment variables: of files and flags, the worker sees only those."""
    sections = {"worker": settings.worker, "log": settings.log}
    return {
        f"TQ_{section}_{name}".upper(): str(value).lower() if isinstance(value, bool) else str(value)
        for section, values in sections.items()
        for name, value in msgspec.structs.asdict(values).items()
    }


async def _pressed_enter() -> None:
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), pressed.set)
    try:
        await pressed.wait()  # what it was is thrown away when the dashboard takes the terminal
    finally:
        loop.remove_reader(sys.stdin.fileno())


def _end(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(number)
