"""The wait before the next try: full jitter, growing to a limit, starting over after success.

Source: "Exponential Backoff And Jitter", Marc Brooker, AWS Architecture Blog, 2015. Many workers that lost one broker
at one moment must not come back at one moment.
"""

import random


class Backoff:
    """Seconds to wait, attempt after attempt.

    Args:
        first: upper bound of the first wait, in seconds.
        most: upper bound of every wait.
        source: where the jitter comes from.
    """

    def __init__(self, first: float, most: float, source: random.Random) -> None:
        self._first = first
        self._most = most
        self._source = source
        self._tries = 0

    def next_seconds(self) -> float:
        """The next wait, uniform between 0 and a bound that doubles each time."""
        bound = min(self._most, self._first * 2.0 ** min(self._tries, 32))
        self._tries += 1
        return self._source.uniform(0, bound)

    def succeeded(self) -> None:
        """The next wait is a first one again."""
        self._tries = 0
