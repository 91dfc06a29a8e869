"""Room on the disk: how much is left, and a reserve to come back with when there is none."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

BALLAST_NAME = "ballast"
BALLAST_BYTES = 64 << 20
_DISK_SHARE = 16  # of a small disk the reserve takes no more than this part


def free_bytes(directory: Path) -> int:
    """What this user may still write to the disk of `directory`."""
    disk = os.statvfs(directory)
    return disk.f_bavail * disk.f_frsize


class Ballast:
    """A file that only takes room. Given up when the disk is full, so that the database can be opened and shrink again.

    Made again when there is room for it and as much besides four times.
    """

    def __init__(self, directory: Path) -> None:
        disk = os.statvfs(directory)
        self._directory = directory
        self._path = directory / BALLAST_NAME
        self._size = min(BALLAST_BYTES, disk.f_blocks * disk.f_frsize // _DISK_SHARE)
        self._is_there = self._path.exists()

    def release(self) -> None:
        """Give the room up."""
        self._path.unlink(missing_ok=True)
        self._is_there = False

    def restore(self) -> None:
        """Take the room again if there is plenty; otherwise, on any error, and where nothing can be reserved, not."""
        reserve: Callable[[int, int, int], None] | None = getattr(os, "posix_fallocate", None)
        if self._is_there or reserve is None or free_bytes(self._directory) < 5 * self._size:
            return
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                reserve(handle, 0, self._size)
            finally:
                os.close(handle)
            self._is_there = True
        except OSError:  # a reserve that cannot be had is no reason to fail
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
