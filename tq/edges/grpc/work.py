"""The stream on which a program in any language is a worker: one connection to the broker for each, and the same rules.

What the worker sends becomes the requests of a native worker, in order; what the broker sends becomes messages, as many
things in one as there are. Nothing is decided here: credit, leases and heartbeats are between worker and broker. If
either side ends, so does the other: a worker comes back with the same incarnation and the leases that it holds.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from tq.client.asking import check_request
from tq.client.connection import Connection
from tq.edges.grpc import tq_pb2 as pb
from tq.edges.grpc.callers import caller_of
from tq.edges.grpc.calls import Talk, stopping
from tq.edges.grpc.errors import Unauthenticated
from tq.model import commands
from tq.model.commands import BATCH_MAX, LOG_CHARS_MAX, STACK_CHARS_MAX, LeaseRef, QueuePreference
from tq.model.errors import AccessDenied, InvalidArgument, Kind, TqError
from tq.model.ids import ID_BYTES, format_id, parse_id
from tq.model.replies import CancelRun, Deliver, Delivery, Drain, LeaseRevoked, Push, Settled, StackWanted
from tq.model.signatures import Parameter, TaskSignature

HELLO_SECONDS = 5.0
"""Within which the first message must come, as for a native connection."""
CREDIT_MAX = 10_000
"""Tasks that may be on their way to one worker: what bounds the memory for a worker that does not read."""
REPLY_BYTES = 1 << 20
"""Payloads in one message, more only for a single task: clients refuse messages above 4 MiB unless told otherwise."""
REPLY_DELIVERIES = 500
_NAME_CHARS, _NOTE_CHARS, _LEVEL_CHARS = 200, 2_000, 20

T = TypeVar("T")


async def work(talk: Talk) -> None:
    """Serve one worker until it leaves, the broker ends its connection, or the call is cancelled."""
    caller = caller_of(talk.context)
    first = await _first_message(talk)
    hello = _hello(first.hello)
    desk = _Desk(talk)
    try:
        connection = await talk.gateway.connect(caller, hello, desk.on_push)
    except AccessDenied as error:
        raise Unauthenticated(error.message) from None
    try:
        await desk.serve(connection, first)
    except* TqError as errors:
        raise _earliest(errors) from None
    finally:
        await connection.close()


def _earliest(errors: BaseExceptionGroup[TqError]) -> TqError:
    """Of what ended a stream, the first: it says why the others came."""
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    assert isinstance(first, TqError)
    return first


async def _first_message(talk: Talk) -> pb.WorkRequest:
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            first: pb.WorkRequest | None = await talk.read()
    except TimeoutError:
        raise InvalidArgument(f"no hello within {HELLO_SECONDS:g} s", hint="send WorkRequest.hello first") from None
    if first is None or not first.HasField("hello"):
        raise InvalidArgument("the first message has no hello", hint="say who the worker is in WorkRequest.hello")
    return first


def _hello(given: pb.WorkerHello) -> commands.WorkerHello:
    try:
        incarnation = bytes.fromhex(given.incarnation)
    except ValueError:
        incarnation = b""
    if len(incarnation) != ID_BYTES:
        raise InvalidArgument(
            f"incarnation {given.incarnation[:60]!r} is not 32 hex digits",
            hint="16 random bytes, made when the process starts and kept until it ends",
        )
    hello = commands.WorkerHello(
        given.name,
        incarnation,
        given.host,
        given.pid,
        list(given.task_types),
        [QueuePreference(queue.name, queue.priority) for queue in given.queues],
        given.concurrency or 1,
        given.version,
        _leases(given.held),
        [
            TaskSignature(one.task_type, [Parameter(p.name, list(p.types), p.is_required) for p in one.parameters])
            for one in given.signatures
        ],
    )
    check_request(commands.Hello(0, 1, worker=hello))
    return hello


class _Desk:
    """What goes to and fro between one worker and its connection."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._reply = pb.WorkReply()  # what goes out next, without its deliveries
        self._deliveries: list[Delivery] = []
        self._credit = 0
        self._wakes = asyncio.Event()
        self._settling: set[asyncio.Task[None]] = set()
        self._broken: asyncio.Future[TqError] = asyncio.get_running_loop().create_future()
        self._has_left = False

    def on_push(self, push: Push) -> None:
        """The broker says something."""
        match push:
            case Deliver():
                self._deliveries += push.deliveries
                self._credit -= len(push.deliveries)
            case CancelRun():
                self._reply.cancel.add(task_id=format_id(push.task_id), token=push.token)
            case LeaseRevoked():
                self._reply.revoked.add(task_id=format_id(push.task_id), token=push.token)
            case Drain():
                self._reply.drain = True
            case StackWanted():
                self._reply.stacks_wanted.add(number=push.number, task_id=format_id(push.task_id), token=push.token)
            case _:  # that the broker stops: the end of the connection follows
                return
        self._wakes.set()

    async def serve(self, connection: Connection, first: pb.WorkRequest) -> None:
        """Until the worker has left.

        Raises:
            ShuttingDown: the edge ends; what the worker has sent is settled, and it was told so.
            TqError: the connection ended, or the worker sent what makes no sense.
        """
        self._welcome(connection)
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self._write(), name="grpc work: to the worker")
            watching = group.create_task(self._until_broken(connection), name="grpc work: broker")
            reading = group.create_task(self._read(connection, first), name="grpc work: from the worker")
            ending = group.create_task(self._talk.ending.wait(), name="grpc work: edge")
            await asyncio.wait({reading, ending}, return_when=asyncio.FIRST_COMPLETED)
            is_cut = not reading.done()
            reading.cancel()
            ending.cancel()
            while self._settling:
                await asyncio.wait(self._settling)
            if self._broken.done():
                raise self._broken.result()
            self._has_left = True
            self._wakes.set()
            await writing
            watching.cancel()
        if is_cut:
            raise stopping()

    def _welcome(self, connection: Connection) -> None:
        welcome = connection.welcome
        self._reply.welcome.CopyFrom(
            pb.Welcome(
                server_version=welcome.server_version,
                boot_id=welcome.boot_id,
                heartbeat_interval_ms=welcome.limits.heartbeat_interval_ms,
                payload_bytes_max=welcome.limits.payload_bytes_max,
                lost=[format_id(task_id) for task_id in welcome.lost],
                actor=welcome.actor,
            )
        )
        self._wakes.set()

    async def _write(self) -> None:
        while True:
            await self._wakes.wait()
            self._wakes.clear()
            is_last = self._has_left
            reply, self._reply = self._reply, pb.WorkReply()
            deliveries, self._deliveries = self._deliveries, []
            for message in _packed(reply, deliveries):
                await self._talk.context.write(message)
            if is_last:
                return

    async def _read(self, connection: Connection, first: pb.WorkRequest) -> None:
        await self._carry_out(connection, first)
        while (request := await self._talk.read()) is not None:
            if request.HasField("hello"):
                raise InvalidArgument("a second hello on one stream", hint="open another stream")
            await self._carry_out(connection, request)

    async def _carry_out(self, connection: Connection, request: pb.WorkRequest) -> None:
        for one in _reports(request):  # before the outcomes: of a lease that has ended they would be dropped
            _send(connection, one)
        answers = []
        for one in _settling(request):
            check_request(one)
            await connection.drain()
            answers.append(connection.request(replace(one, request_id=connection.next_id())))
        if answers:
            task = asyncio.create_task(self._settle(request.number, answers), name="grpc work: settling")
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)
        for one in _signs_of_life(request):
            _send(connection, one)
        if request.credit:
            self._give(connection, request.credit)

    def _give(self, connection: Connection, credit: int) -> None:
        if credit < 0 or self._credit + credit > CREDIT_MAX:
            raise InvalidArgument(
                f"credit {credit} upon {self._credit} that is not used up", hint=f"0 to {CREDIT_MAX:,} in all"
            )
        self._credit += credit
        connection.send(commands.Fetch(0, credit))

    async def _settle(self, number: int, answers: Sequence[asyncio.Future[Any]]) -> None:
        results = await asyncio.gather(*answers, return_exceptions=True)
        if not number:
            return
        settled = pb.Settled(number=number)
        for result in results:
            if isinstance(result, Settled):
                settled.lost.extend(format_id(task_id) for task_id in result.lost)
            elif isinstance(result, TqError) and result.kind is Kind.INVALID:
                settled.error_code, settled.error_message = result.code, result.message
            elif isinstance(result, TqError):
                # It may or may not be on disk, or not now. The worker still has it, and brings it to the next stream.
                if not self._broken.done():
                    self._broken.set_result(result)
                return
            elif isinstance(result, BaseException):
                raise result
        self._reply.settled.append(settled)
        self._wakes.set()

    async def _until_broken(self, connection: Connection) -> None:
        either: set[asyncio.Future[Any]] = {connection.closed, self._broken}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        reason: TqError | None = self._broken.result() if self._broken.done() else connection.closed.result()
        if isinstance(reason, AccessDenied) and not self._broken.done():
            raise Unauthenticated(reason.message)  # it was let in: its access has ended, and the connection with it
        if reason is not None:
            raise reason


