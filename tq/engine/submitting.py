"""Taking tasks in: exactly once each, however often a client repeats itself."""

from collections import Counter

from tq.engine.lanes import Lane, Ready
from tq.engine.ledger import DEFAULT_OPTIONS, Ledger, encode, idempotency_key
from tq.engine.tables import DueKind, Table
from tq.model.commands import Submit
from tq.model.durations import DURATION_MS_MAX
from tq.model.errors import InvalidArgument, PayloadTooLarge, QueueFull
from tq.model.ids import ID_BYTES
from tq.model.names import KEY_BYTES_MAX, check_tags, check_text, check_trace
from tq.model.replies import Existing, Submitted
from tq.model.task import (
    MAX_CRASHES_MAX,
    MAX_RETRIES_MAX,
    PRIORITY_MAX,
    StoredTask,
    TaskOptions,
    TaskSpec,
    Tier,
    tier_of,
)

RESULT_TTL_MS = DEFAULT_OPTIONS.result_ttl_ms


def submit(ledger: Ledger, request: Submit, now_ms: int) -> Submitted:
    """Take all tasks of a request, or none.

    Raises:
        InvalidArgument: a field of a task is wrong; the message says which, of which task.
        PayloadTooLarge: a payload is above `broker.max_payload_bytes`.
        QueueFull: a queue would hold more than `broker.queue_depth_threshold` waiting tasks.
        TooManyRequests: too many queues, or task types in one queue.
    """
    lanes = _check(ledger, request)
    existing: list[Existing] = []
    get, bodies, meta = ledger.changes.get, ledger.changes.tables[Table.BODIES], ledger.meta
    for index, (spec, lane) in enumerate(zip(request.tasks, lanes, strict=True)):
        task_id = spec.id
        if task_id > meta.last_id:
            meta.last_id = task_id  # made later than all before: surely new, and nothing need be read to know it
        elif get(Table.BODIES, task_id) is not None:
            existing.append(Existing(index, task_id))
            continue
        if lane is None:
            lane = ledger.lane(spec.queue, spec.task_type, tier_of(spec.priority))
        if spec.options is not None:
            known = _submit_with_options(ledger, lane, spec, spec.options, now_ms)
            if known is not None:
                existing.append(Existing(index, known))
            continue
        sequence = meta.next_sequence
        meta.next_sequence = sequence + 1
        body = bodies[task_id] = encode(StoredTask(now_ms, sequence, 0, 0, spec))
        ledger.put_ready(lane, Ready(task_id, sequence, 0, 0, now_ms, body, spec.timeout_ms, RESULT_TTL_MS))
        queue = lane.queue
        queue.row.submitted_total += 1
        ledger.touch(queue)
    return Submitted(request.request_id, existing)


def _submit_with_options(ledger: Ledger, lane: Lane, spec: TaskSpec, options: TaskOptions, now_ms: int) -> bytes | None:
    """Take one task; the id of the task that is there already under the same key."""
    if options.key is not None:
        key = idempotency_key(lane.queue, options.key)
        known = ledger.changes.get(Table.KEYS, key)
        if known is not None:
            return known
        ledger.changes.put(Table.KEYS, key, spec.id)
    row = lane.queue.row
    row.submitted_total += 1
    ledger.touch(lane.queue)
    due_ms = max(now_ms + options.delay_ms, options.eta_ms or 0)
    expires_at_ms = now_ms + options.expires_ms if options.expires_ms is not None else 0
    if expires_at_ms:
        ledger.put_due(DueKind.EXPIRE, expires_at_ms, spec.id)
    if due_ms > now_ms:
        row.scheduled += 1
        number = ledger.next_sequence()
        ledger.changes.put(Table.BODIES, spec.id, encode(StoredTask(now_ms, 0, due_ms, expires_at_ms, spec, number)))
        ledger.put_due(DueKind.READY, due_ms, spec.id)
        return None
    sequence = ledger.next_sequence()
    body = encode(StoredTask(now_ms, sequence, 0, expires_at_ms, spec))
    ledger.changes.put(Table.BODIES, spec.id, body)
    ledger.put_ready(lane, Ready(spec.id, sequence, 0, 0, now_ms, body, spec.timeout_ms, options.result_ttl_ms))
    return None


def _check(ledger: Ledger, request: Submit) -> list[Lane | None]:
    """The lanes of the tasks, None where one is still to be made; changes nothing."""
    lane_of, payload_max = ledger.lanes.get, ledger.settings.broker.max_payload_bytes
    lanes: list[Lane | None] = []
    new_lanes: dict[tuple[str, str, Tier], None] = {}  # a set in a fixed order: which error comes first is no chance
    for index, spec in enumerate(request.tasks):
        if len(spec.payload) > payload_max:
            raise PayloadTooLarge(
                f"the payload of task {index} has {len(spec.payload)} bytes; the limit is {payload_max}",
                hint="store it elsewhere and submit a reference, or raise broker.max_payload_bytes",
            )
        if (
            not 0 <= spec.priority <= PRIORITY_MAX
            or not 0 <= spec.max_retries <= MAX_RETRIES_MAX
            or not 0 <= spec.timeout_ms <= DURATION_MS_MAX
            or len(spec.id) != ID_BYTES
            or len(spec.content_type) > KEY_BYTES_MAX
        ):
            raise _wrong_field(index, spec)
        if spec.options is not None:
            _check_options(index, spec.options)
        place = (spec.queue, spec.task_type, tier_of(spec.priority))
        lane = lane_of(place)
        lanes.append(lane)
        if lane is None:
            new_lanes[place] = None
    if new_lanes:
        ledger.check_new_lanes(new_lanes)
    _check_depth(ledger, request)
    return lanes


