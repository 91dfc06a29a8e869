"""Measure the store with a deep backlog: intake, memory, disk, time of a restart, `tq doctor`, backup, draining.

    python tools/measure_storage.py --tasks 10_000_000 --directory /tmp/tq-measure

Each batch of 1,000 tasks is what the broker writes for a bulk submit: a body of about 300 bytes (200 of payload), a
ready row, the engine's counters. It is applied on this thread and synced on another while the next one is built, as the
broker does it. The restart is after kill -9: a child ingests, is killed, and its directory is opened again.
"""

import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec
import psutil

from tq.engine.tables import (
    META_ENGINE,
    READY_KEY,
    READY_ROW,
    U32,
    LaneRow,
    MetaRow,
    QueueRow,
    Table,
    Writes,
)
from tq.model.ids import make_id
from tq.model.task import StoredTask, TaskSpec, Tier
from tq.storage.doctor import examine_directory
from tq.storage.rocks import RocksStore
from tq.storage.rows import no_writes

BATCH = 1_000
PAYLOAD = 200
encode = msgspec.msgpack.Encoder().encode


def submit_batches(count: int, first_ms: int) -> Iterator[Writes]:
    """Ids advance as those of many clients do: within a millisecond in any order. Payloads do not compress well."""
    payloads = [os.urandom(PAYLOAD // 2) + bytes(PAYLOAD // 2) for _ in range(64)]
    sequence = 1
    while sequence <= count:
        writes = no_writes()
        random = os.urandom(10 * BATCH)
        for index in range(min(BATCH, count - sequence + 1)):
            task_id = make_id(first_ms + sequence // 100, random[index * 10 : index * 10 + 10])
            spec = TaskSpec(task_id, "send_email", payloads[index % 64], "mail")
            writes[Table.BODIES][task_id] = encode(StoredTask(first_ms, sequence, 0, 0, spec))
            writes[Table.READY][READY_KEY.pack(1, sequence)] = READY_ROW.pack(task_id, 0, 0, first_ms)
            sequence += 1
        ready = sequence - 1
        writes[Table.QUEUES][U32.pack(1)] = encode(QueueRow("mail", submitted_total=ready))
        writes[Table.LANES][U32.pack(1)] = encode(LaneRow(1, "send_email", int(Tier.NORMAL), ready=ready))
        writes[Table.META][META_ENGINE] = encode(MetaRow(sequence // BATCH, sequence, 1, 2, 2))
        yield writes


def drain_batches(store: RocksStore, count: int) -> Iterator[Writes]:
    """The oldest thousand, read from the last one on, then deleted: the two turns of a lease and an ack in one."""
    start = READY_KEY.pack(1, 0)
    while count > 0 and (rows := store.range(Table.READY, start, READY_KEY.pack(2, 0), BATCH)):
        writes = no_writes()
        for key, row in rows:
            task_id = READY_ROW.unpack(row)[0]
            if store.get(Table.BODIES, task_id) is None:
                raise SystemExit("a body is missing")
            writes[Table.READY][key] = None
            writes[Table.BODIES][task_id] = None
        start = rows[-1][0] + b"\0"
        count -= len(rows)
        yield writes


def pump(store: RocksStore, batches: Iterator[Writes], name: str) -> None:
    """Apply and sync as the broker does, and say what it took."""
    started, cpu_started, done = time.perf_counter(), time.process_time(), 0
    apply_s = worst_s = 0.0
    reported = started
    syncing: Future[None] | None = None
    with ThreadPoolExecutor(1) as committer:
        for writes in batches:
            before = time.perf_counter()
            store.apply(writes)
            took = time.perf_counter() - before
            apply_s, worst_s = apply_s + took, max(worst_s, took)
            if syncing is not None:
                syncing.result()
            syncing = committer.submit(store.sync)
            done += len(writes[Table.BODIES])
            if time.perf_counter() - reported > 5:
                reported = time.perf_counter()
                say(f"  {name} {done:>12,}  {done / (reported - started):>9,.0f}/s  rss {rss_mb()} MB")
        if syncing is not None:
            syncing.result()
    took = time.perf_counter() - started
    say(
        f"{name}: {done:,} tasks in {took:.1f} s = {done / took:,.0f}/s; apply {apply_s / max(done, 1) * 1e6:.2f} us a "
        f"task, worst batch {worst_s * 1e3:.0f} ms; cpu {(time.process_time() - cpu_started) / took:.2f} cores; "
        f"rss {rss_mb()} MB, peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB"
    )


def rss_mb() -> int:
    """Resident memory of this process."""
    return int(psutil.Process().memory_info().rss) >> 20


def disk_mb(directory: Path) -> int:
    """Size of all files of a directory."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file()) >> 20


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def fill(directory: Path, tasks: int) -> None:
    """The child: ingest, then die without closing."""
    store = RocksStore.open(directory)
    pump(store, submit_batches(tasks, int(time.time() * 1000)), "fill")
    os.kill(os.getpid(), signal.SIGKILL)


def reopen(directory: Path, how: str) -> RocksStore:
    """Open, and read the first thousand ready tasks: then the broker serves."""
    started = time.perf_counter()
    store = RocksStore.open(directory)
    store.range(Table.READY, READY_KEY.pack(1, 0), READY_KEY.pack(2, 0), BATCH)
    say(f"open after {how}: {time.perf_counter() - started:.2f} s, rss {rss_mb()} MB, disk {disk_mb(directory)} MB")
    return store


def examine(directory: Path, tasks: int) -> None:
    """`tq doctor` on what was written, which it must find right."""
    started = time.perf_counter()
    findings = sum(1 for _ in examine_directory(directory))
    took = time.perf_counter() - started
    say(f"doctor: {findings} findings in {took:.1f} s = {tasks / took:,.0f} tasks/s; rss {rss_mb()} MB")


def copy(store: RocksStore, target: Path) -> None:
    """A backup on a thread of its own, while this one applies and counts how long it is kept waiting."""
    shutil.rmtree(target, ignore_errors=True)
    started, worst_s = time.perf_counter(), 0.0
    with ThreadPoolExecutor(1) as pool:
        backup = pool.submit(store.backup, target)
        while not backup.done():
            before = time.perf_counter()
            store.apply([{b"measure": b""} if table is Table.DEAD else {} for table in Table])
            time.sleep(0.001)
            worst_s = max(worst_s, time.perf_counter() - before - 0.001)
    size_mb = backup.result().size >> 20
    say(f"backup: {size_mb} MB in {time.perf_counter() - started:.1f} s; worst wait of a batch {worst_s * 1e3:.0f} ms")
    shutil.rmtree(target)


def main() -> None:
    """See the top."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=10_000_000)
    parser.add_argument("--drain", type=int, default=1_000_000, help="tasks to drain at the end")
    parser.add_argument("--directory", type=Path, required=True, help="made anew, removed at the end")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        fill(options.directory, options.tasks)
    shutil.rmtree(options.directory, ignore_errors=True)
    command = [sys.executable, __file__, "--child", f"--tasks={options.tasks}", f"--directory={options.directory}"]
    subprocess.run(command, check=False)  # noqa: S603  our own file
    store = reopen(options.directory, "kill -9")
    store.close()
    examine(options.directory, options.tasks)
    store = reopen(options.directory, "close")
    copy(store, options.directory.with_name(options.directory.name + "-backup"))
    pump(store, drain_batches(store, options.drain), "drain")
    store.close()
    shutil.rmtree(options.directory)


if __name__ == "__main__":
    main()
