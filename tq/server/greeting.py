"""What a Hello is answered with."""

import msgspec
from structlog.typing import FilteringBoundLogger

from tq.model.commands import Hello
from tq.model.replies import Settled, Welcome
from tq.server.ports import Core, Session


class Greeting:
    """Welcomes clients, and workers after the engine has taken them in."""

    def __init__(self, welcome: Welcome, log: FilteringBoundLogger) -> None:
        """`welcome` is the answer but for its request id and lost leases."""
        self._welcome = welcome
        self._log = log

    def answer(self, core: Core, session: Session, hello: Hello, now_ms: int) -> Welcome:
        """Greet one connection.

        Raises:
            TqError: the engine does not take this worker.
        """
        lost: list[bytes] = []
        worker = hello.worker
        if worker is not None:
            settled = core.step(session.session_id, hello, now_ms)
            assert isinstance(settled, Settled)
            lost = settled.lost
            session.is_worker = True
            session.worker_name = worker.name
            self._log.info(
                "worker_connected",
                session=session.session_id,
                worker=worker.name,
                host=worker.host,
                worker_pid=worker.pid,
                concurrency=worker.concurrency,
                task_types=len(worker.task_types),
                leases_held=len(worker.held),
                leases_lost=len(lost),
            )
        return msgspec.structs.replace(self._welcome, request_id=hello.request_id, lost=lost)