def _wrong_field(index: int, spec: TaskSpec) -> InvalidArgument:
    if len(spec.id) != ID_BYTES:
        return InvalidArgument(f"task {index}: an id has {ID_BYTES} bytes, not {len(spec.id)}")
    if not 0 <= spec.priority <= PRIORITY_MAX:
        return InvalidArgument(f"task {index}: priority {spec.priority} is not between 0 and {PRIORITY_MAX}")
    if not 0 <= spec.max_retries <= MAX_RETRIES_MAX:
        return InvalidArgument(f"task {index}: max_retries {spec.max_retries} is not between 0 and {MAX_RETRIES_MAX}")
    if len(spec.content_type) > KEY_BYTES_MAX:
        return InvalidArgument(f"task {index}: the content type is longer than {KEY_BYTES_MAX} characters")
    return InvalidArgument(f"task {index}: timeout_ms {spec.timeout_ms} is not between 0 and ten years")


def _check_options(index: int, options: TaskOptions) -> None:
    if options.key is not None:
        check_text(f"the key of task {index}", options.key, KEY_BYTES_MAX)
    if options.tags:
        check_tags(f"a tag of task {index}", options.tags)
    if options.trace:
        check_trace(f"the trace of task {index}", options.trace)
    for name, value in (
        ("delay_ms", options.delay_ms),
        ("expires_ms", options.expires_ms or 0),
        ("result_ttl_ms", options.result_ttl_ms),
        ("backoff_ms_base", options.retry.backoff_ms_base),
        ("backoff_ms_max", options.retry.backoff_ms_max),
    ):
        if not 0 <= value <= DURATION_MS_MAX:
            raise InvalidArgument(f"task {index}: {name} {value} is not between 0 and ten years")
    if options.eta_ms is not None and not 0 <= options.eta_ms < 1 << 48:
        raise InvalidArgument(f"task {index}: eta_ms {options.eta_ms} is not a moment in ms since 1970")
    if options.resubmit_of is not None and len(options.resubmit_of) != ID_BYTES:
        raise InvalidArgument(f"task {index}: resubmit_of has {len(options.resubmit_of)} bytes, not {ID_BYTES}")
    if not 1 <= options.max_crashes <= MAX_CRASHES_MAX:
        raise InvalidArgument(f"task {index}: max_crashes {options.max_crashes} is not between 1 and {MAX_CRASHES_MAX}")
    if not 1 <= options.retry.factor <= 10:
        raise InvalidArgument(f"task {index}: the backoff factor {options.retry.factor} is not between 1 and 10")


def _check_depth(ledger: Ledger, request: Submit) -> None:
    threshold = ledger.settings.broker.queue_depth_threshold
    if not threshold:
        return
    if len(request.tasks) == 1 and _waiting(ledger, request.tasks[0].queue) < threshold:
        return  # the rule, without counting
    counts = Counter([spec.queue for spec in request.tasks])
    if all(_waiting(ledger, name) + count <= threshold for name, count in counts.items()):
        return
    # Tasks that are there already are no new load: a repeated submit must be answered, however full the queue is.
    for name, count in _count_new(ledger, request.tasks).items():
        waiting = _waiting(ledger, name)
        if waiting + count > threshold:
            raise QueueFull(
                f"queue {name!r} holds {waiting} waiting tasks; the limit is {threshold}",
                hint="add workers, submit later, or raise broker.queue_depth_threshold",
            )


def _waiting(ledger: Ledger, name: str) -> int:
    queue = ledger.queues.get(name)
    return queue.waiting if queue is not None else 0


def _count_new(ledger: Ledger, specs: list[TaskSpec]) -> Counter[str]:
    """How many tasks each queue would gain: those that are not there yet, by id or by key."""
    get = ledger.changes.get
    ids: set[bytes] = set()
    keys: set[tuple[str, str]] = set()
    counts: Counter[str] = Counter()
    for spec in specs:
        if spec.id in ids or get(Table.BODIES, spec.id) is not None:
            continue
        key = spec.options.key if spec.options is not None else None
        if key is not None:
            queue = ledger.queues.get(spec.queue)
            is_known = queue is not None and get(Table.KEYS, idempotency_key(queue, key)) is not None
            if is_known or (spec.queue, key) in keys:
                continue
            keys.add((spec.queue, key))
        ids.add(spec.id)
        counts[spec.queue] += 1
    return counts
