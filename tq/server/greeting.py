"""What a Hello is answered with."""

import asyncio
from collections.abc import Iterable

import msgspec
from structlog.typing import FilteringBoundLogger

from tq.model.commands import Hello
from tq.model.errors import AccessDenied, ProtocolViolation
from tq.model.replies import Reply, Settled, Welcome
from tq.protocol.codec import to_reply
from tq.server.access import NOBODY
from tq.server.gate import Gate
from tq.server.ports import Core, Session

WRONG_TOKEN_SECONDS = 1.0
"""How long the answer to a wrong token is kept back."""

WRONG_TOKENS_MAX = 64
"""Of which so many wait; one more ends its connection at once, and no line of the log is written for it."""


class Greeting:
    """Finds out who a connection is, welcomes clients, and workers after the engine has taken them in, and takes leave
    of those whose access has ended."""

    def __init__(self, welcome: Welcome, gate: Gate, log: FilteringBoundLogger) -> None:
        """`welcome` is the answer but for its request id, role, actor and lost leases."""
        self._welcome = welcome
        self._gate = gate
        self._log = log
        self._waiting = 0
        self.denied_total = 0
        """Connections turned away since the broker started."""

    def answer(self, core: Core, session: Session, hello: Hello, now_ms: int) -> Reply | None:
        """Greet one connection. None: it will be turned away, when its time has come.

        Raises:
            ProtocolViolation: it was greeted before.
            TqError: the engine does not take this worker.
        """
        if session.access is not NOBODY:
            # What was asked for at first stays: whoever lowers the role of a connection that others use relies on it.
            raise ProtocolViolation("this connection was greeted already", hint="open another one")
        try:
            access = self._gate.admit(core, session.peer, hello, now_ms)
        except AccessDenied as error:
            return self._turn_away(session, hello, error)
        session.access = access
        core.identify(session.session_id, access.actor)
        lost: list[bytes] = []
        worker = hello.worker
        if worker is not None:
            step = core.step_confined if access.is_confined else core.step
            settled = step(session.session_id, hello, now_ms)
            assert isinstance(settled, Settled)
            lost = settled.lost
            session.is_worker = session.gets_pushes = True
            session.worker_name = worker.name
            self._log.info(
                "worker_connected",
                session=session.session_id,
                actor=access.actor.name,
                worker=worker.name,
                host=worker.host,
                worker_pid=worker.pid,
                concurrency=worker.concurrency,
                task_types=len(worker.task_types),
                leases_held=len(worker.held),
                leases_lost=len(lost),
            )
        return msgspec.structs.replace(
            self._welcome,
            request_id=hello.request_id,
            role=access.role.value,
            lost=lost,
            actor=access.actor.name,
        )

    def end_old(self, core: Core, sessions: Iterable[Session], now_ms: int) -> list[tuple[Session, Reply]]:
        """Take the access from those for whom it does not hold any more; what each is to be told as its last words."""
        ended: list[tuple[Session, Reply]] = []
        for session in sessions:
            access = session.access
            if access is NOBODY or self._gate.is_still_good(core, access, now_ms):
                continue
            session.access = NOBODY
            session.finish()
            session.outstanding += 1  # its last words count as an answer
            self._log.info("access_ended", session=session.session_id, actor=access.actor.name)
            error = AccessDenied(
                f"the access of {access.actor.name} has ended",
                hint="its token expired or was revoked, or this broker asks for one now: see TQ_TOKEN",
            )
            ended.append((session, to_reply(0, error)))
        return ended

    def _turn_away(self, session: Session, hello: Hello, error: AccessDenied) -> Reply | None:
        self.denied_total += 1
        session.finish()
        is_wrong = bool(hello.token or hello.behind)
        if is_wrong and self._waiting == WRONG_TOKENS_MAX:
            session.end()
            return None
        # The reason never has the token: it names its id at most.
        origin = self._gate.origin(session.peer, hello)
        self._log.warning("access_denied", session=session.session_id, origin=origin, reason=error.message)
        refusal = to_reply(0, error)
        if not is_wrong:
            return refusal
        self._waiting += 1
        asyncio.get_running_loop().call_later(WRONG_TOKEN_SECONDS, self._refuse, session, refusal)
        return None

    def _refuse(self, session: Session, refusal: Reply) -> None:
        self._waiting -= 1
        session.send([refusal])
