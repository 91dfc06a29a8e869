"""What has arrived and waits for its turn, with a bound on how much."""

from tq.server.ports import Session, Taken

Arrival = tuple[Session, list[Taken] | None, int]
"""Requests of one connection, in order, and their bytes on the wire; None: the connection ended."""


class Intake:
    """The connections and their requests. Nobody is read while more is taken than may wait for the disk."""

    def __init__(self, unsettled_bytes_max: int) -> None:
        self.sessions: dict[int, Session] = {}
        self.inbox: list[Arrival] = []
        self._held: dict[int, list[Arrival]] = {}  # of those who do not read; bounded by what was read of each at once
        self.unsettled_bytes = 0  # taken, and not yet handed to the disk
        self.unsettled = 0  # requests, of which these are the bytes
        self._unsettled_bytes_max = unsettled_bytes_max
        self._is_paused = False

    def add(self, session: Session) -> None:
        """A connection came."""
        self.sessions[session.session_id] = session
        if self._is_paused:
            session.pause()

    def remove(self, session: Session) -> None:
        """A connection ended; what it sent before is still to be done."""
        del self.sessions[session.session_id]
        self.take_up(session)
        self.inbox.append((session, None, 0))

    def put(self, session: Session, taken: list[Taken], size: int) -> None:
        """Requests arrived."""
        held = self._held.get(session.session_id)
        if held is not None:
            held.append((session, taken, size))
            return
        self.inbox.append((session, taken, size))
        self.unsettled_bytes += size
        self.unsettled += len(taken)
        if self.unsettled_bytes > self._unsettled_bytes_max and not self._is_paused:
            self._is_paused = True
            for other in self.sessions.values():
                other.pause()

    def take_all(self) -> list[Arrival]:
        """Everything but what is held, in order; a new inbox begins."""
        taken, self.inbox = self.inbox, []
        return taken

    def put_back(self, session: Session, rest: list[Arrival]) -> None:
        """What there was no time for, to the front; but `session`, whose turn it was, comes after the others now."""
        others = [arrival for arrival in rest if arrival[0] is not session]
        self.inbox[:0] = [*others, *(arrival for arrival in rest if arrival[0] is session)]

    def hold(self, arrival: Arrival) -> None:
        """Keep these, and what else comes of this connection, until `take_up`."""
        self._held.setdefault(arrival[0].session_id, []).append(arrival)

    def take_up(self, session: Session) -> None:
        """What was held of a connection is to be done now."""
        self.inbox += self._held.pop(session.session_id, ())

    def take_up_all(self) -> None:
        """What was held of any."""
        for held in self._held.values():
            self.inbox += held
        self._held.clear()

    def settle(self) -> None:
        """All that was taken is on its way to the disk, or given up: only what is in the inbox still counts."""
        self.unsettled_bytes = sum(size for _, _, size in self.inbox) if self.inbox else 0
        self.unsettled = sum(len(taken) for _, taken, _ in self.inbox if taken is not None) if self.inbox else 0
        if self._is_paused and self.unsettled_bytes <= self._unsettled_bytes_max // 2:
            self._is_paused = False
            for session in list(self.sessions.values()):
                session.resume()
