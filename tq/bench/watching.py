"""What a live stream costs the broker: frames of a thousand queues of which a part changes from one to the next.

Measured in this process, on the engine alone over a store in memory: what is looked for is a part of a millisecond, and
is lost in the noise of sockets and processes.
"""

import time
from collections.abc import Callable, Sequence
from random import Random

from tq.bench.plan import Figure, Plan
from tq.engine.engine import Engine
from tq.model.commands import Submit, Watch, WatchCredit
from tq.model.ids import make_id
from tq.model.replies import WatchFrame
from tq.model.settings import Settings
from tq.model.task import NORMAL, TaskSpec
from tq.protocol.codec import encode_frame
from tq.storage.memory import MemoryStore

QUEUES = 1_000
CHANGING = 100
"""Queues to which a task is submitted between two frames."""
MORE_WATCHERS = 49
BEAT_MS = 500
SCOPES = ["totals", "queues"]
_BEGAN_AT_MS = 1_764_000_000_000
_PRODUCER = 1_000

Choose = Callable[[int], Sequence[int]]
"""The numbers of the queues that change before a frame, by the number of the frame."""


class _Stream:
    """An engine with watchers, and a clock that goes from beat to beat."""

    def __init__(self, watchers: int) -> None:
        self._store = MemoryStore()
        self._engine = Engine(self._store, Settings(), seed=1)
        self._watchers = range(1, watchers + 1)
        self._now_ms = _BEGAN_AT_MS
        self._tasks = 0
        self._submit(range(QUEUES))
        self._settle()
        for watcher in self._watchers:
            self._engine.step(watcher, Watch(1, SCOPES), self._now_ms)

    def beat(self, changing: Sequence[int]) -> tuple[float, int]:
        """One frame to every watcher: the seconds that this took, encoding for each included, and the bytes of one."""
        self._submit(changing)
        self._settle()
        for watcher in self._watchers:
            self._engine.step(watcher, WatchCredit(0), self._now_ms)
        self._now_ms += BEAT_MS
        started = time.perf_counter()
        self._engine.show(self._now_ms)
        frames = [message for _, message in self._take() if isinstance(message, WatchFrame)]
        sizes = [len(encode_frame(frame)) for frame in frames]
        seconds = time.perf_counter() - started
        assert len(sizes) == len(self._watchers), "every watcher gets a frame at every beat"
        return seconds, max(sizes)

    def _submit(self, queues: Sequence[int]) -> None:
        for number in queues:
            self._tasks += 1
            task_id = make_id(self._now_ms, self._tasks.to_bytes(10, "big"))
            spec = TaskSpec(task_id, "noop", b"", f"tenant-{number:04d}.mailing", NORMAL, 300_000, 3, "", None)
            self._engine.step(_PRODUCER, Submit(1, [spec]), self._now_ms)

    def _settle(self) -> None:
        """What else a turn of the loop does: history, and the batch."""
        self._engine.advance(self._now_ms)
        self._take()

    def _take(self) -> list[tuple[int, object]]:
        writes, messages = self._engine.take()
        self._store.apply(writes)
        return list(messages)


async def watch(plan: Plan) -> list[Figure]:
    """Frames to one watcher and to fifty, while the same tenth of the queues changes, and another one each time."""
    beats = plan.count(400)
    random = Random(1)  # noqa: S311 - a choice of queues, not a secret

    def same(_beat: int) -> Sequence[int]:
        return range(CHANGING)

    def another(_beat: int) -> Sequence[int]:
        return random.sample(range(QUEUES), CHANGING)

    first, size = _typical_ms(1, beats, same)
    all_fifty, _ = _typical_ms(1 + MORE_WATCHERS, beats, same)
    spread, spread_size = _typical_ms(1, beats, another)
    what = f"frame of {QUEUES:,} queues, {CHANGING} changed"
    return [
        Figure(name=f"{what}: the first watcher", value=first, unit="ms", target=0.5),
        Figure(name=f"  {MORE_WATCHERS} more, together", value=max(0.0, all_fifty - first), unit="ms", target=0.2),
        Figure(name="  its size", value=size / 1_024, unit="KiB"),
        Figure(name=f"{what}, others each time", value=spread, unit="ms"),
        Figure(name="  its size", value=spread_size / 1_024, unit="KiB"),
    ]


def _typical_ms(watchers: int, beats: int, choose: Choose) -> tuple[float, int]:
    """The median of a frame in ms, and of its bytes; without the first ones, which hold everything."""
    stream = _Stream(watchers)
    measured = [stream.beat(choose(beat)) for beat in range(beats)][beats // 10 :]
    seconds = sorted(seconds for seconds, _ in measured)
    sizes = sorted(size for _, size in measured)
    return seconds[len(seconds) // 2] * 1_000, sizes[len(sizes) // 2]
