"""Bytes and behaviour that no client of tq has: what an attacker, a port scanner or a broken client sends."""

import asyncio
import math
import socket
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from random import Random
from typing import Any

import msgspec

from tq.model.commands import (
    Ack,
    Cancel,
    CancelledByWorker,
    CancelOperation,
    CommitOperation,
    DrainWorker,
    Extend,
    Failure,
    Fetch,
    GetLog,
    GetMetrics,
    GetOperation,
    GetStats,
    GetTask,
    GetWorker,
    Heartbeat,
    Hello,
    LeaseRef,
    ListOperations,
    ListQueues,
    ListTasks,
    ListWorkers,
    LogEntry,
    Nack,
    Order,
    PauseQueue,
    PrepareOperation,
    ProgressNote,
    QueuePreference,
    Release,
    ReportLog,
    ReportProgress,
    Request,
    Resubmit,
    ResumeQueue,
    StackTaken,
    Submit,
    Success,
    TakeStack,
    UndoOperation,
    Wait,
    Why,
    WorkerDied,
    WorkerHello,
)
from tq.model.operations import Action
from tq.model.task import RetryPolicy, TaskOptions, TaskSpec
from tq.protocol.codec import encode_frame
from tq.protocol.frames import HEADER

NASTY: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 255, 256, 1 << 31, (1 << 53) + 1, (1 << 63) - 1, -(1 << 63), (1 << 64) - 1),
    *(0.0, -0.0, 1e308, -1e308, math.inf, -math.inf, math.nan, 5e-324),
    *("", "\0", "a" * 200, "a" * 201, "\u202e\u0000", "é" * 200, "a" * 70_000, "../../x", "%s%n", "default", "t"),
    *(b"", b"\0" * 16, b"\xff" * 16, b"x" * 15, b"x" * 17, b"x" * 70_000),
    *([], [[]], {}, {"a": 1}, [None] * 1_001, [b"\0" * 16] * 1_001, msgspec.msgpack.Ext(5, b"x")),
)
BAD_STARTS = (b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff\x05")
"""Of MessagePack: no type at all, and lengths of 4 GiB."""
HELD_MAX = 24
"""Connections that are kept open and say, or read, nothing more."""
HELLO = encode_frame(Hello(0, 1, "fuzz"))


class Attacker:
    """Does one harmful thing after the other to a broker.

    Attributes:
        counts: what was tried.
        leases: that somebody was given, to be settled in all ways.
    """

    def __init__(self, path: str, random: Random) -> None:
        self.counts: Counter[str] = Counter()
        self._path = path
        self._random = random
        self._ids = [random.randbytes(16)]
        self._held: list[socket.socket] = []
        self.leases: deque[LeaseRef] = deque(maxlen=50)

    async def attack(self) -> None:
        """One connection."""
        kinds = (
            *(self._send_noise, self._send_mutated, self._send_mutated, self._send_wrong, self._send_wrong),
            *(self._send_wrong, self._cut_short, self._announce_much, self._read_nothing, self._say_nothing),
            *(self._pose_as_worker, self._pose_as_worker),
        )
        kind = self._random.choice(kinds)
        self.counts["connections"] += 1
        self.counts[kind.__name__.strip("_").replace("_", " ")] += 1
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        try:
            with suppress(OSError):
                await asyncio.get_running_loop().sock_connect(sock, self._path)
                await kind(sock)
        finally:
            if sock not in self._held:
                sock.close()

    def frame(self) -> bytes:
        """A frame of any kind: right, with wrong values in it, or mutated; its length is that of its body."""
        self.counts["inputs"] += 1
        match self._random.randrange(4):
            case 0:
                return encode_frame(self._request())
            case 1:
                frame = self._mutated(encode_frame(self._request()))
                return HEADER.pack(max(0, len(frame) - HEADER.size)) + frame[HEADER.size :]
            case _:
                return self._wrong(self._request())

    def release(self) -> None:
        """Let all go that is held."""
        for sock in self._held:
            sock.close()
        self._held.clear()

    # What it does

    async def _send_noise(self, sock: socket.socket) -> None:
        hello = HELLO if self._random.random() < 0.7 else b""
        await self._send(sock, hello + self._random.randbytes(self._random.choice((1, 3, 4, 5, 60, 5_000, 300_000))))
        self.counts["inputs"] += 1
        await self._end(sock)

    async def _send_mutated(self, sock: socket.socket) -> None:
        frames = [self._mutated(encode_frame(self._request())) for _ in range(self._random.randint(1, 30))]
        await self._send(sock, HELLO + b"".join(frames))
        self.counts["inputs"] += len(frames)
        await self._end(sock)

    async def _send_wrong(self, sock: socket.socket) -> None:
        """Whole frames, and in each a value or two that nobody sends; the first that is no request ends it."""
        frames = [self._wrong(self._request()) for _ in range(self._random.randint(1, 10))]
        await self._send(sock, HELLO + b"".join(frames))
        self.counts["inputs"] += len(frames)
        await self._end(sock)

    async def _cut_short(self, sock: socket.socket) -> None:
        frame = (HELLO if self._random.random() < 0.7 else b"") + encode_frame(self._request())
        await self._send(sock, frame[: self._random.randrange(len(frame))])
        self.counts["inputs"] += 1
        if self._random.random() < 0.5:
            await self._hold(sock)
        else:
            await self._end(sock)

    async def _announce_much(self, sock: socket.socket) -> None:
        if self._random.random() < 0.7:
            await self._send(sock, HELLO)
        length = self._random.choice((0, 1, 1 << 18, (1 << 18) + 1, 8 << 20, (8 << 20) + 1, 1 << 31, (1 << 32) - 1))
        await self._send(sock, HEADER.pack(length) + self._random.randbytes(self._random.choice((0, 10, 100_000))))
        self.counts["inputs"] += 1
        if self._random.random() < 0.5:
            await self._hold(sock)
        else:
            await self._end(sock)

    async def _read_nothing(self, sock: socket.socket) -> None:
        """Ask for much, thousands of times, and read none of it."""
        kinds = (
            lambda number: GetTask(number, self._some_id()),
            lambda number: ListTasks(number, limit=1_000),
            lambda number: ListQueues(number),
            lambda number: GetStats(number),
            lambda number: Wait(number, self._some_id(), 60_000),
            lambda number: Submit(number, [self._spec()]),
        )
        kind = self._random.choice(kinds)
        count = self._random.randint(100, 12_000)
        await self._send(sock, HELLO + b"".join(encode_frame(kind(number)) for number in range(1, count + 1)))
        self.counts["inputs"] += count
        await self._hold(sock)

    async def _say_nothing(self, sock: socket.socket) -> None:
        await self._send(sock, self._random.choice((b"", HELLO, HELLO[:3])))
        await self._hold(sock)

    async def _pose_as_worker(self, sock: socket.socket) -> None:
        """Take tasks, and settle what was given to somebody else, or to nobody."""
        random = self._random
        hello = self._hello(random.choice((0, random.getrandbits(127))))
        fetch = Fetch(1, random.choice((0, 1, 5, 100_000)))
        reports = [self._report(number) for number in range(2, random.randint(2, 30))]
        await self._send(sock, b"".join(map(encode_frame, (hello, fetch, *reports))))
        self.counts["inputs"] += len(reports)
        if random.random() < 0.2:
            await self._hold(sock)
        else:
            await self._end(sock)

    async def _send(self, sock: socket.socket, data: bytes) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):  # it need not take all of it
                await asyncio.get_running_loop().sock_sendall(sock, data)

    async def _end(self, sock: socket.socket) -> None:
        """Read what comes for a moment, and leave: in the middle of it, or after saying so."""
        loop = asyncio.get_running_loop()
        if self._random.random() < 0.5:
            sock.shutdown(socket.SHUT_WR)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._random.choice((0.0, 0.01, 0.2))):
                while await loop.sock_recv(sock, 1 << 16):
                    self.counts["answers read"] += 1

    async def _hold(self, sock: socket.socket) -> None:
        self._held.append(sock)
        if len(self._held) > HELD_MAX:
            self._held.pop(self._random.randrange(HELD_MAX)).close()

    # What it sends

    def _mutated(self, frame: bytes) -> bytes:
        random, changed = self._random, bytearray(frame)
        for _ in range(random.choice((1, 1, 2, 5))):
            place = random.randrange(len(changed)) if changed else 0
            match random.randrange(5):
                case 0:
                    changed[place : place + 1] = bytes([random.randrange(256)])
                case 1:
                    changed[place:place] = random.randbytes(random.randint(1, 8))
                case 2:
                    del changed[place : place + random.randint(1, 8)]
                case 3:
                    changed[place : place + 1] = random.choice(BAD_STARTS)
                case _:
                    changed += changed[place : place + random.randint(1, 50)]
        if random.random() < 0.8 and len(changed) >= HEADER.size:  # mostly with a length that is right
            changed[: HEADER.size] = HEADER.pack(len(changed) - HEADER.size)
        return bytes(changed)

    def _wrong(self, request: Request) -> bytes:
        array: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(request))
        for _ in range(self._random.choice((1, 1, 2))):
            self._spoil(array)
        body = msgspec.msgpack.encode(array)
        if self._random.random() < 0.02:
            body = b"\x91" * 100_000 + body  # deeper than any stack
        return HEADER.pack(len(body)) + body

    def _spoil(self, value: list[Any]) -> None:
        """Replace something in a list, at any depth, by something else; the tag mostly stays."""
        random = self._random
        if len(value) < 2:
            value.append(deepcopy(random.choice(NASTY)))
            return
        place = random.randrange(len(value)) if random.random() < 0.1 else random.randint(1, len(value) - 1)
        inner = value[place]
        if isinstance(inner, list) and len(inner) > 1 and random.random() < 0.8:
            self._spoil(inner)
        elif random.random() < 0.1:
            del value[place:]
        else:
            value[place] = deepcopy(random.choice(NASTY))

    def _selector(self) -> str:
        return self._random.choice(
            ("", "queue:q", "type:t age:<1h", "state:failed,dead_letter", "-q", "queue:never", ":")
        )

    def _some_id(self) -> bytes:
        return self._random.choice(self._ids)

    def _spec(self) -> TaskSpec:
        random = self._random
        if len(self._ids) > 1_000:
            del self._ids[: len(self._ids) // 2]
        self._ids.append(random.randbytes(16))
        options = TaskOptions(
            delay_ms=random.choice((0, 0, 1, 50)),
            eta_ms=random.choice((None, 0, 1)),
            expires_ms=random.choice((None, 0, 50)),
            key=random.choice((None, "k", "l")),
            result_ttl_ms=random.choice((0, 100, 3_600_000)),
            max_crashes=random.choice((1, 3)),
            retry=RetryPolicy(factor=random.choice((1.0, 10.0))),
        )
        return TaskSpec(
            self._ids[-1],
            random.choice(("t", "u")),
            random.randbytes(random.choice((0, 10, 2_000))),
            random.choice(("q", "r", "default")),
            random.randrange(256),
            random.choice((0, 1, 1_000)),
            random.choice((0, 3, 1_000)),
            "",
            random.choice((None, options)),
        )

    def _request(self) -> Request:
        random, number = self._random, self._random.randint(1, 1 << 20)
        if random.random() < 0.1:
            return self._hello(random.randrange(4))
        task_id = self._some_id()
        ids = [self._some_id() for _ in range(random.randint(0, 5))]
        queue = random.choice(("q", "r", "default", "never"))
        makers: tuple[Callable[[], Request], ...] = (
            lambda: Submit(number, [self._spec() for _ in range(random.randint(1, 5))]),
            lambda: GetTask(number, task_id),
            lambda: Wait(number, task_id, random.choice((0, 10, 60_000))),
            lambda: Cancel(number, ids, "r"),
            lambda: ListTasks(
                number, self._selector(), random.choice(list(Order)), random.random() < 0.5, 10, random.randbytes(9)
            ),
            lambda: ListTasks(number, self._selector(), limit=1_000),
            lambda: ListQueues(number),
            lambda: PauseQueue(number, queue, "r"),
            lambda: ResumeQueue(number, queue),
            lambda: PrepareOperation(number, random.choice(list(Action)), self._selector(), [], random.random() < 0.1),
            lambda: PrepareOperation(number, Action.RETRY, "", ids),
            lambda: CommitOperation(number, random.randbytes(8), "r", random.randint(1, 1_000)),
            lambda: GetOperation(number, random.choice("0123456789abcdefx"), random.choice((0, 10))),
            lambda: ListOperations(number),
            lambda: CancelOperation(number, random.choice("0123456789abcdef")),
            lambda: UndoOperation(number, random.choice("0123456789abcdef")),
            lambda: Resubmit(number, task_id, random.randbytes(16), b"again"),
            lambda: ListWorkers(number),
            lambda: random.choice((Why, TakeStack, GetLog))(number, task_id),
            lambda: GetWorker(number, random.choice(("w", "00000000", "h"))),
            lambda: DrainWorker(number, random.choice(("w", "00000000", "h"))),
            lambda: GetStats(number),
            lambda: GetMetrics(number, random.choice((0, 1, 1_000))),
            lambda: WorkerDied(number, random.randbytes(16), 1, "SIGKILL", "h", 1, "last words", ids),
            *[lambda: self._report(number)] * 8,
        )
        return random.choice(makers)()

    def _hello(self, incarnation: int) -> Hello:
        random = self._random
        types = random.choice((["t"], ["t", "u"], [], ["x" * 200]))
        queues = [QueuePreference("q"), QueuePreference("q", 1)][: random.randrange(3)]
        held = [self._ref() for _ in range(random.choice((0, 3)))]
        return Hello(0, 1, worker=WorkerHello("w", incarnation.to_bytes(16, "big"), "h", 1, types, queues, held=held))

    def _ref(self) -> LeaseRef:
        if self.leases and self._random.random() < 0.7:
            return self._random.choice(self.leases)
        return LeaseRef(self._some_id(), self._random.randrange(1_000))

    def _report(self, number: int) -> Request:
        random = self._random
        refs = [self._ref() for _ in range(random.randint(0, 4))]
        makers: tuple[Callable[[], Request], ...] = (
            lambda: Ack(number, [Success(ref.task_id, ref.token, b"r") for ref in refs]),
            lambda: Nack(number, [Failure(ref.task_id, ref.token, "E", "m", "t", 0) for ref in refs]),
            lambda: Release(number, refs, random.choice((0, 5))),
            lambda: Extend(number, refs, 1_000),
            lambda: CancelledByWorker(number, refs),
            lambda: ReportProgress(number, [ProgressNote(ref.task_id, ref.token, 0.5, "half") for ref in refs]),
            lambda: ReportLog(number, [LogEntry(ref.task_id, ref.token, 1, "info", "a line") for ref in refs]),
            lambda: StackTaken(
                number, random.randrange(5), random.choice(("", "no")), "thread", 1, 1, "a.py:1", "text"
            ),
            lambda: Heartbeat(number, 1, 1, 1, random.random() < 0.1, "note"),
            lambda: Fetch(number, random.choice((0, 5)), random.choice((None, 0, 3))),
        )
        return random.choice(makers)()
