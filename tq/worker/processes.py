"""Handlers that run in a process of their own: may use a core, be killed at their timeout, or crash alone.

The process is spawned, never forked, when a slot needs it first, and stays for the next task of that slot.
"""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque

from tq.model.commands import Failure
from tq.worker.endings import Ending, await_end
from tq.worker.outbox import Outcome
from tq.worker.process_frames import (
    Ended,
    Execute,
    Interrupt,
    IsAt,
    Load,
    Logged,
    Report,
    ToProcess,
    WantStack,
    decode_from_process,
    receive_frame,
    send_frame,
)
from tq.worker.runs import Caller, Run
from tq.worker.stacks import Answer, Stack
from tq.worker.threads import Slot

START_SECONDS = 60.0
"""How long a process may take to load the application."""


class HandlerProcess:
    """A spawned process that runs handlers, one at a time."""

    def __init__(self, load: Load) -> None:
        self._connection, theirs = socket.socketpair()
        self._sending = threading.Lock()
        with theirs:
            # In a group of its own: Ctrl-C in a terminal is for the worker, which drains.
            self._process = subprocess.Popen(  # noqa: S603 - this very interpreter
                [sys.executable, "-m", "tq.worker.handler_process", str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        self.pid = self._process.pid
        self._is_loaded = False
        self.send(load)

    def send(self, message: ToProcess) -> None:
        """Tell the process something; a dead one does not mind."""
        with self._sending, contextlib.suppress(OSError):
            send_frame(self._connection, message)

    def receive(self) -> bytes:
        """Wait for its next frame.

        Raises:
            EOFError, OSError: it is dead or dying.
        """
        return receive_frame(self._connection)

    def await_loaded(self) -> None:
        """Wait until it has loaded the application; at once if it did so before.

        Raises:
            EOFError, OSError: it cannot, or takes longer than START_SECONDS.
        """
        if not self._is_loaded:
            self._connection.settimeout(START_SECONDS)
            self.receive()  # Loaded: it says nothing before
            self._connection.settimeout(None)
            self._is_loaded = True

    def kill(self) -> None:
        """End it now; `await_end` tells when it has."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 9)

    def await_end(self) -> Ending:
        """Wait for its end, which must be near."""
        self._connection.close()
        return await_end(self._process)


class ProcessSlot(Slot):
    """A slot whose handlers run in a process."""

    def __init__(self, load: Load, caller: Caller) -> None:
        super().__init__()
        self._load = load
        self._caller = caller
        self._process: HandlerProcess | None = None
        self._asked: deque[tuple[int, Answer]] = deque()  # by lease token, for the stack of a handler

    def execute(self, run: Run) -> Outcome:
        """See Slot. A process that dies under a handler fails that attempt, and says how it died."""
        if self._process is None:
            run.started_at = 0.0  # starting a process takes nothing of the timeout
            self._process = HandlerProcess(self._load)
        process = self._process
        try:
            process.await_loaded()
            run.started_at = time.monotonic()
            process.send(Execute(run.token, run.attempt, run.stored))
            if run.why is not None:  # said before the process knew of the task
                self.stop(run)
            while True:
                message = decode_from_process(process.receive())
                if isinstance(message, Ended):
                    return message.outcome
                if isinstance(message, IsAt):
                    self._answer(process, message)
                elif isinstance(message, Logged):
                    for entry in message.lines:
                        self._caller.lines.put_entry(entry)
                elif isinstance(message, Report):
                    self._caller.note(run, message.fraction, message.note)
        except (EOFError, OSError):
            process.kill()  # it has closed its end, but may linger
            self._process = None
            return _died(run, process.await_end())

    def stop(self, run: Run) -> None:
        """See Slot."""
        process = self._process
        if process is not None and run.why is not None:
            process.send(Interrupt(run.token, run.why.value))

    def abandon(self) -> bool:
        """See Slot: it is killed."""
        if self._process is not None:
            self._process.kill()
        return False

    def place_of_handler(self) -> str:
        """See Slot."""
        return f"process {self._process.pid}" if self._process is not None else ""

    def take_stack(self, run: Run, answer: Answer) -> None:
        """See Slot: the process tells, as soon as its interpreter lets its other thread run."""
        process = self._process
        if process is None or not run.started_at:
            answer(Stack("process", process.pid if process is not None else 0, "", ""))  # it is being started
            return
        self._asked.append((run.token, answer))
        process.send(WantStack(run.token))

    def _answer(self, process: HandlerProcess, where: IsAt) -> None:
        for _ in range(len(self._asked)):
            token, answer = self._asked.popleft()
            if token == where.token:  # else it asked about a handler that has ended
                answer(Stack("process", process.pid, where.place, where.text))

    def close(self) -> None:
        """See Slot."""
        self.abandon()


def _died(run: Run, ending: Ending) -> Failure:
    return Failure(run.task_id, run.token, "tq.ProcessDied", f"the handler's process {ending}")
