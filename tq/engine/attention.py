"""What somebody should look at: judged from the numbers of queues and workers alone. Pure; ranked by urgency."""

from typing import NamedTuple

from tq.model.durations import format_ms
from tq.model.watching import Finding, Scope, ScopeKind, Severity

BEHIND_MS = 60_000
"""More has come than was done for this long: the queue is behind."""
SLOW_MS = 60_000
"""The first ready task has waited for this long, though the queue is not behind."""
NO_HANDLER_MS = 10_000
"""Tasks that nobody can run may wait for this long before it is said: a deploy is no alarm."""
PAUSED_MS = 3_600_000
DEAD_ACT_60S = 10
"""New dead letters in a minute from which on somebody should act."""
SILENT_PART = 1.5
"""Heartbeat intervals without a word after which a worker is called silent; it is given up after three."""
DISK_LOOK_PART = 2
"""Free bytes, as a multiple of those below which nothing is taken, that are too few to be at ease."""

RANKS = (
    "disk_full", "disk_low", "no_handler", "will_not_drain", "behind", "dead_rising", "worker_lost", "worker_silent",
    "slow", "worker_note", "paused_long", "disk_filling",
)  # fmt: skip
"""The codes of findings; of two that are equally urgent, the one that stands first here comes first."""
TELL_SLOTS, TELL_ERRORS = {"behind", "slow"}, {"dead_rising"}
"""The codes of verdicts whose sentences need the slots of workers, and the error of most dead letters."""


class Verdict(NamedTuple):
    """How a queue is. `code` is the finding that it makes, empty for none; `until_ms`: when time alone may change it,
    0 for never."""

    state: str
    severity: int
    code: str
    until_ms: int = 0


OK = Verdict("ok", Severity.OK, "")


def judge(
    ready: int,
    no_handler: int,
    oldest_at_ms: int,
    behind_since_ms: int,
    dead_60s: int,
    paused_at_ms: int,
    now_ms: int,
) -> Verdict:
    """How a queue is, in one word.

    Args:
        no_handler: of the ready tasks.
        oldest_at_ms: since when the first of them waits; 0 if there is none.
        behind_since_ms: see Rates.
        paused_at_ms: 0 if it is not paused.
    """
    if paused_at_ms:
        due_ms = paused_at_ms + PAUSED_MS
        if ready and now_ms >= due_ms:
            return Verdict("paused", Severity.LOOK, "paused_long")
        return Verdict("paused", Severity.OK, "", due_ms)
    if no_handler:
        due_ms = oldest_at_ms + NO_HANDLER_MS
        if now_ms >= due_ms:
            return Verdict("no_worker", Severity.ACT, "no_handler")
        return Verdict("ok", Severity.OK, "", due_ms)
    if behind_since_ms and now_ms - behind_since_ms >= BEHIND_MS:
        return Verdict("behind", Severity.ACT, "behind")
    if dead_60s:
        return Verdict("dead+", Severity.ACT if dead_60s >= DEAD_ACT_60S else Severity.LOOK, "dead_rising")
    if ready:
        due_ms = oldest_at_ms + SLOW_MS
        if now_ms >= due_ms:
            return Verdict("slow", Severity.LOOK, "slow")
        return Verdict("ok", Severity.OK, "", due_ms)
    return OK


class QueueContext(NamedTuple):
    """What the sentence about a queue needs besides its row."""

    name: str
    ready: int
    no_handler: int
    dead: int
    submitted_10s: int
    completed_10s: int
    dead_60s: int
    oldest_at_ms: int
    behind_since_ms: int
    paused_at_ms: int
    paused_by: str
    pause_reason: str
    slots: int  # of the workers that serve it
    busy: int  # of these slots
    missing: str  # a task type that nobody can run
    top_error: str  # of its dead letters


def queue_finding(context: QueueContext, verdict: Verdict, now_ms: int) -> Finding:
    """What is to be said of a queue that is not as it should be."""
    code, since_ms, name = verdict.code, 0, context.name
    match code:
        case "no_handler":
            since_ms = context.oldest_at_ms
            text = f"{context.no_handler:,} ready, no connected worker runs {context.missing}"
        case "behind":
            since_ms = context.behind_since_ms
            code, text = _behind(context, now_ms)
        case "dead_rising":
            what = f", {context.top_error}" if context.top_error else ""
            text = f"{context.dead:,} dead, +{context.dead_60s:,}/min{what}"
        case "slow":
            since_ms = context.oldest_at_ms
            text = f"{context.ready:,} ready, the first waits {_ago(since_ms, now_ms)}; {_slots(context)}"
        case _:
            since_ms = context.paused_at_ms
            by = f" by {context.paused_by}" if context.paused_by else ""
            why = f": {context.pause_reason}" if context.pause_reason else ""
            text = f"paused for {_ago(since_ms, now_ms)}{by}, {context.ready:,} ready{why}"
    scope = Scope(ScopeKind.QUEUE, name).text
    return Finding(severity=verdict.severity, code=code, scope=scope, name=name, text=text, since_ms=since_ms)


