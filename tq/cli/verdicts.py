"""What `tq check` found: readings against limits, and how monitoring systems want to hear of them. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

from tq.cli.exits import Exit
from tq.cli.words import counted
from tq.model.durations import format_ms
from tq.model.errors import TqError
from tq.model.plain import plain
from tq.model.stats import ProcessStats, QueueStats, WorkerInfo

Shape = Literal["text", "nagios", "prometheus", "json"]
Target = Literal["queue", "broker", "workers"]

_UNITS = {"latency_ms": "ms", "commit_p99_us": "us", "disk_free_mb": "MB"}
"""Units of performance data, as https://nagios-plugins.org/doc/guidelines.html names them; others are counts."""
_WORDS = {Exit.OK: "OK", Exit.FAILED: "WARNING"}
"""What Nagios calls an exit code; every other one is UNKNOWN, for then nothing was measured."""
_GAUGES = (
    ("tq_check_ok", "1 if the reading is within its limit, else 0."),
    ("tq_check_value", "What was read."),
    ("tq_check_limit", "What is allowed."),
)


class Reading(NamedTuple):
    """One number against its limit, of which the unit is in the name.

    `subject` is the queue's name, empty for what there is one of. With `is_least`, the limit is what must be reached;
    else it must not be exceeded. `said` is the same in words.
    """

    target: Target
    subject: str
    name: str
    value: int
    limit: int
    said: str
    is_least: bool = False

    @property
    def is_ok(self) -> bool:
        """Whether the value is within the limit."""
        return self.value >= self.limit if self.is_least else self.value <= self.limit

    @property
    def of_what(self) -> str:
        """What was looked at, for people."""
        return f"{self.target} {self.subject}" if self.subject else self.target


def queue_readings(
    queue: QueueStats, *, latency_ms_max: int | None, dead_max: int | None, waiting_max: int | None
) -> list[Reading]:
    """A queue against the limits that are not None."""
    readings = []
    if latency_ms_max is not None:
        waits = f"the oldest ready task waits {format_ms(queue.oldest_ready_ms)}" if queue.ready else "no task is ready"
        said = f"{waits}, at most {format_ms(latency_ms_max)}"
        readings.append(Reading("queue", queue.name, "latency_ms", queue.oldest_ready_ms, latency_ms_max, said))
    if dead_max is not None:
        said = f"{counted(queue.dead, 'dead letter')}, at most {dead_max:,}"
        readings.append(Reading("queue", queue.name, "dead", queue.dead, dead_max, said))
    if waiting_max is not None:
        said = f"{counted(queue.waiting, 'waiting task')}, at most {waiting_max:,}"
        readings.append(Reading("queue", queue.name, "waiting", queue.waiting, waiting_max, said))
    return readings


def broker_readings(process: ProcessStats, *, commit_ms_max: int | None, disk_mb_min: int | None) -> list[Reading]:
    """The broker process: whether it takes tasks, and what else has a limit."""
    is_accepting = process.is_accepting
    said = "accepts tasks" if is_accepting else f"accepts no tasks: {process.why_not_accepting}"
    readings = [Reading("broker", "", "accepting", int(is_accepting), 1, said, is_least=True)]
    if commit_ms_max is not None:
        said = f"99 of 100 commits take up to {process.commit_us_p99 / 1000:.1f} ms, at most {commit_ms_max} ms"
        readings.append(Reading("broker", "", "commit_p99_us", process.commit_us_p99, commit_ms_max * 1_000, said))
    if disk_mb_min is not None:
        free_mb = process.disk_free_bytes // 1_000_000
        said = f"{free_mb:,} MB free on its disk, at least {disk_mb_min:,}"
        readings.append(Reading("broker", "", "disk_free_mb", free_mb, disk_mb_min, said, is_least=True))
    return readings


