"""From the format of an older tq to this one's, one version a step.

A step rewrites the rows of the version before through `Database.apply`; it may be interrupted anywhere and must come to
the same end when it runs again, because the new version is written after it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from tq.engine.bounds import BOUNDS
from tq.engine.changes import Changes
from tq.engine.grouping import Groups
from tq.engine.tables import DEAD_KEY, FORMAT_VERSION, META_FORMAT, U32, Table
from tq.model.errors import FormatTooNew, StorageCorrupt
from tq.model.task import State, TaskState
from tq.storage.database import Database
from tq.storage.records import decode_state, encode
from tq.storage.rows import no_writes

Step = Callable[[Database], None]

BATCH_TASKS = 1_000


def group_dead_letters(database: Database, batch_tasks: int = BATCH_TASKS) -> None:
    """From 1 to 2: dead letters have a group and an index. Opening made the tables already. About 20 us a dead letter.

    They are taken in the order of DEAD, so that another run comes to the same groups. What is listed there and has no
    such state is damaged, and left to `tq doctor`.
    """
    changes = Changes(database)
    groups = Groups(changes, BOUNDS)
    for done, (key, _) in enumerate(database.scan(Table.DEAD), start=1):
        queue, _, task_id = DEAD_KEY.unpack(key)
        state = _dead_state(database.get(Table.STATES, task_id))
        if state is not None:
            group = groups.restore(queue, task_id, state)
            changes.put(Table.STATES, task_id, encode(msgspec.structs.replace(state, group=group)))
        if done % batch_tasks == 0:
            groups.write()
            database.apply(changes.take())
    groups.write()
    database.apply(changes.take())


def _dead_state(row: bytes | None) -> TaskState | None:
    try:
        state = None if row is None else decode_state(row)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if state is None or state.state is not State.DEAD_LETTER:
        return None
    return msgspec.structs.replace(state, group=b"")  # an interrupted run may have set it


STEPS: Mapping[int, Step] = {1: group_dead_letters}
"""The step from each older version to the next."""


def upgrade(database: Database, version: int, directory: Path, steps: Mapping[int, Step] = STEPS) -> None:
    """Bring the rows of `version` to FORMAT_VERSION; nothing to do if they are.

    Raises:
        FormatTooNew: `version` is of a newer tq.
        StorageCorrupt: there never was such a version.
    """
    newest = max(steps, default=FORMAT_VERSION - 1) + 1
    if version > newest:
        raise FormatTooNew(
            f"{directory} has format {version}, this version of tq knows up to {newest}",
            hint="run the version of tq that wrote it, or a newer one",
        )
    for older in range(version, newest):
        if older not in steps:
            raise StorageCorrupt(f"{directory} has format {version}, which never existed", hint="put back a backup")
        steps[older](database)
        writes = no_writes()
        writes[Table.META][META_FORMAT] = U32.pack(older + 1)
        database.apply(writes)
        database.sync()
