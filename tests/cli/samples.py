"""Values as a broker would answer them, for the tests of what is made of them."""

from tq.model.groups import FailureGroup
from tq.model.ids import make_id
from tq.model.insight import Because, Explanation, HeldTask, LogLine, Reason, TaskStack
from tq.model.operations import Action, Operation, OperationState, QueueCount
from tq.model.replies import StatsReply
from tq.model.stats import EngineStats, ProcessStats, QueueStats, WorkerInfo
from tq.model.task import AttemptRecord, Progress, State, TaskSummary, TaskView

NOW_MS = 1_764_000_000_000
ID = make_id(NOW_MS, bytes(range(10)))
ID_TEXT = "019ab697-e800-7001-8203-040506070809"


def summary(
    state: State = State.PENDING,
    *,
    error_type: str = "",
    message: str = "",
    ended_at_ms: int = 0,
    scheduled_at_ms: int = 0,
) -> TaskSummary:
    return TaskSummary(
        id=ID,
        task_type="send_email",
        queue="mail",
        priority=128,
        state=state,
        submitted_at_ms=NOW_MS - 60_000,
        scheduled_at_ms=scheduled_at_ms,
        ended_at_ms=ended_at_ms,
        attempt=2,
        worker="",
        error_type=error_type,
        message=message,
        group="8f31c0de00112233" if state is State.DEAD_LETTER else "",
        key=None,
        tags=("nightly",),
    )


FAILED_ATTEMPT = AttemptRecord(
    attempt=1,
    outcome="failed",
    started_at_ms=NOW_MS - 5_000,
    ended_at_ms=NOW_MS - 3_500,
    worker="w1",
    error_type="ValueError",
    message="no such user\nsecond line",
    traceback="Traceback (most recent call last):\n  ...\nValueError: no such user",
)


STACK = TaskStack(
    task_id=ID,
    attempt=1,
    worker="w1",
    host="h1",
    pid=7,
    kind="thread",
    running_ms=1_500,
    place="app.py:8",
    text='  File "app.py", line 8, in send\n    time.sleep(9)\n',
)

LINE = LogLine(number=3, at_ms=NOW_MS, level="error", attempt=2, text="no such user\nValueError: 7")

HELD = HeldTask(
    id=ID,
    task_type="send_email",
    queue="mail",
    attempt=1,
    leased_at_ms=NOW_MS - 90_000,
    deadline_ms=NOW_MS - 30_000,
    cancel_requested=False,
    progress=Progress(0.4, "resizing", NOW_MS),
)

EXPLANATION = Explanation(
    id=ID,
    task_type="send_email",
    queue="mail",
    state=State.FAILED,
    worker="w1",
    submitted_at_ms=NOW_MS - 60_000,
    reasons=(
        Reason(
            code=Because.BACKOFF,
            text="attempt 1 of 4 failed; the next is in 3s",
            since_ms=NOW_MS - 3_500,
            until_ms=NOW_MS + 3_000,
            count=1,
            note="ValueError: no such user",
        ),
        Reason(code=Because.NO_HANDLER, text="no worker is connected", hint="start one: tq worker module:app"),
    ),
    history=(FAILED_ATTEMPT,),
)


def view(
    state: State = State.PENDING,
    *,
    payload: bytes = b'{"to":"a"}',
    content_type: str = "application/json",
    result: bytes = b"",
    result_content_type: str = "",
    history: tuple[AttemptRecord, ...] = (),
    scheduled_at_ms: int = 0,
    no_handler: bool = False,
    cancel_requested: bool = False,
    reason: str = "",
) -> TaskView:
    return TaskView(
        id=ID,
        task_type="send_email",
        queue="mail",
        priority=200,
        state=state,
        payload=payload,
        content_type=content_type,
        submitted_at_ms=NOW_MS - 60_000,
        scheduled_at_ms=scheduled_at_ms,
        started_at_ms=0,
        ended_at_ms=0,
        expires_at_ms=0,
        attempt=1,
        max_retries=3,
        crashes=0,
        max_crashes=3,
        timeout_ms=300_000,
        worker="",
        no_handler=no_handler,
        cancel_requested=cancel_requested,
        progress=None,
        result=result,
        result_content_type=result_content_type,
        reason=reason,
        history=history,
        key=None,
        tags=(),
        resubmit_of=None,
        resubmitted_as=None,
    )


