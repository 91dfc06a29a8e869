"""What was said to those outside, kept outside: the ledger that a broker is held to after each kill.

Every rule is checked at the moment that what breaks it is seen; `audit` checks what is left in the end. The ledger
knows nothing of the engine: only what docs/protocol.md promises.
"""

import os
from collections import Counter
from pathlib import Path

import msgspec

from tq.model.ids import format_id
from tq.model.task import State, TaskSpec, TaskView


class Entry(msgspec.Struct, gc=False):
    """One task, as seen from outside. A token of 0: none."""

    key: str | None
    can_expire: bool
    is_acknowledged: bool = False  # the submit was answered
    tokens: list[int] = []  # of its deliveries, in order
    acked: set[int] = set()  # tokens with which it was reported done
    completed: int = 0  # the token whose ack was answered as settled
    bury_asked: bool = False  # it was reported as failed for good
    buried: int = 0  # the token whose final nack was answered as settled
    may_retry: bool = False  # somebody asked for a retry of this dead letter
    retries_unanswered: int = 0
    cancel_asked: bool = False
    cancelled_in: int = 0  # the boot that answered that it is cancelled


class Ledger:
    """Append-only, on disk for the sake of whoever looks into a failure; in memory for the checks.

    Attributes:
        violations: what the broker did and must not.
        boot: the number of the broker process that is talked to.
    """

    def __init__(self, path: Path) -> None:
        self.entries: dict[bytes, Entry] = {}
        self.owners: dict[str, bytes] = {}
        self.open: set[bytes] = set()  # acknowledged and not known to have ended
        self.dead: set[bytes] = set()
        self.settled: list[tuple[bytes, int]] = []
        self.superseded: list[tuple[bytes, int]] = []  # tokens after which another was given
        self.recent: list[bytes] = []
        self.violations: list[str] = []
        self.counts: Counter[str] = Counter()
        self.boot = 0
        self._token_max = 0
        self._token_floor = 0  # the highest that an earlier boot gave
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def sync(self) -> None:
        """Put on disk what was said until now."""
        os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)

    def start_boot(self) -> None:
        """Another broker process answers from here on."""
        self.boot += 1
        self._token_floor = self._token_max
        self._write("boot", b"", self.boot)

    # What happens

    def intend(self, spec: TaskSpec) -> None:
        """This task is about to be submitted, and may exist from now on."""
        options = spec.options
        # A key counts within its queue.
        key = f"{spec.queue}/{options.key}" if options is not None and options.key is not None else None
        can_expire = options is not None and options.expires_ms is not None
        self.entries[spec.id] = Entry(key, can_expire, tokens=[], acked=set())

    def submitted(self, specs: list[TaskSpec], existing: dict[int, bytes]) -> None:
        """A submit was answered."""
        for index, spec in enumerate(specs):
            task_id = existing.get(index, spec.id)
            entry = self.entries.get(task_id)
            if entry is None:
                self._blame("an unknown task is said to exist", task_id)
                continue
            own = self.entries[spec.id]
            if task_id != spec.id and own.key is None:
                self._blame("a submit without a key was answered with another task", spec.id)
            if own.key is not None and self.owners.setdefault(own.key, task_id) != task_id:
                self._blame(f"key {own.key} has two tasks", task_id)
            self._write("submitted", task_id, 0)
            if not entry.is_acknowledged:
                entry.is_acknowledged = True
                self.counts["submits acknowledged"] += 1
                self.recent.append(task_id)
                if not (entry.tokens or entry.cancelled_in or entry.can_expire):
                    self.open.add(task_id)

    def delivered(self, task_id: bytes, token: int, boot: int) -> int:
        """A worker was given this task; how often it was by now."""
        entry = self.entries.get(task_id)
        if entry is None:
            self._blame("an unknown task was delivered", task_id)
            return 1
        self.counts["deliveries"] += 1
        if entry.tokens:
            self.counts["deliveries repeated"] += 1
            self.superseded.append((task_id, entry.tokens[-1]))
            if token <= entry.tokens[-1]:
                self._blame(f"token {token} after {entry.tokens[-1]}", task_id)
        if boot == self.boot and token <= self._token_floor:
            self._blame(f"token {token} is not above {self._token_floor} of the boot before", task_id)
        self._token_max = max(self._token_max, token)
        if entry.completed and token > entry.completed:
            self._blame(f"ran again under token {token}, completed under {entry.completed}", task_id)
        if entry.buried and token > entry.buried and not entry.may_retry:
            self._blame(f"ran again under token {token}, a dead letter since {entry.buried}", task_id)
        if entry.cancelled_in and boot > entry.cancelled_in:
            self._blame(f"ran again in boot {boot}, cancelled in boot {entry.cancelled_in}", task_id)
        entry.tokens.append(token)
        if not entry.can_expire:
            self.open.add(task_id)
        return len(entry.tokens)

    def will_ack(self, task_id: bytes, token: int) -> None:
        """A worker is about to report it done."""
        self.entries[task_id].acked.add(token)

    def acked(self, task_id: bytes, token: int, *, is_settled: bool) -> None:
        """That was answered."""
        entry = self.entries[task_id]
        self.open.discard(task_id)
        if not is_settled:
            self.counts["acks refused"] += 1
            return
        self.counts["acks acknowledged"] += 1
        self._write("completed", task_id, token)
        if entry.completed:
            self._blame(f"settled under {token}, completed under {entry.completed} before", task_id)
        if entry.tokens[-1] > token:
            self._blame(f"token {token} was taken though {entry.tokens[-1]} had been given", task_id)
        entry.completed = token
        self.settled.append((task_id, token))

    def will_bury(self, task_id: bytes) -> None:
        """A worker is about to report it as failed for good."""
        self.entries[task_id].bury_asked = True

    def failed(self, task_id: bytes, token: int, *, is_final: bool, is_settled: bool) -> None:
        """A nack was answered."""
        entry = self.entries[task_id]
        if not is_settled:
            self.counts["nacks refused"] += 1
            self.open.discard(task_id)
            return
        self.counts["nacks acknowledged"] += 1
        self._write("buried" if is_final else "failed", task_id, token)
        if entry.completed:
            self._blame(f"failed under {token}, completed under {entry.completed} before", task_id)
        if is_final and not entry.cancel_asked:
            entry.buried, entry.may_retry = token, entry.retries_unanswered > 0
            self.dead.add(task_id)
            self.open.discard(task_id)

    def repeated(self, task_id: bytes, token: int, *, is_settled: bool) -> None:
        """A report that had been answered was made again, and this answered."""
        self.counts["old tokens tried"] += 1
        if is_settled:
            self._blame(f"token {token} settled it twice", task_id)

    def will_retry(self, task_id: bytes) -> None:
        """Somebody is about to ask for a retry of a dead letter."""
        self.dead.discard(task_id)
        entry = self.entries[task_id]
        entry.may_retry = True
        entry.retries_unanswered += 1

    def retried(self, task_id: bytes) -> None:
        """That was answered."""
        self.counts["retries acknowledged"] += 1
        self.entries[task_id].retries_unanswered -= 1

    def will_cancel(self, task_id: bytes) -> bool:
        """Somebody is about to cancel it; whether it had been completed before."""
        entry = self.entries[task_id]
        entry.cancel_asked = True
        return entry.completed != 0

    def cancelled(self, task_id: bytes, *, was_completed: bool) -> None:
        """That was answered: one task was cancelled, or asked to stop."""
        self.counts["cancels acknowledged"] += 1
        self._write("cancelled", task_id, self.boot)
        if was_completed:
            self._blame("cancelled after it was completed", task_id)
        entry = self.entries[task_id]
        entry.cancelled_in = entry.cancelled_in or self.boot
        self.open.discard(task_id)

    def missing(self, task_id: bytes) -> None:
        """The broker says that there is no such task."""
        if self.entries[task_id].is_acknowledged:
            self._blame("an acknowledged task is gone", task_id)

    def check_view(self, view: TaskView, completed: int) -> None:
        """What the broker says of a task.

        Args:
            completed: the token under which it was known to be completed when the broker was asked.
        """
        entry = self.entries[view.id]
        if completed and (view.state is not State.COMPLETED or view.result != b"%d" % completed):
            self._blame(f"completed under {completed}, and now {view.state} with {view.result!r}", view.id)
        if view.state is State.COMPLETED and int(view.result) not in entry.acked:
            self._blame(f"completed under {view.result!r}, with which nobody reported it", view.id)

    def audit(self, found: dict[bytes, TaskView], totals: Counter[str]) -> None:
        """When nothing is left to run: all that the broker has, and its counters of a whole life."""
        for task_id, entry in self.entries.items():
            view = found.get(task_id)
            if view is None:
                owner = self.owners.get(entry.key) if entry.key is not None else None
                if entry.is_acknowledged or (owner is None and entry.tokens):
                    self._blame("an acknowledged task is gone", task_id)
                continue
            self.check_view(view, entry.completed)
            if not view.state.is_final:
                self._blame(f"still {view.state} when all was done", task_id)
            elif view.state is State.CANCELLED and not (
                entry.cancel_asked or (entry.can_expire and view.reason == "expired")
            ):
                self._blame(f"cancelled ({view.reason}) though nobody asked", task_id)
            elif view.state is State.DEAD_LETTER and not (
                # Its workers may have died before they read the deliveries of which this counts the crashes.
                entry.bury_asked or (view.reason.startswith("quarantined") and view.crashes == view.max_crashes)
            ):
                self._blame(f"a dead letter ({view.reason}) that nobody buried", task_id)
        for task_id in found.keys() - self.entries.keys():
            self._blame("there is a task that nobody submitted", task_id)
        states = Counter(str(view.state) for view in found.values())
        self.counts["tasks"] += len(found)
        self.counts["tasks completed"] += states["completed"]
        for name, counted in (
            ("submitted_total", len(found)),
            ("completed_total", states["completed"]),
            ("cancelled_total", states["cancelled"]),
        ):
            if totals[name] != counted:
                self._blame(f"{name} is {totals[name]}; counted one by one it is {counted}", b"")

    def _blame(self, what: str, task_id: bytes) -> None:
        self.violations.append(f"boot {self.boot}: {format_id(task_id) if task_id else 'counters'}: {what}")

    def _write(self, what: str, task_id: bytes, number: int) -> None:
        os.write(self._file, f"{what} {task_id.hex()} {number}\n".encode())
