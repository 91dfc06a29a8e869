"""A small disk of its own, and something else that fills it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


class SmallDisk:
    """A tmpfs. `hog` is the other that takes room on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hog = path / "hog"

    def free_bytes(self) -> int:
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize

    def fill(self, leave: int) -> None:
        """Take all room but so many bytes."""
        file = os.open(self.hog, os.O_RDWR | os.O_CREAT)
        try:
            while (size := self.free_bytes() - leave) > 0:
                with suppress(OSError):  # others took room meanwhile, and this gets none at all
                    os.posix_fallocate(file, 0, size)
                    return
        finally:
            os.close(file)

    def clear(self) -> None:
        """Give it back."""
        self.hog.unlink(missing_ok=True)


@contextmanager
def small_disk(size: int) -> Iterator[SmallDisk]:
    """Mounted for the block; the test is skipped where that is not allowed."""
    with TemporaryDirectory(prefix="tq-disk-") as path:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], capture_output=True, text=True
        )
        if mounted.returncode:
            pytest.skip(f"cannot mount a small disk: {mounted.stderr.strip()}")
        try:
            yield SmallDisk(Path(path))
        finally:
            subprocess.run(["umount", "--lazy", path], check=True)
