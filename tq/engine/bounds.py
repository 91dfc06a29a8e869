"""How much one call of the engine does, and how much of a lane is in memory: what keeps every step short."""

import msgspec


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of tasks or rows. The defaults are measured; tests use small ones, to meet every bound."""

    window_max: int = 4_096
    """Ready tasks of a lane in memory. With body about 0.6 KB each, without 0.2 KB."""
    windows_max: int = 250_000
    """Ready tasks in memory over all lanes together, but for `refill_min` of each lane and what workers hand back:
    50 MB without bodies, however many queues there are."""
    refill: int = 1_024
    """Rows read at once when a window has run empty: 1 ms."""
    refill_min: int = 32
    """The same, while the windows of all lanes together are full."""
    dispatch_max: int = 4_096
    """Tasks leased in one call: 20 to 40 ms of the loop."""
    deliver_bytes_max: int = 8 << 20
    """Bodies delivered in one batch, all workers together, but for the last of them: what a worker that reads slowly
    makes the broker hold."""
    sweep_max: int = 256
    """Due rows of each kind handled in one call: a few ms of the loop."""
    bulk_max: int = 250
    """Tasks that one bulk request moves at most, whatever its limit: about 5 ms of the loop."""
    scan_max: int = 1_000
    """Index rows that one page or one purge looks at, matching or not: a few ms of the loop."""
    groups_max: int = 1_000
    """Failure groups that are told apart: about 1 MB. Further errors are counted together."""
    groups_per_type_max: int = 250
    """Of them, of one error type: one that says something else each time leaves room for others."""
    history_max: int = 512
    """Queues whose second is written to their history in one call: about 3 ms of the loop."""
    count_max: int = 1_000
    """Rows more that the first page of a listing looks at to say how many there are."""


BOUNDS = Bounds()
