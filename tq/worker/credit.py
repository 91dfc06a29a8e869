"""How many tasks to ask the broker for: the free slots, and a little more while tasks are measured to be very short.

Nothing may wait in a worker's memory while another worker could run it. So a task fetched ahead of its slot is an
exception with two guards: it is expected to start within HORIZON_SECONDS at the measured speed, and if that turns out
wrong the worker hands it back (`stalled`) and fetches nothing ahead until it has measured again. No clock, no I/O.
"""

HORIZON_SECONDS = 0.03
"""How long a task fetched ahead may expect to wait. It covers a commit of the broker, and the way there and back."""
SHORT_SECONDS = 0.01
"""Mean run time above which nothing is fetched ahead: the round trip is small beside it."""
STALL_SECONDS = 0.1
"""A delivered task that has not started after this long goes back to the broker."""
MEASURED_MIN = 32
"""Tasks to measure before anything is fetched ahead, at first and after a stall."""
_WINDOW_SECONDS = 0.2


class Credit:
    """Counts what was asked for and what came; decides what to ask for next.

    Args:
        slots: tasks that run at once.
        prefetch_max: the most tasks ahead of their slots, 0 for none.
    """

    def __init__(self, slots: int, prefetch_max: int) -> None:
        self.slots = slots
        self.outstanding = 0
        self.delivered = 0
        self._prefetch_max = prefetch_max
        self._since_stall = 0
        self._tasks = 0.0
        self._run_seconds = 0.0
        self._busy_seconds = 0.0

    def connected(self) -> None:
        """A new connection: the broker has forgotten what was asked for."""
        self.outstanding = 0
        self.delivered = 0

    def received(self, count: int) -> None:
        """So many tasks were delivered."""
        self.delivered += count
        self.outstanding = max(0, self.outstanding - count)

    def measure(self, tasks: int, run_seconds: float, busy_seconds: float) -> None:
        """Learn from tasks that ended.

        Args:
            tasks: how many ended.
            run_seconds: the sum of their run times, each in its slot.
            busy_seconds: time that passed meanwhile with at least one task in hand.
        """
        self._since_stall += tasks
        self._tasks += tasks
        self._run_seconds += run_seconds
        self._busy_seconds += busy_seconds
        if self._busy_seconds > _WINDOW_SECONDS:  # the old counts half
            self._tasks /= 2
            self._run_seconds /= 2
            self._busy_seconds /= 2

    def stalled(self) -> None:
        """A delivered task did not start in time: fetch nothing ahead until enough is measured anew."""
        self._since_stall = 0
        self._tasks = self._run_seconds = self._busy_seconds = 0.0

    @property
    def prefetch(self) -> int:
        """Tasks to hold beyond the slots at the speed measured."""
        if self._since_stall < MEASURED_MIN or self._busy_seconds <= 0 or self._tasks <= 0:
            return 0
        if self._run_seconds / self._tasks > SHORT_SECONDS:
            return 0
        return min(self._prefetch_max, int(self._tasks / self._busy_seconds * HORIZON_SECONDS))

    def to_ask(self, in_hand: int) -> int:
        """How many more to ask for now, counted as asked.

        Args:
            in_hand: tasks delivered and not ended.
        """
        missing = self.slots + self.prefetch - in_hand - self.outstanding
        if missing <= 0:
            return 0
        self.outstanding += missing
        return missing

    def excess(self, in_hand: int) -> bool:
        """Whether more is asked for than there are free slots: then a burst of slow tasks would land here."""
        return self.outstanding > max(0, self.slots - in_hand)

    def reset(self, in_hand: int) -> int:
        """Take back what was asked for beyond the free slots; the credit that then holds."""
        self.outstanding = max(0, self.slots - in_hand)
        return self.outstanding
