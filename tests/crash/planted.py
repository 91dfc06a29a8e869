"""Brokers with a defect put in on purpose: `python -m tests.crash.planted DEFECT broker ...`.

A siege that does not find these proves nothing.
"""

import sys
from collections.abc import Callable
from typing import Any

from rocksdict import WriteBatch, WriteOptions

from tq.cli.main import main
from tq.engine import presence, settling, submitting
from tq.engine.ledger import Ledger, idempotency_key
from tq.engine.queues import Queue
from tq.engine.tables import Table
from tq.engine.workers import Lease
from tq.model.commands import Ack
from tq.model.replies import Settled
from tq.storage.rocks import RocksStore


def replace(owner: object, name: str, by: object) -> None:
    setattr(owner, name, by)


class Unlogged:
    """A RocksDB whose log stays empty."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows
        self._options = WriteOptions()
        replace(self._options, "disable_wal", True)  # a property, whatever its stub says

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def write(self, batch: WriteBatch) -> None:
        self._rows.write(batch, self._options)


def writes_no_log() -> None:
    """What is answered is in memory alone."""
    opened = RocksStore.__init__

    def open_unlogged(self: RocksStore, directory: object, lock: object, database: Any, *rest: object) -> None:
        database._rows = Unlogged(database._rows)
        opened(self, directory, lock, database, *rest)  # type: ignore[arg-type]

    replace(RocksStore, "__init__", open_unlogged)


def takes_any_token() -> None:
    """Whoever reports a task that runs is believed."""
    ack = settling.ack

    def ack_any(ledger: Ledger, request: Ack, now_ms: int) -> Settled:
        for success in request.successes:
            lease = ledger.leases.get(success.task_id)
            if lease is not None:
                lease.token = success.token
        return ack(ledger, request, now_ms)

    replace(settling, "ack", ack_any)


def keeps_the_lease() -> None:
    """The row of a lease outlives its end, and a restart believes it."""
    drop = Ledger.drop_lease

    def drop_in_memory(self: Ledger, lease: Lease) -> None:
        drop(self, lease)
        del self.changes.tables[Table.LEASES][lease.id]

    replace(Ledger, "drop_lease", drop_in_memory)


def forgets_the_tokens() -> None:
    """A restart begins to count tokens anew."""
    load = Ledger._load

    def load_without(self: Ledger) -> None:
        load(self)
        self.meta.next_token = 1

    replace(Ledger, "_load", load_without)


def forgets_the_cancelling() -> None:
    """That a running task is to stop is not on disk."""
    replace(Ledger, "rewrite_lease", lambda self, lease: None)


def forgets_the_keys() -> None:
    """An idempotency key counts for a while only."""
    seen = 0

    def other_key(queue: Queue, key: str) -> bytes:
        nonlocal seen
        seen += 1
        return idempotency_key(queue, f"{key}{seen // 400}")

    replace(submitting, "idempotency_key", other_key)


def counts_wrong() -> None:
    """A cancelled task is counted twice."""
    leave = Ledger.leave

    def leave_twice(self: Ledger, record: object) -> None:
        leave(self, record)  # type: ignore[arg-type]
        for queue in self.queues.values():
            queue.row.cancelled_total += 1

    replace(Ledger, "leave", leave_twice)


def loses_what_is_held() -> None:
    """The leases of a worker that does not come back are forgotten with it."""
    replace(presence, "crash", lambda ledger, lease, *rest: ledger.drop_lease(lease))


def runs_the_cancelled() -> None:
    """A waiting task that is cancelled stays in its lane."""
    replace(Ledger, "remove_ready", lambda self, lane, sequence: None)


DEFECTS: tuple[Callable[[], None], ...] = (
    writes_no_log,
    takes_any_token,
    keeps_the_lease,
    forgets_the_tokens,
    forgets_the_cancelling,
    forgets_the_keys,
    counts_wrong,
    loses_what_is_held,
    runs_the_cancelled,
)

if __name__ == "__main__":
    {defect.__name__: defect for defect in DEFECTS}[sys.argv.pop(1)]()
    main()
