"""How fast everything together went while the dashboard was there. Pure: no Textual, no clock.

The broker keeps the past of each queue, not of all together: adding up a thousand of them for a line on the screen is
not worth its time. So the dashboard remembers what it has seen itself.
"""

from collections import deque

from tq.model.history import SECONDS_KEPT
from tq.model.watching import Totals

SAMPLE_MS = 1_000


class Pulse:
    """The rates of the last five minutes, a sample a second, from old to new."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, float, float]] = deque(maxlen=SECONDS_KEPT)

    def take(self, totals: Totals, at_ms: int) -> None:
        """What a frame of this moment says. A moment that was before the last one, as when a recording is wound back,
        begins anew."""
        if self._samples and at_ms < self._samples[-1][0]:
            self._samples.clear()
        if not self._samples or at_ms - self._samples[-1][0] >= SAMPLE_MS:
            self._samples.append((at_ms, totals.submitted_10s / 10, totals.completed_10s / 10))

    @property
    def taken(self) -> list[float]:
        """Tasks that came, a second."""
        return [sample[1] for sample in self._samples]

    @property
    def done(self) -> list[float]:
        """Tasks that were done, a second."""
        return [sample[2] for sample in self._samples]