def queue(*, is_paused: bool = False, pause_reason: str = "", no_handler: int = 0) -> QueueStats:
    return QueueStats(
        name="mail",
        ready_high=1,
        ready_normal=1_200,
        ready_low=3,
        scheduled=4,
        retrying=5,
        in_progress=6,
        dead=7,
        no_handler=no_handler,
        oldest_ready_ms=61_500,
        is_paused=is_paused,
        paused_at_ms=NOW_MS if is_paused else 0,
        pause_reason=pause_reason,
        paused_by="uid:1000 anna" if is_paused else "",
        submitted_total=2_000,
        completed_total=700,
        failed_total=9,
        crashed_total=0,
        dead_total=7,
        cancelled_total=0,
    )


WORKER = WorkerInfo(
    name="web-1",
    incarnation=bytes(range(16)),
    host="web-1.example.org",
    pid=4_711,
    status="connected",
    version="0.1.0",
    queues=("mail", "default"),
    task_types=("send_email",),
    concurrency=8,
    leases=3,
    running=3,
    prefetched=0,
    rss_bytes=50 << 20,
    connected_at_ms=NOW_MS - 3_600_000,
    last_seen_at_ms=NOW_MS - 2_000,
)

STATS = StatsReply(
    1,
    EngineStats(
        queues=2,
        ready=1_204,
        scheduled=4,
        retrying=5,
        in_progress=6,
        dead=7,
        workers_connected=1,
        submitted_total=2_000,
        completed_total=700,
        failed_total=9,
        crashed_total=0,
        dead_total=7,
        cancelled_total=0,
        sequence=99,
        waiters=0,
    ),
    ProcessStats(
        version="0.1.0",
        boot_id="b00t",
        pid=17,
        started_at_ms=NOW_MS - 5_400_000,
        addresses=("tcp://127.0.0.1:6379",),
        data_dir="/var/lib/tq",
        sync="always",
        is_accepting=True,
        why_not_accepting="",
        connections=3,
        commits_total=120,
        commit_us_p50=700,
        commit_us_p99=2_100,
        rss_bytes=60 << 20,
        disk_free_bytes=10 << 30,
    ),
)

GROUP = FailureGroup(
    fingerprint="8f31c0de12345678",
    error_type="httpx.ConnectTimeout",
    message="timed out after *s",
    place="http.py:212 post()",
    count=1_190_422,
    queues=(QueueCount("webhooks.out", 1_190_000), QueueCount("mail", 422)),
    queues_total=2,
    first_died_at_ms=NOW_MS - 9 * 86_400_000,
    last_died_at_ms=NOW_MS - 4_000,
    deaths_per_minute=38.5,
    sample=bytes(range(16)),
    dead_total=1_200_000,
    retried_total=12,
)

OPERATION = Operation(
    id=bytes(range(8)),
    action=Action.PURGE,
    state=OperationState.DONE,
    target="queue:mail",
    is_hard=False,
    total=12,
    done=10,
    skipped=2,
    failed=0,
    queues=(QueueCount("mail", 12),),
    rate=500,
    reason="sent twice",
    actor="uid:1000 anna",
    origin="unix",
    as_of=700,
    started_at_ms=NOW_MS - 60_000,
    ended_at_ms=NOW_MS - 59_000,
    remaining_ms=0,
    undo_until_ms=NOW_MS + 3_600_000,
    undo_of=None,
    undone_by=None,
    error="",
)
