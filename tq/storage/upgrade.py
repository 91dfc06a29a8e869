"""From the format of an older tq to this one's, one version a step.

A step rewrites the rows of the version before through `Database.apply`; it may be interrupted anywhere and must come to
the same end when it runs again, because the new version is written after it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from tq.engine.tables import FORMAT_VERSION, META_FORMAT, U32, Table
from tq.model.errors import FormatTooNew, StorageCorrupt
from tq.storage.database import Database
from tq.storage.rows import no_writes

Step = Callable[[Database], None]


def _add_tables(database: Database) -> None:
    """From 1 to 2: tables for what operators do and see. Opening made them already."""


STEPS: Mapping[int, Step] = {1: _add_tables}
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