def _behind(context: QueueContext, now_ms: int) -> tuple[str, str]:
    rates = f"in {_per_second(context.submitted_10s)} > out {_per_second(context.completed_10s)}"
    text = f"{rates} for {_ago(context.behind_since_ms, now_ms)}, {context.ready:,} ready; {_slots(context)}"
    if context.busy >= context.slots:
        return "will_not_drain", f"{text}: will not drain"
    return "behind", text


def _slots(context: QueueContext) -> str:
    if not context.slots:
        return "no worker serves it"
    if context.busy >= context.slots:
        return f"all {context.slots:,} slots busy"
    return f"{context.busy:,} of {context.slots:,} slots busy"


def _per_second(count_10s: int) -> str:
    return f"{count_10s / 10:,.1f}/s" if count_10s < 1_000 else f"{count_10s // 10:,}/s"


def _ago(since_ms: int, now_ms: int) -> str:
    """In whole seconds, from a minute on in whole minutes: a sentence that changes is sent to all who watch."""
    length_ms = max(0, now_ms - since_ms)
    step_ms = 1_000 if length_ms < 60_000 else 60_000
    return format_ms(length_ms // step_ms * step_ms)


class WorkerFacts(NamedTuple):
    """What a worker is judged by. `lost_at_ms`: when it is given up if nothing is heard."""

    name: str
    incarnation: bytes
    is_connected: bool
    seen_at_ms: int
    lost_at_ms: int
    leases: int
    note: str


def silent_before_ms(heartbeat_ms: int, now_ms: int) -> float:
    """A worker that was last heard of before this was not heard of for longer than is usual."""
    return now_ms - SILENT_PART * heartbeat_ms


def worker_finding(facts: WorkerFacts, heartbeat_ms: int, now_ms: int) -> Finding | None:
    """What is to be said of a worker; None: all is well with it."""
    left = _ago(now_ms, max(now_ms, facts.lost_at_ms))
    holds = f"holds {facts.leases:,} lease{'' if facts.leases == 1 else 's'}"
    if not facts.is_connected:
        code, severity, since_ms = "worker_lost", Severity.ACT, facts.seen_at_ms
        text = f"its connection ended, {holds}; given up in {left}"
    elif facts.seen_at_ms < silent_before_ms(heartbeat_ms, now_ms):
        code, severity, since_ms = "worker_silent", Severity.LOOK, facts.seen_at_ms
        text = f"not heard of for {_ago(since_ms, now_ms)}, {holds}; given up in {left}"
    elif facts.note:
        code, severity, since_ms, text = "worker_note", Severity.LOOK, 0, facts.note
    else:
        return None
    return Finding(
        severity=severity, code=code, scope=str(ScopeKind.WORKERS), name=facts.name, text=text, since_ms=since_ms
    )


def disk_finding(why_not_accepting: str, is_read_only: bool, free_bytes: int, bytes_min: int) -> Finding | None:
    """What is to be said of the disk; None: there is room.

    Args:
        why_not_accepting: the broker's own reason, empty if it takes everything.
        free_bytes: 0 where there is no disk.
    """
    room = f"{free_bytes >> 20:,} MiB free, the least is {bytes_min >> 20:,} MiB"
    if is_read_only:
        code, severity, text = "disk_full", Severity.ACT, f"{why_not_accepting}; {room}"
    elif why_not_accepting:
        code, severity, text = "disk_low", Severity.ACT, f"{why_not_accepting}; {room}"
    elif 0 < free_bytes < DISK_LOOK_PART * bytes_min:
        code, severity, text = "disk_filling", Severity.LOOK, room
    else:
        return None
    return Finding(severity=severity, code=code, scope=str(ScopeKind.TOTALS), name="disk", text=text)


def rank(finding: Finding) -> tuple[int, int, str]:
    """The order of findings: the most urgent first, then by what it is, then by name, so that they stand still."""
    return -finding.severity, RANKS.index(finding.code), finding.name
