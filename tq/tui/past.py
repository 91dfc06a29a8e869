"""What queues did in the last five minutes, fetched once and from then on only what is new.

Seconds are told once they are over, and a busy broker may be late with some: the last few are asked for again.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

from tq.model.history import SECONDS_KEPT, HistoryPoint

AGAIN_MS = 5_000
Histories = Mapping[str, Sequence[HistoryPoint]]
"""By queue, the points from old to new."""


class Past:
    """The points of the queues that were seen last; of others nothing is kept."""

    def __init__(self) -> None:
        self._points: dict[str, dict[int, HistoryPoint]] = {}
        self._known_until_ms = 0

    async def follow(
        self,
        history: Callable[..., Awaitable[Histories]],
        queues: Sequence[str],
        now_ms: int,
    ) -> None:
        """Ask for what is missing of these queues.

        Args:
            history: as that of a client.
            now_ms: by the broker's clock.

        Raises:
            TqError: what the client raises; then all is as it was.
        """
        answers = [await history(*names, since_ms=since_ms) for since_ms, names in self.missing(queues)]
        self.take(answers, now_ms)

    def missing(self, queues: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
        """What is to be asked for: from which moment on, of which queues."""
        known = [name for name in queues if name in self._points]
        unknown = [name for name in queues if name not in self._points]
        if known:
            yield self._known_until_ms - AGAIN_MS, known
        if unknown:
            yield 0, unknown

    def take(self, answers: Iterable[Histories], asked_at_ms: int) -> None:
        """What was answered to all that was missing at a moment, by the broker's clock."""
        first_ms = asked_at_ms - SECONDS_KEPT * 1_000
        before, self._points = self._points, {}
        for histories in answers:
            for name, points in histories.items():
                merged = before.get(name, {}) | {point.at_ms: point for point in points}
                self._points[name] = {at_ms: point for at_ms, point in merged.items() if at_ms >= first_ms}
        self._known_until_ms = asked_at_ms

    def points(self, queue: str) -> list[HistoryPoint]:
        """Those of a queue, the oldest first; none if nothing is known of it."""
        return list(self._points.get(queue, {}).values())
