"""A recording as a feed: played at any speed, stopped, scrubbed through. No Textual here; the clock is handed in."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress

from tq.client.watching import Change
from tq.model.errors import InvalidArgument
from tq.model.watching import ScopeKind, parse_scope
from tq.tui.feed import Connected, Disconnected, Facts, Frame, Noted, Refused, Told
from tq.tui.mirror import Mirror
from tq.tui.recording import Recording

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
STEP_SECONDS_MIN = 0.05
"""At high speed, frames are told in bunches this far apart."""


class Player:
    """Where in a recording one is, and what was known there. Pure, but for reading the file."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._next = 0
        self.image = Mirror()
        self.frames = 0
        """Told so far, those that are told again counted again."""
        self.greeting: Connected | None = None
        self.lost: Disconnected | None = None
        self._frame_at_ms = 0

    @property
    def next_at_ms(self) -> int | None:
        """The moment of the next entry, in ms since the beginning; None at the end."""
        entries = self._recording.entries
        return entries[self._next].at_ms if self._next < len(entries) else None

    def now_ms(self, position_ms: float) -> int:
        """The broker's clock at a moment of the recording; 0 before the first frame."""
        return self.image.at_ms + round(max(0.0, position_ms - self._frame_at_ms)) if self.image.at_ms else 0

    def play(self, until_ms: float) -> Iterator[Told]:
        """What is told from here up to a moment.

        Raises:
            InvalidArgument: the recording cannot be read.
        """
        while (at_ms := self.next_at_ms) is not None and at_ms <= until_ms:
            yield from self._take()

    def jump(self, to_ms: float) -> list[Told]:
        """All that is known at a moment, from wherever one was.

        Raises:
            InvalidArgument: the recording cannot be read.
        """
        entries = self._recording.entries
        end = self._recording.place(round(to_ms))
        key = next((index for index in range(end - 1, -1, -1) if entries[index].is_key), 0)
        before = self.image.scopes
        self.image, self._next = Mirror(), key
        self._remember(key)
        for _ in self.play(to_ms):
            pass
        said = [told for told in (self.greeting, self.lost) if told is not None]
        return [*said, self.whole(before)]

    def _remember(self, end: int) -> None:
        """Who was there, before the entry with this index."""
        self.greeting = self.lost = None
        for index in range(end - 1, -1, -1):
            if self._recording.entries[index].is_frame:
                continue
            told = self._recording.told(index)
            if isinstance(told, Connected):
                self.greeting = told
                return
            if isinstance(told, Disconnected) and self.lost is None:
                self.lost = told

    def whole(self, before: Sequence[str] = ()) -> Frame:
        """All rows that are known; of scopes that were known `before` and are not now, that they are gone."""
        return Frame([*(self.image.whole(scope) for scope in self.image.scopes), *self._gone(before)], self.image.at_ms)

    def _gone(self, before: Sequence[str]) -> list[Change]:
        return [Change(scope, True, [], [], 0) for scope in before if scope not in self.image.scopes]

    def _take(self) -> Iterator[Told]:
        entry = self._recording.entries[self._next]
        told = self._recording.told(self._next)
        self._next += 1
        if not isinstance(told, Frame):
            self._say(told)
            yield told
            return
        before: tuple[str, ...] = ()
        if entry.is_key:
            before, self.image = self.image.scopes, Mirror()
        self.image.apply(told.changes, told.at_ms, 0.0)
        self.frames += 1
        self._frame_at_ms = entry.at_ms
        yield Frame([*told.changes, *self._gone(before)], told.at_ms)

    def _say(self, told: Told) -> None:
        if isinstance(told, Connected):
            self.greeting, self.lost = told, None
        elif isinstance(told, Disconnected):
            self.lost = told


