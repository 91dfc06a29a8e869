"""A watcher on the bench: keeps what a client would keep of the frames that it is sent, and nothing else."""

from typing import Any

from tests.engine.rig import SECOND, Rig
from tq.model.commands import Watch, WatchCredit
from tq.model.replies import Affected, WatchFrame
from tq.model.watching import ROWS, ScopePart, parse_scope


class Viewer:
    """Watches some scopes on a connection of its own."""

    def __init__(self, rig: Rig, *scopes: str, hz: float = 2.0, boot_id: str = "", seq: int = 0) -> None:
        rig.sessions += 1
        self.rig = rig
        self.session = rig.sessions
        self.scopes = list(scopes)
        self.images: dict[str, dict[str, Any]] = {}
        self.boot_id, self.seq = boot_id, seq
        self.frames: list[WatchFrame] = []
        self.watch(hz)

    def watch(self, hz: float = 2.0) -> None:
        request = Watch(1, self.scopes, hz, self.boot_id, self.seq)
        self.rig.ask(request, Affected, self.session)

    def read(self, *, credit: int = 1) -> list[WatchFrame]:
        """Take up the frames that came, and give credit for as many more."""
        came = [message for message in self.rig.take_sent(self.session) if isinstance(message, WatchFrame)]
        for frame in came:
            self._take_up(frame)
        if credit:
            self.rig.step(WatchCredit(0, credit), self.session)
            self.rig.turn()
        return came

    def next(self) -> dict[str, ScopePart]:
        """Let a second and a half pass; what the frames of it said, by scope: the last word on each."""
        self.read()
        said: dict[str, ScopePart] = {}
        for _ in range(3):
            self.rig.pass_time(SECOND // 2)
            said |= {part.scope: part for frame in self.read() for part in frame.decoded()}
        return said

    def rows(self, scope: str) -> dict[str, Any]:
        return self.images.get(scope, {})

    def _take_up(self, frame: WatchFrame) -> None:
        assert frame.seq >= self.seq or frame.boot_id != self.boot_id
        self.boot_id, self.seq = frame.boot_id, frame.seq
        self.frames.append(frame)
        for part in frame.decoded():
            key = ROWS[parse_scope(part.scope).kind].key
            image = {} if part.is_whole else self.images[part.scope]
            for gone in part.gone:
                image.pop(gone, None)
            for row in part.decoded():
                image[key(row)] = row
            self.images[part.scope] = image