def worker_readings(workers: Sequence[WorkerInfo], *, connected_min: int, queue: str | None) -> list[Reading]:
    """How many worker processes are there to take tasks, of a queue if one is named."""
    able = [worker for worker in workers if queue is None or not worker.queues or queue in worker.queues]
    connected = sum(worker.status == "connected" for worker in able)
    said = f"{counted(connected, 'worker process', 'worker processes')} connected, at least {connected_min:,}"
    if others := len(able) - connected:
        said += f"; {others:,} draining or lost"
    return [Reading("workers", queue or "", "connected", connected, connected_min, said, is_least=True)]


def exit_of(readings: Iterable[Reading]) -> Exit:
    """0 if every reading is within its limit, else 1."""
    return Exit.OK if all(reading.is_ok for reading in readings) else Exit.FAILED


def as_text(readings: Sequence[Reading]) -> str:
    """For people: a line for each reading."""
    return "\n".join(
        f"{'ok' if reading.is_ok else 'FAILED':6}  {plain(f'{reading.of_what}: {reading.said}')}"
        for reading in readings
    )


def as_record(readings: Sequence[Reading], error: TqError | None = None) -> dict[str, object]:
    """The JSON of a check; `error` is why there are no readings."""
    return {
        "ok": error is None and all(reading.is_ok for reading in readings),
        "readings": [
            {
                "target": reading.target,
                "subject": reading.subject,
                "reading": reading.name,
                "value": reading.value,
                "limit": reading.limit,
                "is_least": reading.is_least,
                "ok": reading.is_ok,
                "said": reading.said,
            }
            for reading in readings
        ],
        "error": None if error is None else {"code": error.code, "message": error.message, "hint": error.hint},
    }


def as_nagios(readings: Sequence[Reading], code: Exit, error: TqError | None = None) -> str:
    """One line of status text, and behind the bar the performance data: what fails comes first."""
    if error is not None:
        return f"TQ UNKNOWN - {_status_text(error.message)}"
    ordered = sorted(readings, key=lambda reading: reading.is_ok)
    told = "; ".join(_status_text(f"{reading.of_what}: {reading.said}") for reading in ordered)
    return f"TQ {_WORDS[code]} - {told} | {' '.join(_performance(reading) for reading in readings)}"


def _status_text(text: str) -> str:
    """The bar ends the text for a person; so a queue may not have one in its name here."""
    return plain(text).replace("|", "/")


def _performance(reading: Reading) -> str:
    """'label'=value[unit];warning;;minimum. A range N: warns below N."""
    label = plain(f"{reading.subject or reading.target} {reading.name}")
    quoted = label.replace("'", "''").replace("=", "-").replace("|", "/")
    limit = f"{reading.limit}:" if reading.is_least else str(reading.limit)
    return f"'{quoted}'={reading.value}{_UNITS.get(reading.name, '')};{limit};;0"


def as_prometheus(readings: Sequence[Reading], error: TqError | None = None) -> str:
    """The text format of Prometheus, as for a textfile collector. `tq_check_up` tells whether the broker answered.

    https://github.com/prometheus/docs/blob/main/content/docs/instrumenting/exposition_formats.md
    """
    lines = ["# HELP tq_check_up 1 if the broker answered, else 0.", "# TYPE tq_check_up gauge"]
    lines.append(f"tq_check_up {int(error is None)}")
    values: Sequence[Callable[[Reading], int]] = (
        lambda reading: int(reading.is_ok),
        lambda reading: reading.value,
        lambda reading: reading.limit,
    )
    for (gauge, meaning), value in zip(_GAUGES, values, strict=True):
        if readings:
            lines += [f"# HELP {gauge} {meaning}", f"# TYPE {gauge} gauge"]
        lines += [f"{gauge}{_labels(reading)} {value(reading)}" for reading in readings]
    return "\n".join(lines)


def _labels(reading: Reading) -> str:
    subject = plain(reading.subject).replace("\\", "\\\\").replace('"', '\\"')
    return f'{{target="{reading.target}",subject="{subject}",reading="{reading.name}"}}'
