"""One process a data directory: a lock file that names its holder."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from tq.model.errors import StorageInUse

LOCK_NAME = "tq.lock"


class DirectoryLock:
    """Held from construction until `release`, or the death of the process, which the kernel sees.

    `flock`, not RocksDB's own lock: that one cannot tell who holds it, and comes too late, after the log was examined.
    """

    def __init__(self, directory: Path) -> None:
        """Take the lock.

        Raises:
            StorageInUse: another process has it, or another part of this one.
            OSError: the directory cannot be written.
        """
        self._file = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise StorageInUse(
                f"{directory} is in use by pid {holder}", hint=f"stop that process first: kill {holder}"
            ) from None
        os.ftruncate(self._file, 0)
        with suppress(OSError):  # the lock holds without the name; a full disk must not stop a broker from starting
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go; the file stays, for removing it would race with the next holder."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1
