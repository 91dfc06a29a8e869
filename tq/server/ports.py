"""What the broker loop needs of the engine and of a connection. The store's port is tq/storage/store.py."""

from typing import Protocol

from tq.engine.ledger import Disk
from tq.engine.tables import TokenRow, Writes
from tq.model.commands import Request
from tq.model.credentials import Token
from tq.model.identity import Actor
from tq.model.replies import ErrorReply, FromBroker, Push, Reply
from tq.server.access import Access, Peer

Taken = Request | ErrorReply
"""What a connection hands over: a request, or its own refusal of one, which keeps its place among the answers."""


class Core(Protocol):
    """The engine: every decision, no clock, no I/O. See tq/engine/engine.py."""

    def open(self, now_ms: int) -> None:
        """Once, after a start: the leases found wait for their workers."""
        ...

    def step(self, session: int, request: Request, now_ms: int) -> Reply | None:
        """Do one request.

        Raises:
            TqError: refused, and nothing changed.
        """
        ...

    def step_confined(self, session: int, request: Request, now_ms: int) -> Reply | None:
        """`step` for somebody who was identified as confined to some queues.

        Raises:
            TqError: refused, and nothing changed.
        """
        ...

    def check_token(self, token: Token, now_ms: int) -> TokenRow:
        """What a token is good for.

        Raises:
            AccessDenied: for nothing.
        """
        ...

    def has_token(self, token_id: bytes | None = None) -> bool:
        """Whether there is this token, or any."""
        ...

    def identify(self, session: int, actor: Actor) -> None:
        """The connection is somebody's."""
        ...

    def disconnect(self, session: int, now_ms: int) -> None:
        """The connection ended."""
        ...

    def hold(self, session: int) -> None:
        """The connection does not read what it was sent: no tasks for it until `resume`."""
        ...

    def resume(self, session: int) -> None:
        """It reads again."""
        ...

    def advance(self, now_ms: int) -> None:
        """A bounded amount of the work that is due, and dispatch."""
        ...

    def show(self, now_ms: int) -> None:
        """Send to those who watch what is due, and change nothing: instead of `advance`, where nothing may be."""
        ...

    def note_disk(self, disk: Disk) -> None:
        """What was found out about the disk."""
        ...

    def take(self) -> tuple[Writes, list[tuple[int, Reply | Push]]]:
        """What changed since the last take, and what is to be sent once that is on disk."""
        ...

    def next_deadline_ms(self) -> int | None:
        """When to advance at the latest."""
        ...


class Session(Protocol):
    """A connection, as the loop sees it.

    `outstanding` counts requests taken and not yet answered; `send` counts them down, the loop only for a request that
    has no answer. `access` is NOBODY until it was greeted. While it `is_stuck`, for its other side does not read, its
    requests wait. `gets_pushes`: the engine's memory knows it, and sends it what is no answer.
    """

    session_id: int
    peer: Peer
    access: Access
    is_worker: bool
    gets_pushes: bool
    worker_name: str
    outstanding: int
    is_stuck: bool

    def send(self, messages: list[FromBroker]) -> None:
        """Write these in order, in one piece."""
        ...

    def end(self) -> None:
        """Close once what was sent has left."""
        ...

    def finish(self) -> None:
        """Take nothing more; end once the reply with id 0, which is on its way, was sent."""
        ...

    def pause(self) -> None:
        """Read no more for now."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...
