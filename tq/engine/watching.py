"""Who watches what, and what each is sent when: the latest state, never a queue of changes.

A watcher has a pace and credit. When its moment has come and it has credit it gets one frame with what is new since its
last one; while it has none, nothing is kept for it but the version that it has seen. What a slow reader misses is
merged in the images of the scopes, which all watchers share: memory is bounded by rows, and a part is encoded once for
all who have seen the same.
"""

from random import Random

from tq.engine.board import Board
from tq.engine.findings import findings
from tq.engine.ledger import Ledger
from tq.engine.queues import Queue
from tq.engine.sources import QueuesSource, Source, make_source
from tq.model.commands import GetAttention, Unwatch, Watch, WatchCredit
from tq.model.errors import TooManyRequests
from tq.model.replies import Affected, AttentionReply, WatchFrame
from tq.model.watching import Scope, ScopeKind, parse_scope

WATCHERS_MAX = 256
SOURCES_MAX = 256
"""Different scopes watched at once, with those kept for who comes back."""
CREDIT_MAX = 4
"""Frames that may be on their way to one watcher."""
KEEP_MS = 60_000
"""How long the image of a scope outlives its last watcher: one whose connection broke goes on where it was."""

_ON_BOARD = (ScopeKind.TOTALS, ScopeKind.QUEUES, ScopeKind.ATTENTION)


class _Watcher:
    __slots__ = ("credit", "next_at_ms", "period_ms", "scopes", "seen", "session")

    def __init__(self, session: int, scopes: tuple[str, ...], period_ms: int, seen: int, next_at_ms: int) -> None:
        self.session = session
        self.scopes = scopes
        self.period_ms = period_ms  # 0: paused
        self.seen = seen
        self.next_at_ms = next_at_ms
        self.credit = 1

    @property
    def due_at_ms(self) -> int | None:
        """When it is to be sent something; None: not before it gives credit."""
        return self.next_at_ms if self.credit and self.period_ms else None

    def is_due(self, now_ms: int) -> bool:
        """Whether it is to be sent something at this moment."""
        due_at_ms = self.due_at_ms
        return due_at_ms is not None and due_at_ms <= now_ms


class _Watched:
    """A scope that is watched, or was a moment ago."""

    __slots__ = ("idle_since_ms", "refreshed_at_ms", "scope", "source", "watchers")

    def __init__(self, scope: Scope, source: Source) -> None:
        self.scope = scope
        self.source = source
        self.watchers = 0
        self.idle_since_ms = 0
        self.refreshed_at_ms = -1


