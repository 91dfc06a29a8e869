"""Time for the engine: it never goes back and never stands still."""

from tq.server.clock import Clock

MS = 1_000_000


class Hands:
    """Two clocks that a test sets, in ms."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000_000
        self.monotonic = 5_000

    def clock(self) -> Clock:
        return Clock(lambda: self.wall * MS, lambda: self.monotonic * MS)

    def pass_ms(self, length: int) -> None:
        self.wall += length
        self.monotonic += length


def test_the_clock_shows_wall_time() -> None:
    hands = Hands()
    clock = hands.clock()

    hands.pass_ms(1_500)

    assert clock.now_ms() == hands.wall
    assert clock.ahead_ms() == 0


def test_a_wall_clock_set_back_does_not_stop_time() -> None:
    """Leases and delays go on at the pace of the monotonic clock."""
    hands = Hands()
    clock = hands.clock()
    before = clock.now_ms()

    hands.wall -= 3_600_000
    hands.pass_ms(250)

    assert clock.now_ms() == before + 250
    assert clock.ahead_ms() == 3_600_000


def test_a_wall_clock_set_forward_is_followed() -> None:
    hands = Hands()
    clock = hands.clock()

    hands.wall += 3_600_000

    assert clock.now_ms() == hands.wall
    assert clock.ahead_ms() == 0
