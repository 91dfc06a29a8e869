"""Requests of workers: who they are, what they take, and what became of it."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tq.model.commands.fields import BATCH_MAX, LOG_CHARS_MAX, STACK_CHARS_MAX, BaseRequest, Count, Id, Ids, Name, Note
from tq.model.identity import Role
from tq.model.signatures import SIGNATURES_MAX, TaskSignature


class LeaseRef(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The proof of a lease: which task, and the token of this grant."""

    task_id: Id
    token: int


class QueuePreference(msgspec.Struct, array_like=True, frozen=True):
    """A queue that a worker serves. Higher priorities are served first; equal ones take turns."""

    name: Name
    priority: int = 0


class WorkerHello(msgspec.Struct, array_like=True, frozen=True):
    """A worker introduces itself: who it is, what it can run, and what it still holds from an earlier connection.

    `incarnation` is 16 random bytes made when the process starts: a re-used name is not mistaken for its predecessor.
    An empty `queues` means all queues, those still to come included. `signatures` are those of handlers.
    """

    name: Name
    incarnation: Id
    host: Name
    pid: int
    task_types: Annotated[list[Name], Meta(max_length=10_000)]
    queues: Annotated[list[QueuePreference], Meta(max_length=1_000)] = []
    concurrency: int = 1
    version: Name = ""
    held: Annotated[list[LeaseRef], Meta(max_length=100_000)] = []
    signatures: Annotated[list[TaskSignature], Meta(max_length=SIGNATURES_MAX)] = []


EDGE_ITSELF = "self"
"""The origin of what an edge asks for on its own account, such as the numbers of /metrics."""


class Behind(msgspec.Struct, array_like=True, frozen=True):
    """Whom an edge of the broker speaks for: what the socket of its caller, or TLS, has told it.

    `key` proves that it is an edge of this broker, which makes one at each start. `origin` is the caller's address,
    such as "10.0.0.7", or EDGE_ITSELF; `is_local`: it is one of this machine; `certificate_names` are those of a client
    certificate that a CA of broker.tls_client_ca has signed.
    """

    key: Annotated[bytes, Meta(min_length=32, max_length=32)]
    edge: Literal["rest", "grpc"]
    origin: Name
    is_local: bool = False
    certificate_names: Annotated[tuple[Name, ...], Meta(max_length=100)] = ()

    def __repr__(self) -> str:
        return f"Behind({self.edge} {self.origin})"  # never the key


class Hello(BaseRequest, frozen=True, tag=1):
    """The first message of every connection, within 5 s and 256 KiB.

    `role_max`: no more than this is wanted, whatever the other end could show; it stays for as long as the connection.
    `acts_for`: who sits behind the client, such as the owner of a key at an SSH door. The audit shows it as what the
    client says, beside what the broker found out. `behind`: of the broker's own edges alone, for which their callers
    count in their place.
    """

    protocol_version: int
    client: Name = ""
    token: Name = ""
    worker: WorkerHello | None = None
    role_max: Role = Role.ADMIN
    acts_for: Name = ""
    behind: Behind | None = None


class Fetch(BaseRequest, frozen=True, tag=10, gc=False):
    """`credit` more tasks may be delivered to this worker. No reply.

    With `seen`, `credit` replaces what earlier ones left over: so many more than the first `seen` tasks delivered on
    this connection. Deliveries still on their way are counted, so a worker takes credit back without a race.
    """

    credit: Annotated[int, Meta(ge=0, le=100_000)]
    seen: Count | None = None


