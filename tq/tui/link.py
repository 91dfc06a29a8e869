"""The way to the broker and back, measured now and then with a real request."""

from collections.abc import Callable

from tq.client.async_client import AsyncClient
from tq.model.errors import TqError
from tq.model.replies import StatsReply

SECONDS = 10.0
"""Between two measurements."""


class Link:
    """The last measurement.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._measured_at: float | None = None
        self.ms = 0.0
        """A round trip, the broker's work on it included; 0: not known."""
        self.stats: StatsReply | None = None
        """What the broker answered."""
        self.trouble = ""
        """Why there is no answer; empty if there is one."""

    def is_due(self, now: float) -> bool:
        """Whether it is time for another."""
        return self._measured_at is None or now - self._measured_at >= SECONDS

    async def measure(self, client: AsyncClient) -> None:
        """Ask for the broker's figures, over a connection that is there already."""
        self._measured_at = self._clock()
        try:
            await client.connect()
            began = self._clock()
            self.stats = await client.stats()
        except TqError as error:
            self.ms, self.trouble = 0.0, error.message
            return
        self.ms, self.trouble = (self._clock() - began) * 1_000, ""