class Watching:
    """All watchers of one engine."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        """`seed`: of the boot id, which says whether versions are of this engine."""
        self._ledger = ledger
        self.boot_id = f"{Random(seed).getrandbits(64):016x}"  # noqa: S311 - a name, not a secret
        self._watchers: dict[int, _Watcher] = {}
        self._watched: dict[str, _Watched] = {}
        self._board: Board | None = None
        self._version = 0
        self._next_at_ms: int | None = None

    # -- requests ---------------------------------------------------------------------------------------------------

    def watch(self, session: int, request: Watch, now_ms: int) -> Affected:
        """Begin to watch, instead of what was watched on this connection before.

        Raises:
            InvalidArgument: one of the scopes is none.
            TooManyRequests: as many watchers or different scopes as there may be.
        """
        scopes = {scope.text: scope for scope in map(parse_scope, request.scopes)}
        if session not in self._watchers and len(self._watchers) >= WATCHERS_MAX:
            raise TooManyRequests(f"{WATCHERS_MAX} connections watch already", hint="close a dashboard")
        self._make_room(scopes)
        made = {text: self._open(scope) for text, scope in scopes.items() if text not in self._watched}
        self._watched.update(made)
        self._leave(session, now_ms)
        for text in scopes:
            self._watched[text].watchers += 1
        is_known = request.boot_id == self.boot_id and request.seq <= self._version
        period_ms = round(1_000 / request.hz) if request.hz else 0
        seen = request.seq if is_known else 0
        self._watchers[session] = _Watcher(session, tuple(scopes), period_ms, seen, now_ms)
        self._plan()
        return Affected(request.request_id, len(scopes))

    def give_credit(self, session: int, request: WatchCredit) -> None:
        """A watcher has dealt with frames and can take so many more."""
        watcher = self._watchers.get(session)
        if watcher is not None:
            watcher.credit = min(CREDIT_MAX, watcher.credit + request.frames)
            self._plan()

    def unwatch(self, session: int, request: Unwatch, now_ms: int) -> Affected:
        """Watch nothing any more."""
        count = int(session in self._watchers)
        self.disconnect(session, now_ms)
        return Affected(request.request_id, count)

    def disconnect(self, session: int, now_ms: int) -> None:
        """The connection ended."""
        if session in self._watchers:
            self._leave(session, now_ms)
            self._plan()

    def attention(self, request: GetAttention, now_ms: int) -> AttentionReply:
        """What somebody should look at, now."""
        board = Board(self._ledger) if self._board is None else self._board
        self._version += 1
        self._refresh_board(board, now_ms)
        found, left_out = findings(self._ledger, board, now_ms)
        return AttentionReply(request.request_id, found, left_out)

    # -- time -------------------------------------------------------------------------------------------------------

    @property
    def next_deadline_ms(self) -> int | None:
        """When somebody is to be sent something."""
        return self._next_at_ms

    def advance(self, touched: dict[int, Queue], now_ms: int) -> None:
        """Send what is due.

        Args:
            touched: the queues that this batch changes, by number.
        """
        if self._board is not None:
            self._board.note(touched)
        if self._next_at_ms is not None and now_ms >= self._next_at_ms:
            self._tick(now_ms)
            self._forget_idle(now_ms)
            self._plan()

    def _tick(self, now_ms: int) -> None:
        due = [watcher for watcher in self._watchers.values() if watcher.is_due(now_ms)]
        if not due:
            return
        # Whatever changed, it is one version more; one that brought nothing new does no harm.
        self._version += 1
        if self._board is not None:
            self._refresh_board(self._board, now_ms)
        for text in {text for watcher in due for text in watcher.scopes}:
            watched = self._watched[text]
            if watched.refreshed_at_ms != now_ms:
                watched.refreshed_at_ms = now_ms
                watched.source.refresh(now_ms, self._version)
        frames: dict[tuple[tuple[str, ...], int], WatchFrame] = {}
        for watcher in due:
            key = (watcher.scopes, watcher.seen)
            frame = frames.get(key)
            if frame is None:
                frame = frames[key] = self._frame(watcher, now_ms)
            self._ledger.outbox.append((watcher.session, frame))
            watcher.seen = self._version
            watcher.credit -= 1
            # On the beats of its pace, so that all who watch at one pace are served, and paid for, together.
            watcher.next_at_ms = (now_ms // watcher.period_ms + 1) * watcher.period_ms

    def _frame(self, watcher: _Watcher, now_ms: int) -> WatchFrame:
        images = (self._watched[text].source.image for text in watcher.scopes)
        parts = [part for image in images if (part := image.part(watcher.seen)) is not None]
        return WatchFrame(self.boot_id, self._version, now_ms, parts)

    def _refresh_board(self, board: Board, now_ms: int) -> None:
        changed = board.refresh(now_ms)
        if board is self._board and changed:
            for watched in self._watched.values():
                if isinstance(watched.source, QueuesSource):
                    watched.source.take(changed, self._version)

    # -- scopes -----------------------------------------------------------------------------------------------------

    def _open(self, scope: Scope) -> _Watched:
        return _Watched(scope, make_source(self._ledger, self._need_board, scope, self._version + 1))

    def _need_board(self) -> Board:
        if self._board is None:
            self._board = Board(self._ledger)
        return self._board

    def _leave(self, session: int, now_ms: int) -> None:
        watcher = self._watchers.pop(session, None)
        for text in watcher.scopes if watcher is not None else ():
            watched = self._watched[text]
            watched.watchers -= 1
            watched.idle_since_ms = now_ms

    def _make_room(self, wanted: dict[str, Scope]) -> None:
        new = sum(text not in self._watched for text in wanted)
        excess = len(self._watched) + new - SOURCES_MAX
        if excess <= 0:
            return
        idle = [text for text, watched in self._watched.items() if not watched.watchers and text not in wanted]
        if len(idle) < excess:
            raise TooManyRequests(f"{SOURCES_MAX} different scopes are watched already", hint="close a dashboard")
        for text in sorted(idle, key=lambda text: self._watched[text].idle_since_ms)[:excess]:
            del self._watched[text]

    def _forget_idle(self, now_ms: int) -> None:
        self._watched = {
            text: watched
            for text, watched in self._watched.items()
            if watched.watchers or now_ms - watched.idle_since_ms < KEEP_MS
        }
        if not any(watched.scope.kind in _ON_BOARD for watched in self._watched.values()):
            self._board = None

    def _plan(self) -> None:
        """Find out when there is something to do."""
        moments = [at_ms for watcher in self._watchers.values() if (at_ms := watcher.due_at_ms) is not None]
        moments += [watched.idle_since_ms + KEEP_MS for watched in self._watched.values() if not watched.watchers]
        self._next_at_ms = min(moments, default=None)
