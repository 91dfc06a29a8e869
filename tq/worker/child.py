"""The main program of a worker process: `python -m tq.worker.child FD`, FD being its end of the lifeline.

Its main thread runs the event loop of `async def` handlers; the supervisor has a thread and a loop of its own.
"""

import asyncio
import gc
import os
import random
import signal
import socket
import sys
import threading

import uvloop

from tq.app.app import App
from tq.app.task import RunIn
from tq.model.errors import TqError
from tq.worker.coroutines import Coroutines
from tq.worker.lifeline import EXIT_REFUSED, Options, Ready, Refused, decode_options, encode_line
from tq.worker.loading import load_app
from tq.worker.logs import configure_logging
from tq.worker.process_frames import Load
from tq.worker.processes import ProcessSlot
from tq.worker.running_table import RunningTable
from tq.worker.runs import Caller, Executor
from tq.worker.supervisor import Supervisor
from tq.worker.threads import Threads, ThreadSlot

EXIT_SECONDS, EXIT_SECONDS_STUCK = 5.0, 0.5
"""How long the main thread may take to end after the supervisor has; and when a handler is known not to stop."""
SWITCH_SECONDS = 0.001
"""How long a thread may keep the interpreter while another wants it: the supervisor must not wait behind handlers."""
GC_THRESHOLD = 20_000


def main() -> None:
    """Work for the parent at the other end of the inherited socket argv[1]."""
    lifeline = socket.socket(fileno=int(sys.argv[1]))
    options = decode_options(_first_line(lifeline))
    configure_logging(options.log, sys.stderr)
    try:
        app = load_app(options.app_path, sys.stderr)
    except TqError as error:
        lifeline.sendall(encode_line(Refused(code=error.code, message=error.message, hint=error.hint)))
        sys.exit(EXIT_REFUSED)
    lifeline.sendall(encode_line(Ready()))
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 20)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(_serve(app, options, lifeline))
    sys.exit(code)


async def _serve(app: App, options: Options, lifeline: socket.socket) -> int:
    """Run handlers until the supervisor has ended; the exit code."""
    slots = options.worker.concurrency
    caller = Caller(app.handlers, random.Random())  # noqa: S311 - jitter
    supervisor = Supervisor(uvloop.new_event_loop(), options, lifeline, app.handlers, caller)
    table = RunningTable(options.running_fd, options.running_places)
    load = Load(options.app_path, options.log)
    coroutines = Coroutines(slots, caller, supervisor.finish, table, 0)
    threads = Threads("tq-handler", slots, lambda: ThreadSlot(caller), supervisor.finish, table, slots)
    processes = Threads("tq-process", slots, lambda: ProcessSlot(load, caller), supervisor.finish, table, 2 * slots)
    executors: dict[RunIn, Executor] = {"loop": coroutines, "thread": threads, "process": processes}
    supervisor.employ(coroutines, executors, threading.get_ident())

    def supervise() -> None:
        supervisor.run()
        threads.close()
        processes.close()
        coroutines.close()
        # Handlers that nothing can stop must not keep a process alive that has settled everything.
        seconds = EXIT_SECONDS_STUCK if supervisor.has_stuck_handlers else EXIT_SECONDS
        last = threading.Timer(seconds, os._exit, (supervisor.exit_code,))
        last.daemon = True
        last.start()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.signalled)
    threading.Thread(target=supervise, name="tq-supervisor", daemon=True).start()
    await coroutines.serve()
    return supervisor.exit_code


def _first_line(lifeline: socket.socket) -> bytes:
    """The options. The parent says nothing more before it has heard Ready, so nothing is read too far."""
    line = b""
    while not line.endswith(b"\n"):
        part = lifeline.recv(1 << 16)
        if not part:
            os._exit(0)  # the parent died before it could say anything
        line += part
    return line


if __name__ == "__main__":
    main()