class ReplayFeed:
    """A recording, as a feed.

    Args:
        recording: closed with the feed.
        start_ms: where it begins.
        clock: seconds.
    """

    def __init__(self, recording: Recording, *, start_ms: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._recording = recording
        self._player = Player(recording)
        self._clock = clock
        self._speed = SPEEDS.index(1.0)
        self._is_playing = True
        self._anchor = (float(min(start_ms, recording.length_ms)), clock())
        self._scopes: tuple[str, ...] = ()
        self._missed: set[str] = set()
        self._has_jumped = True
        self._is_turned = False
        self._is_closed = False
        self._wake = asyncio.Event()

    # -- where it is ------------------------------------------------------------------------------------------

    @property
    def length_ms(self) -> int:
        """Of the whole recording."""
        return self._recording.length_ms

    @property
    def position_ms(self) -> float:
        """Since the beginning."""
        position, at = self._anchor
        if self._is_playing:
            position += (self._clock() - at) * 1_000 * self.speed
        return min(position, float(self.length_ms))

    @property
    def is_playing(self) -> bool:
        """Whether it goes on by itself; not at its end."""
        return self._is_playing and self.position_ms < self.length_ms

    @property
    def speed(self) -> float:
        """Seconds of the recording in one second."""
        return SPEEDS[self._speed]

    @property
    def now_ms(self) -> int:
        """The broker's clock, then."""
        return self._player.now_ms(self.position_ms)

    # -- what one does with it --------------------------------------------------------------------------------

    def toggle(self) -> None:
        """Stop, or go on; at its end, from the beginning."""
        if self._is_playing and not self.is_playing:
            self.seek(0)
            return
        self._anchor = (self.position_ms, self._clock())
        self._is_playing = not self._is_playing
        self._wake.set()

    def faster(self, steps: int) -> None:
        """Through SPEEDS, up or down."""
        self._anchor = (self.position_ms, self._clock())
        self._speed = min(max(self._speed + steps, 0), len(SPEEDS) - 1)
        self._wake.set()

    def seek(self, to_ms: float) -> None:
        """To a moment, forwards or backwards."""
        self._anchor = (min(max(to_ms, 0.0), float(self.length_ms)), self._clock())
        self._has_jumped = True
        self._wake.set()

    def step(self, steps: int) -> None:
        """Stop, and to the next frame, or to the one before."""
        entries = self._recording.entries
        here = self._recording.place(round(self.position_ms)) - 1
        found = [index for index, entry in enumerate(entries) if entry.is_frame]
        later = [index for index in found if index > here]
        earlier = [index for index in found if index < here]
        wanted = later[:1] if steps > 0 else earlier[-1:]
        self._is_playing = False
        self.seek(entries[wanted[0]].at_ms if wanted else self.position_ms)

    # -- as a feed --------------------------------------------------------------------------------------------

    def watch(self, scopes: Sequence[str], hz: float) -> None:  # noqa: ARG002 - the speed is that of the recording
        """See Feed. What is asked for and was recorded is told at once, whole."""
        if tuple(scopes) != self._scopes:
            self._scopes = tuple(scopes)
            self._is_turned = True
            self._wake.set()

    async def told(self) -> AsyncIterator[Told]:
        """See Feed."""
        while not self._is_closed:
            self._wake.clear()
            try:
                told = list(self._due())
            except InvalidArgument as error:
                yield Refused(error)
                return
            for one in told:
                yield self._renamed(one) if isinstance(one, Frame) else one
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._seconds_to_next())

    def _due(self) -> Iterator[Told]:
        position = self.position_ms
        if self._has_jumped:
            self._has_jumped = self._is_turned = False
            yield from self._player.jump(position)
        else:
            yield from self._player.play(position)
        if self._is_turned:
            self._is_turned = False
            yield self._player.whole()
        yield from self._missing()

    def _missing(self) -> Iterator[Noted]:
        if not self._player.image.at_ms:
            return
        for scope in self._scopes:
            if self._source(scope) is None and scope not in self._missed:
                self._missed.add(scope)
                yield Noted(f"nothing was recorded here of {scope}")

    def _source(self, scope: str) -> str | None:
        """Under which scope the rows of a scope were recorded: workers are the same in any order."""
        known = self._player.image.scopes
        if scope in known:
            return scope
        kind = parse_scope(scope).kind
        return str(kind) if kind is ScopeKind.WORKERS and str(kind) in known else None

    def _renamed(self, frame: Frame) -> Frame:
        """The frame, with what is watched under a name that it was not recorded under."""
        aliases = {self._source(scope): scope for scope in self._scopes if self._source(scope) not in (scope, None)}
        more = [
            Change(aliases[change.scope], change.is_whole, change.rows, change.gone, change.left_out)
            for change in frame.changes
            if change.scope in aliases
        ]
        return Frame([*frame.changes, *more], frame.at_ms)

    def _seconds_to_next(self) -> float | None:
        at_ms = self._player.next_at_ms
        if at_ms is None or not self.is_playing:
            return None
        return max(STEP_SECONDS_MIN, (at_ms - self.position_ms) / 1_000 / self.speed)

    def facts(self) -> Facts:
        """See Feed."""
        known = tuple(dict.fromkeys((*self._player.image.scopes, *self._scopes)))
        return Facts(frames=self._player.frames, kept=known)

    async def close(self) -> None:
        """See Feed."""
        self._is_closed = True
        self._wake.set()
        self._recording.close()