def _packed(reply: pb.WorkReply, deliveries: Sequence[Delivery]) -> Iterator[pb.WorkReply]:
    """The deliveries in as few messages as the bounds allow; the rest of what there is to say is in the first."""
    size = 0
    for delivery in deliveries:
        if reply.deliveries and (len(reply.deliveries) >= REPLY_DELIVERIES or size + len(delivery.task) > REPLY_BYTES):
            yield reply
            reply, size = pb.WorkReply(), 0
        size += len(delivery.task)
        _add_delivery(reply, delivery)
    if reply.ByteSize():
        yield reply


def _add_delivery(reply: pb.WorkReply, delivery: Delivery) -> None:
    stored = delivery.stored()
    spec = stored.spec
    options = spec.options
    reply.deliveries.add(
        token=delivery.token,
        attempt=delivery.attempt,
        id=format_id(spec.id),
        task_type=spec.task_type,
        payload=spec.payload,
        queue=spec.queue,
        priority=spec.priority,
        timeout_ms=spec.timeout_ms,
        max_retries=spec.max_retries,
        content_type=spec.content_type,
        submitted_at_ms=stored.submitted_at_ms,
        key=options.key if options else None,
        tags=options.tags if options else (),
        trace=options.trace if options else "",
    )


def _settling(request: pb.WorkRequest) -> Iterator[Any]:
    """The requests that are answered, in the order of the message's fields; without their ids."""
    for successes in _chunks(request.successes):
        yield commands.Ack(
            0, [commands.Success(parse_id(s.task_id), s.token, s.result, s.content_type) for s in successes]
        )
    for failures in _chunks(request.failures):
        yield commands.Nack(0, [_failure(failure) for failure in failures])
    at_once: list[LeaseRef] = []
    later: dict[int, list[LeaseRef]] = {}
    for release in request.releases:
        lease = LeaseRef(parse_id(release.task_id), release.token)
        (later.setdefault(release.delay_ms, []) if release.delay_ms else at_once).append(lease)
    for delay_ms, leases in ((0, at_once), *later.items()):
        for chunk in _chunks(leases):
            yield commands.Release(0, list(chunk), delay_ms)
    for cancelled in _chunks(request.cancelled):
        yield commands.CancelledByWorker(0, _leases(cancelled))
    longer: dict[int, list[LeaseRef]] = {}
    for extend in request.extensions:
        longer.setdefault(extend.extend_ms, []).append(LeaseRef(parse_id(extend.task_id), extend.token))
    for extend_ms, leases in longer.items():
        for chunk in _chunks(leases):
            yield commands.Extend(0, list(chunk), extend_ms)


