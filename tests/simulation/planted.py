# ruff: noqa: E501 - lines of code, quoted as they are
"""Bugs to plant into the engine, one at a time, to see whether the tests would notice: each is a mistake that somebody
could make in good faith. `old` must occur exactly once in its file."""

from typing import NamedTuple


class Bug(NamedTuple):
    """A replacement in a file of tq/engine."""

    name: str
    file: str
    old: str
    new: str


BUGS = [
    # Leases and tokens
    Bug(
        "ack ignores the token",
        "settling.py",
        "        if lease is None or lease.token != success.token:",
        "        if lease is None:",
    ),
    Bug(
        "nack ignores the token",
        "settling.py",
        "        if lease is None or lease.token != failure.token:",
        "        if lease is None:",
    ),
    Bug(
        "release and extend ignore the token",
        "settling.py",
        "        if lease is None or lease.token != ref.token:",
        "        if lease is None:",
    ),
    Bug("tokens are not counted on", "dispatching.py", "    meta.next_token = token + 1\n", ""),
    Bug(
        "a dropped lease stays with its worker",
        "ledger.py",
        "        lease.worker.leases.pop(lease.id, None)\n",
        "",
    ),
    Bug(
        "a dropped lease stays on disk",
        "ledger.py",
        "        self.changes.tables[Table.LEASES][lease.id] = None\n",
        "",
    ),
    Bug("a dropped lease stays counted", "ledger.py", "        queue.row.in_progress -= 1\n", ""),
    Bug(
        "a returning worker keeps what it does not hold",
        "presence.py",
        "        if held.get(lease.id) != lease.token:",
        "        if False:",
    ),
    Bug(
        "a returning worker keeps a lease of another token",
        "presence.py",
        "        if held.get(lease.id) != lease.token:",
        "        if lease.id not in held:",
    ),
    Bug(
        "a takeover keeps the old session",
        "presence.py",
        "the new one takes over.\n        ledger.sessions.pop(worker.session, None)\n",
        "the new one takes over.\n        pass\n",
    ),
    Bug(
        "two workers on one connection",
        "presence.py",
        "    if known is not None and known.hello.incarnation != hello.incarnation:",
        "    if False:",
    ),
    Bug(
        "a lost worker never gets its deadline",
        "presence.py",
        "    worker.deadline_ms = now_ms + ledger.settings.broker.reconnect_grace_ms\n    _check_by(ledger, worker.deadline_ms)\n\n",
        "    worker.deadline_ms = now_ms + ledger.settings.broker.reconnect_grace_ms\n\n",
    ),
    Bug(
        "the grace ends one ms late",
        "presence.py",
        "if worker.lost_at_ms(interval_ms) <= now_ms]",
        "if worker.lost_at_ms(interval_ms) < now_ms]",
    ),
    Bug(
        "every task of a dead worker counts a crash",
        "presence.py",
        "        if running is None or lease.id in running:",
        "        if True:",
    ),
    Bug("an extension is forgotten by a restart", "settling.py", "        ledger.rewrite_lease(lease)\n", ""),
    Bug(
        "an overrun is never noticed",
        "presence.py",
        "if 0 < lease.deadline_ms < now_ms]",
        "if 0 < lease.deadline_ms < 0]",
    ),
    Bug(
        "a draining worker still takes tasks",
        "dispatching.py",
        "    if worker.is_draining or worker.profile is None:",
        "    if worker.profile is None:",
    ),
    Bug("workers are lost while the broker sleeps", "presence.py", "    if slept_ms <= SLEEP_MS:", "    if True:"),
    Bug(
        "tasks overrun while the broker sleeps",
        "presence.py",
        "            if lease.deadline_ms:\n",
        "            if False:\n",
    ),
    Bug("a broker under load excuses silence", "presence.py", "SLEEP_MS = 5_000", "SLEEP_MS = 0"),
    # Attempts and ends
    Bug(
        "one retry too many",
        "settling.py",
        "lease.attempt > record.stored.spec.max_retries:",
        "lease.attempt > record.stored.spec.max_retries + 1:",
    ),
    Bug(
        "a final failure is retried",
        "settling.py",
        "    elif failure.is_final or lease.attempt",
        "    elif lease.attempt",
    ),
    Bug(
        "a crash uses an attempt",
        "settling.py",
        "Ready(lease.id, lease.sequence, lease.attempt - 1,",
        "Ready(lease.id, lease.sequence, lease.attempt,",
    ),
    Bug(
        "one crash too many",
        "settling.py",
        "    elif crashes >= record.options.max_crashes:",
        "    elif crashes > record.options.max_crashes:",
    ),
    Bug("a crash is not counted", "settling.py", "    lease.lane.queue.row.crashed_total += 1\n", ""),
    Bug(
        "a cancelled task that fails is retried",
        "settling.py",
        "    record.state = _after_attempt(record.state, lease, attempt)\n    if lease.cancel_reason is not None:",
        "    record.state = _after_attempt(record.state, lease, attempt)\n    if False:",
    ),
    Bug(
        "a cancelled task that is snoozed runs again",
        "settling.py",
        "        if request.delay_ms and lease.cancel_reason is None:",
        "        if request.delay_ms:",
    ),
    Bug(
        "completing forgets the history",
        "settling.py",
        "        past = _past(ledger, lease) if lease.has_state else None",
        "        past = None",
    ),
    Bug("a history grows without end", "ledger.py", "    if len(history) >= HISTORY_MAX:", "    if False:"),
    Bug(
        "backoff counts from the lease",
        "settling.py",
        "State.FAILED, now_ms + min(delay_ms, DURATION_MS_MAX))",
        "State.FAILED, lease.leased_at_ms + min(delay_ms, DURATION_MS_MAX))",
    ),
    Bug(
        "a result stays for ever", "settling.py", "        ledger.put_due(DueKind.REMOVE, remove_at_ms, lease.id)\n", ""
    ),
    Bug(
        "waits are not answered by an ack",
        "settling.py",
        "            ledger.outbox += waiters.answer(lease.id, state)\n",
        "            pass\n",
    ),
    Bug(
        "waits are not answered by a dead letter",
        "ledger.py",
        "            self.outbox += self.waiters.answer(record.id, ended)\n",
        "            pass\n",
    ),
    # Submitting
    Bug(
        "a repeated id is taken again",
        "submitting.py",
        "        elif get(Table.BODIES, task_id) is not None:",
        "        elif False:",
    ),
    Bug(
        "the highest id is not kept",
        "submitting.py",
        "            meta.last_id = task_id  #",
        "            pass  #",
    ),
    Bug("the key row is lost", "submitting.py", "        ledger.changes.put(Table.KEYS, key, spec.id)\n", ""),
    Bug(
        "the key outlives its task",
        "ledger.py",
        "            self.changes.delete(Table.KEYS, idempotency_key(queue, key))\n",
        "            pass\n",
    ),
    Bug(
        "a key counts in all queues",
        "ledger.py",
        "    return U32.pack(queue.number) + key.encode()",
        "    return U32.pack(0) + key.encode()",
    ),
    Bug(
        "a bad task is found half way",
        "submitting.py",
        "            raise _wrong_field(index, spec)",
        "            pass",
    ),
    Bug(
        "the depth is off by one",
        "submitting.py",
        "        if waiting + count > threshold:",
        "        if waiting + count > threshold + 1:",
    ),
    Bug(
        "an expiry is not watched",
        "submitting.py",
        "        ledger.put_due(DueKind.EXPIRE, expires_at_ms, spec.id)\n",
        "        pass\n",
    ),
    Bug(
        "the earlier of delay and eta holds",
        "submitting.py",
        "    due_ms = max(now_ms + options.delay_ms, options.eta_ms or 0)",
        "    due_ms = min(now_ms + options.delay_ms, options.eta_ms or 1 << 60)",
    ),
    # Lanes
    Bug(
        "a refill skips a row",
        "lanes.py",
        "start, end = self.key(self.window_end + 1), READY_KEY",
        "start, end = self.key(self.window_end + 2), READY_KEY",
    ),
    Bug(
        "a new task enters a window that is not all",
        "lanes.py",
        "            if not is_window_complete or len(window)",
        "            if len(window)",
    ),
    Bug("what left the middle is delivered", "lanes.py", "        gone.add(sequence)\n", ""),
    Bug(
        "handed back tasks go to the end",
        "lanes.py",
        "            insort(window, ready, key=sequence_of)\n",
        "            window.append(ready)\n",
    ),
    Bug(
        "a shortened window forgets where it ends",
        "lanes.py",
        "        self.window_end = self.window[-1].sequence\n",
        "",
    ),
    Bug(
        "bodies are never given back",
        "lanes.py",
        "            self.budget.used -= len(ready.body)",
        "            self.budget.used -= 0",
    ),
    Bug("the low-water mark is not kept", "ledger.py", "            lane.row.low_water = lane.low_water\n", ""),
    Bug(
        "the low-water mark runs ahead",
        "lanes.py",
        "        return self.window[0].sequence if self.window else self.window_end + 1",
        "        return self.window_end + 1",
    ),
    Bug("a taken task's ready row stays", "ledger.py", "            rows[key] = None\n", "            pass\n"),
    Bug(
        "the ready count is off",
        "ledger.py",
        "        lane.remove(sequence)\n",
        "        lane.remove(sequence)\n        lane.row.ready += 1\n",
    ),
    # Dispatch
    Bug("the guard is off by one", "dispatching.py", "STARVATION_GUARD = 16", "STARVATION_GUARD = 17"),
    Bug(
        "the middle tier starves",
        "dispatching.py",
        "    if passed_over[Tier.NORMAL] >= STARVATION_GUARD - 1:",
        "    if False:",
    ),
    Bug(
        "tiers upside down",
        "dispatching.py",
        "    return (0, 2, 1) if is_low_owed else (2, 1, 0)",
        "    return (0, 2, 1) if is_low_owed else (1, 2, 0)",
    ),
    Bug(
        "types of a tier are not in order",
        "dispatching.py",
        "min(heads, key=lambda pair: pair[0])",
        "max(heads, key=lambda pair: pair[0])",
    ),
    Bug(
        "a paused queue is dispatched from",
        "ledger.py",
        "        if queue.row.is_paused or not any(queue.ready):",
        "        if not any(queue.ready):",
    ),
    Bug(
        "credit is not used up",
        "dispatching.py",
        "        worker.credit -= got\n",
        "        worker.credit -= got - (got > 1)\n",
    ),
    Bug(
        "all queues are served",
        "workers.py",
        "        return self.serves_all or queue.row.name in self.priorities",
        "        return True",
    ),
    Bug(
        "queues of equal priority take no turns",
        "dispatching.py",
        "        queue.served = ledger.turn = ledger.turn + 1\n",
        "",
    ),
    Bug(
        "a queue that had nothing for a worker stays so",
        "ledger.py",
        "            queue.filled += 1\n",
        "            pass\n",
    ),
    # Time
    Bug(
        "what is due is handled again and again",
        "sweeping.py",
        "            ledger.changes.delete(Table.DUE, key)\n",
        "",
    ),
    Bug(
        "a sweep says that it is done when it is not",
        "sweeping.py",
        "        has_more = has_more or len(rows) == sweep_max\n",
        "",
    ),
    Bug(
        "an earlier row is not seen below the mark",
        "ledger.py",
        "            self.due_floors[kind] = when_ms\n",
        "            pass\n",
    ),
    Bug(
        "an earlier deadline is not seen", "ledger.py", "            self.next_due_ms = when_ms\n", "            pass\n"
    ),
    Bug(
        "a cancelled task is still due",
        "ledger.py",
        "        self.changes.tables[Table.DUE][DUE_KEY.pack(kind, when_ms, task_id)] = None\n",
        "        pass\n",
    ),
    Bug(
        "a task that waits again never expires",
        "settling.py",
        "    if expires_at_ms > lease.ready_at_ms:",
        "    if False:",
    ),
    Bug(
        "an expiry outlives its task",
        "ledger.py",
        "            self.delete_due(DueKind.EXPIRE, record.stored.expires_at_ms, record.id)\n",
        "            pass\n",
    ),
    Bug(
        "a wait times out late",
        "waiters.py",
        "self._deadlines[0].deadline_ms <= now_ms)",
        "self._deadlines[0].deadline_ms < now_ms)",
    ),
    Bug("waits of a closed connection are kept", "presence.py", "    ledger.waiters.disconnect(session)\n", ""),
    # Operators
    Bug("a dead letter keeps its count", "ledger.py", "                row.dead -= 1\n", ""),
    Bug(
        "a retried dead letter stays listed",
        "ledger.py",
        "                self.changes.delete(Table.DEAD, DEAD_KEY.pack(lane.queue.number, state.ended_at_ms, record.id))\n",
        "",
    ),
    Bug("a retry keeps the used attempts", "operations/moving.py", "        attempt=0,\n", ""),
    Bug("a cancel of a running task is not kept", "operating.py", "    ledger.rewrite_lease(lease)\n", ""),
    Bug("an operation ends after its first slice", "operations/running.py", "        row.cursor = part.cursor\n", ""),
    Bug("an operation takes what came after it", "operations/members.py", "record.moved >= frozen.as_of or ", ""),
    Bug("an undo takes what has moved on", "operations/moving.py", "        and record.moved == moved.moved\n", ""),
    Bug("an undo makes tasks immortal", "operations/moving.py", "    if moved.is_expiring:\n", "    if False:\n"),
    Bug(
        "a place that comes back is still gone",
        "lanes.py",
        "            self.gone.discard(ready.sequence)\n            return\n",
        "            return\n",
    ),
    Bug(
        "an undo forgets the used attempts",
        "operations/moving.py",
        "msgspec.structs.replace(moved.state, history",
        "msgspec.structs.replace(now, history",
    ),
    Bug(
        "lineage is lost",
        "operating.py",
        "    if not reply.existing:\n        ledger.annotate",
        "    if False:\n        ledger.annotate",
    ),
    # Failure groups
    Bug("a dead letter that left is still in its group", "grouping.py", "        group.count -= 1\n", ""),
    Bug(
        "a dead letter that left is still in the index of its group",
        "grouping.py",
        "            index[key] = None\n",
        "            pass\n",
    ),
    Bug("a retry keeps the group", "operations/moving.py", '        group=b"",\n', ""),
    Bug("a purged dead letter keeps its group", "ledger.py", "            group=group,\n", ""),
    Bug(
        "the count of a queue in a group is not written",
        "grouping.py",
        "        self._touched_counts[group.id, queue] = group\n",
        "        pass\n",
    ),
    Bug(
        "a group that made room comes back from the disk",
        "grouping.py",
        "        self._changes.delete(Table.GROUPS, oldest)\n",
        "",
    ),
    Bug(
        "groups with dead letters are forgotten",
        "grouping.py",
        "(group_id for group_id in self._empty if group_id != OTHER_GROUP)",
        "(group_id for group_id in self.by_id if group_id != OTHER_GROUP)",
    ),
    Bug(
        "there are as many groups as errors",
        "grouping.py",
        " < self._bounds.groups_max:",
        " >= 0:",
    ),
    Bug(
        "one error type may take all groups",
        "grouping.py",
        " < self._bounds.groups_per_type_max:",
        " >= 0:",
    ),
    Bug(
        "a restarted broker takes all groups for groups with dead letters",
        "grouping.py",
        "        self._empty = {group.id for group in self.by_id.values() if not group.count}\n",
        "",
    ),
    # Batches
    Bug(
        "touched queues are not written",
        "ledger.py",
        "            put(Table.QUEUES, U32.pack(number), encode(queue.row))\n",
        "            pass\n",
    ),
    Bug(
        "the batch's first sequence is not moved on",
        "ledger.py",
        "            self._batch_sequence = self.meta.next_sequence\n",
        "",
    ),
    Bug(
        "reads do not see the batch", "changes.py", "        if key in pending:\n            return pending[key]\n", ""
    ),
    Bug(
        "ranges do not see what the batch deleted",
        "changes.py",
        "        rows = [row for row in stored if row[0] not in pending]",
        "        rows = list(stored)",
    ),
    Bug(
        "a page of tasks does not say where to go on",
        "selecting.py",
        "                return ScanStep(found, _cursor(segment.rank, place), examined)",
        '                return ScanStep(found, b"", examined)',
    ),
]
