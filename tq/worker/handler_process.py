"""The main program of a process that runs plain handlers for a worker: `python -m tq.worker.handler_process FD PID`.

Its main thread runs the handlers, one at a time, so that a signal can interrupt even a handler that sleeps. A second
thread listens to the worker, and ends the process at once when the worker is gone.
"""

import ctypes
import os
import queue
import random
import select
import signal
import socket
import sys
import threading
import time
from types import FrameType

from tq.worker.interrupts import Guard, Interrupted
from tq.worker.loading import load_app
from tq.worker.logs import configure_logging
from tq.worker.outbox import Outcome
from tq.worker.process_frames import (
    Ended,
    Execute,
    FromProcess,
    Interrupt,
    IsAt,
    Load,
    Loaded,
    Logged,
    Report,
    ToProcess,
    WantStack,
    decode_to_process,
    receive_frame,
    send_frame,
)
from tq.worker.runs import Caller, Run, Why
from tq.worker.stacks import sendable
from tq.worker.threads import execute_guarded
from tq.worker.watchdog import stack_of_handler

REPORT_SECONDS = 0.25
"""How often progress travels, at most; the latest wins."""
_PR_SET_PDEATHSIG = 1  # prctl(2)


class _Worker:
    """The worker, as this process sees it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    def receive(self) -> ToProcess:
        try:
            return decode_to_process(receive_frame(self._connection))
        except (EOFError, OSError):
            os._exit(0)  # nobody is left to run for

    def is_silent(self, seconds: float | None) -> bool:
        return not select.select([self._connection], [], [], seconds)[0]

    def send(self, message: FromProcess) -> None:
        try:
            with self._sending:
                send_frame(self._connection, message)
        except OSError:
            os._exit(0)


class _Handlers:
    """Runs what the worker asks for."""

    def __init__(self, worker: _Worker, caller: Caller) -> None:
        self._worker = worker
        self._caller = caller
        self._guard = Guard(lambda thread_id: signal.pthread_kill(thread_id, signal.SIGUSR1))
        self._todo: queue.SimpleQueue[Run] = queue.SimpleQueue()
        self._run: Run | None = None
        self._logging = threading.Lock()  # lines are taken and sent by one thread at a time: they keep their order

    def listen(self) -> None:
        """In a thread: take what the worker says, and pass progress on meanwhile."""
        while True:
            if self._worker.is_silent(REPORT_SECONDS if self._run is not None else None):
                for note in self._caller.take_notes():
                    self._worker.send(Report(note.fraction, note.note))
                self._send_lines()
                continue
            message = self._worker.receive()
            if isinstance(message, Execute):
                self._run = self._run_of(message)
                self._todo.put(self._run)
            elif isinstance(message, Interrupt):
                self._stop(message)
            elif isinstance(message, WantStack):
                self._tell_where(message)

    def serve(self) -> None:
        """In the main thread: run handlers for ever."""
        signal.signal(signal.SIGUSR1, _interrupt)
        while True:
            run = self._todo.get()
            run.started_at = time.monotonic()
            outcome: Outcome = execute_guarded(self._guard, self._caller, run)
            self._run = None
            self._caller.take_notes()
            self._send_lines()  # the worker sends them on before it says that the task has ended
            self._worker.send(Ended.of(outcome))

    def _run_of(self, message: Execute) -> Run:
        return Run(message.stored.spec.id, message.token, message.attempt, message.stored, "process", time.monotonic())

    def _stop(self, message: Interrupt) -> None:
        run = self._run
        if run is not None and run.token == message.token:
            run.why = Why(message.why)
            if run.context is not None:
                run.context.cancelled = True
            self._guard.interrupt(run.token)

    def _send_lines(self) -> None:
        with self._logging:
            lines = self._caller.lines.take_all()
            if lines:
                self._worker.send(Logged(lines))

    def _tell_where(self, message: WantStack) -> None:
        run = self._run
        if run is not None and run.token == message.token:
            main_thread = threading.main_thread().ident
            assert main_thread is not None
            place, text = stack_of_handler(main_thread, self._caller.code_of(run))
            self._worker.send(IsAt(run.token, sendable(place), sendable(text)))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted


def die_with(parent_pid: int) -> None:
    """Have the kernel kill this process when the thread that started it ends, whatever code it is in then. Linux only:
    elsewhere the closed connection tells, as soon as Python runs."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(0)  # it died before


def main() -> None:
    """Serve the worker whose connection is the inherited file argv[1] and whose pid is argv[2]."""
    die_with(int(sys.argv[2]))
    worker = _Worker(socket.socket(fileno=int(sys.argv[1])))
    load = worker.receive()
    assert isinstance(load, Load)
    configure_logging(load.log, sys.stderr)
    app = load_app(load.app_path, sys.stderr)
    handlers = _Handlers(worker, Caller(app.handlers, random.Random()))  # noqa: S311 - jitter
    worker.send(Loaded())
    threading.Thread(target=handlers.listen, name="tq-listen", daemon=True).start()
    handlers.serve()


if __name__ == "__main__":
    main()