def _failure(failure: pb.Failure) -> commands.Failure:
    return commands.Failure(
        parse_id(failure.task_id),
        failure.token,
        failure.error_type[:_NAME_CHARS],
        failure.message,
        failure.traceback,
        failure.retry_in_ms if failure.HasField("retry_in_ms") else None,
        failure.is_final,
        failure.is_timeout,
    )


def _send(connection: Connection, request: Any) -> None:
    check_request(request)
    connection.send(request)


def _reports(request: pb.WorkRequest) -> Iterator[Any]:
    """What running handlers say of themselves. Texts that are too long are cut."""
    for notes in _chunks(request.progress):
        yield commands.ReportProgress(
            0,
            [commands.ProgressNote(parse_id(n.task_id), n.token, n.fraction, n.note[:_NOTE_CHARS]) for n in notes],
        )
    for lines in _chunks(request.log):
        yield commands.ReportLog(
            0,
            [
                commands.LogEntry(parse_id(n.task_id), n.token, n.at_ms, n.level[:_LEVEL_CHARS], n.text[:LOG_CHARS_MAX])
                for n in lines
            ],
        )


def _signs_of_life(request: pb.WorkRequest) -> Iterator[Any]:
    """What the worker says of itself, and the stacks that it was asked for."""
    if request.HasField("heartbeat"):
        beat = request.heartbeat
        yield commands.Heartbeat(
            0,
            beat.running,
            beat.prefetched,
            beat.rss_bytes,
            beat.is_draining,
            beat.note[:_NOTE_CHARS],
            beat.cpu_percent,
            beat.loop_blocked_ms,
            beat.stuck,
        )
    for taken in request.stacks:
        yield commands.StackTaken(
            0,
            taken.number,
            taken.reason[:_NOTE_CHARS],
            taken.kind[:_NAME_CHARS],
            taken.pid,
            taken.running_ms,
            taken.place[:_NOTE_CHARS],
            taken.text[-STACK_CHARS_MAX:],
        )


def _leases(leases: Sequence[pb.Lease]) -> list[LeaseRef]:
    return [LeaseRef(parse_id(lease.task_id), lease.token) for lease in leases]


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), BATCH_MAX):
        yield items[start : start + BATCH_MAX]
