"""The log lines of tasks: the rows of LOGS. A ring of LOG_LINES_MAX lines a task, over all its attempts."""

import msgspec

from tq.engine.changes import Changes
from tq.engine.tables import LOG_KEY, U32, LogRow, Table
from tq.model.commands import LOG_LINES_MAX

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LogRow).decode


def next_number(changes: Changes, task_id: bytes) -> int:
    """The number of the next line of a task, from 1: one above those that it ever had."""
    head = changes.get(Table.LOGS, LOG_KEY.pack(task_id, 0))
    return U32.unpack(head)[0] if head is not None else 1


def append(changes: Changes, task_id: bytes, row: LogRow) -> None:
    """Keep a line; where the ring is full, its oldest one goes."""
    number = next_number(changes, task_id)
    changes.put(Table.LOGS, LOG_KEY.pack(task_id, 0), U32.pack(number + 1))
    changes.put(Table.LOGS, LOG_KEY.pack(task_id, number), _encode(row))
    if number > LOG_LINES_MAX:
        changes.delete(Table.LOGS, LOG_KEY.pack(task_id, number - LOG_LINES_MAX))


def read(changes: Changes, task_id: bytes, after: int, limit: int) -> list[tuple[int, LogRow]]:
    """The first `limit` lines with a number above `after` that are kept, with their numbers."""
    start, end = LOG_KEY.pack(task_id, max(after, 0) + 1), LOG_KEY.pack(task_id, 0xFFFF_FFFF)
    rows = changes.range(Table.LOGS, start, end, limit)
    return [(LOG_KEY.unpack(key)[1], _decode(value)) for key, value in rows]


def forget(changes: Changes, task_id: bytes) -> None:
    """Remove the lines of a task, if it has any."""
    following = next_number(changes, task_id)
    if following == 1:
        return
    for number in (0, *range(max(1, following - LOG_LINES_MAX), following)):
        changes.delete(Table.LOGS, LOG_KEY.pack(task_id, number))
