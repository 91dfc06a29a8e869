"""Which tasks a worker process has started, in memory that outlives it: its parent reads it when the process is dead.

A task that was merely waiting in a process that died did not kill it, and must not be counted as a crash of that task.
One place of 16 bytes a slot: the id of the task that runs there, or zeros.
"""

import mmap
import os
import sys
import tempfile
from typing import Self

from tq.model.ids import ID_BYTES

_NOBODY = bytes(ID_BYTES)


class RunningTable:
    """The table, mapped by the parent and by the child.

    Args:
        fd: an open file of at least `places` * 16 bytes; stays open, and with whoever opened it.
    """

    def __init__(self, fd: int, places: int) -> None:
        self.fd = fd
        self.places = places
        self._map = mmap.mmap(fd, places * ID_BYTES)

    @classmethod
    def create(cls, places: int) -> Self:
        """A new table, all places free, in a file without a name."""
        if sys.platform == "linux":
            fd = os.memfd_create("tq-running", os.MFD_CLOEXEC)
        else:
            with tempfile.TemporaryFile() as file:
                fd = os.dup(file.fileno())
        os.ftruncate(fd, places * ID_BYTES)
        return cls(fd, places)

    def enter(self, place: int, task_id: bytes) -> None:
        """A task starts in this place."""
        offset = place * ID_BYTES
        self._map[offset : offset + ID_BYTES] = task_id

    def leave(self, place: int) -> None:
        """Nothing runs in this place."""
        self.enter(place, _NOBODY)

    def running(self) -> list[bytes]:
        """The tasks that run, or ran when the process died."""
        content = self._map[:]
        ids = (content[offset : offset + ID_BYTES] for offset in range(0, len(content), ID_BYTES))
        return [task_id for task_id in ids if task_id != _NOBODY]

    def close(self) -> None:
        """Unmap, and close the file."""
        self._map.close()
        os.close(self.fd)