class Success(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One handler returned."""

    task_id: Id
    token: int
    result: bytes = b""
    content_type: Name = ""


class Ack(BaseRequest, frozen=True, tag=11):
    """These tasks are done. Reply: Settled."""

    successes: Annotated[list[Success], Meta(max_length=BATCH_MAX)]


class Failure(msgspec.Struct, array_like=True, frozen=True):
    """One handler failed. `retry_in_ms` overrides the task's backoff; `is_final` forbids a retry."""

    task_id: Id
    token: int
    error_type: Name = ""
    message: str = ""
    traceback: str = ""
    retry_in_ms: Count | None = None
    is_final: bool = False
    is_timeout: bool = False


class Nack(BaseRequest, frozen=True, tag=12):
    """These tasks failed. Reply: Settled."""

    failures: Annotated[list[Failure], Meta(max_length=BATCH_MAX)]


class Release(BaseRequest, frozen=True, tag=13):
    """Hand these back to the front of their lanes, no attempt used. Reply: Settled.

    `delay_ms` > 0 is a snooze: not before that long from now.
    """

    leases: Annotated[list[LeaseRef], Meta(max_length=BATCH_MAX)]
    delay_ms: Count = 0


class Extend(BaseRequest, frozen=True, tag=14):
    """The handlers of these need until `extend_ms` from now, whatever their timeout said. Reply: Settled."""

    leases: Annotated[list[LeaseRef], Meta(max_length=BATCH_MAX)]
    extend_ms: Count


class ProgressNote(msgspec.Struct, array_like=True, frozen=True):
    """What one running handler says of itself."""

    task_id: Id
    token: int
    fraction: Annotated[float, Meta(ge=0, le=1)]
    note: Note = ""


class ReportProgress(BaseRequest, frozen=True, tag=15):
    """Kept in memory while the tasks run. No reply."""

    notes: Annotated[list[ProgressNote], Meta(max_length=BATCH_MAX)]


class CancelledByWorker(BaseRequest, frozen=True, tag=16):
    """These handlers stopped because they were asked to. Reply: Settled."""

    leases: Annotated[list[LeaseRef], Meta(max_length=BATCH_MAX)]


class Heartbeat(BaseRequest, frozen=True, tag=17):
    """This worker lives, and so do all its leases. No reply.

    `note` is what is wrong with it, for people: "loop blocked 14 s at app.py:88". `cpu_percent` (100: one core) and
    `loop_blocked_ms`, the longest that its event loop did not turn, are since the heartbeat before. `stuck` handlers
    did not stop when asked, and run on without a slot.
    """

    running: Count = 0
    prefetched: Count = 0
    rss_bytes: Count = 0
    is_draining: bool = False
    note: Note = ""
    cpu_percent: Count = 0
    loop_blocked_ms: Count = 0
    stuck: Count = 0


class WorkerDied(BaseRequest, frozen=True, tag=18):
    """A supervisor saw a worker process end: its leases are freed at once, with the evidence. Reply: Affected.

    `running`, where the supervisor knows it, are the tasks whose handlers had started: only these count a crash.
    """

    incarnation: Id
    exit_code: int | None = None
    signal: Name = ""
    host: Name = ""
    rss_max_bytes: Count = 0
    last_lines: Annotated[str, Meta(max_length=8_000)] = ""
    running: Ids | None = None


class LogEntry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A line that a running handler logged. `at_ms` is a moment of its worker's clock."""

    task_id: Id
    token: int
    at_ms: Count
    level: Annotated[str, Meta(max_length=20)]
    text: Annotated[str, Meta(max_length=LOG_CHARS_MAX)]


class ReportLog(BaseRequest, frozen=True, tag=60):
    """Lines that handlers have logged, in their order; of leases that are no longer, they are dropped. No reply."""

    lines: Annotated[list[LogEntry], Meta(max_length=BATCH_MAX)]


class StackTaken(BaseRequest, frozen=True, tag=61):
    """A worker answers StackWanted. No reply.

    `reason` says why there is no stack: the task has ended, or has not started. `kind` is coroutine, thread or
    process, `place` the innermost line of the application's own, `text` the frames, outermost first.
    """

    number: Count
    reason: Note = ""
    kind: Name = ""
    pid: Count = 0
    running_ms: Count = 0
    place: Note = ""
    text: Annotated[str, Meta(max_length=STACK_CHARS_MAX)] = ""
