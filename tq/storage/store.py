"""The port to the disk: what the broker's loop and its commit thread may ask of a store.

Two stores implement it and one test suite (tests/storage/test_store.py) holds both: memory.MemoryStore for tests and
`--ephemeral`, rocks.RocksStore for everything else.

Threads. One thread owns the store: it alone calls `get`, `range`, `apply`, `reopen` and `close`. `sync` is for one
other thread, the commit thread; `backup` is for any third. Neither may run while `reopen` or `close` does: the owner
waits for them first.
"""

from pathlib import Path
from typing import Protocol

from tq.engine.tables import Reader, Writes
from tq.storage.manifest import Manifest


class Store(Reader, Protocol):
    """A Reader that can be written, made durable, copied and closed."""

    def apply(self, writes: Writes) -> None:
        """Make all changes of a batch visible, or none. Not durable before a `sync` that begins after this returned.

        Owner's thread. A batch of 1,000 rows takes about a millisecond.

        Raises:
            DiskFull: nothing more is taken until `reopen`; reads go on.
            StorageFailed: the same, and the batch may or may not be there after the store is opened again.
        """
        ...

    def sync(self) -> None:
        """Put all that was applied before this call on disk. Commit thread; other threads run meanwhile.

        Raises:
            DiskFull, StorageFailed: as for `apply`. What was not synced may be lost; never to be tried again.
        """
        ...

    def reopen(self) -> None:
        """After DiskFull: take up writing again. Owner's thread. Loses nothing that was synced; the engine must reload.

        Raises:
            DiskFull: there is still no room; reads go on as before (unless the room went while it was used).
            StorageFailed: the store failed in another way, after which only a new process is safe.
        """
        ...

    def disk_free_bytes(self) -> int | None:
        """Room that this process may still fill on the disk of the store; None if there is no disk. Any thread."""
        ...

    def backup(self, directory: Path) -> Manifest:
        """Copy a consistent state, synced, into `directory`, which must not exist or be empty. Any thread but the
        owner's, since it takes as long as copying does; the others go on.

        Raises:
            InvalidArgument: `directory` is not empty or cannot be made.
            WrongState: there is nothing on disk to copy.
            DiskFull, StorageFailed: the copy could not be written; what was written of it is removed.
        """
        ...

    def close(self) -> None:
        """Sync and let go of everything. Owner's thread. Closing twice is allowed; any other call after it is not."""
        ...
