"""What the disk says becomes an error that tells its reader what to do."""

import errno
from pathlib import Path

import pytest

from tq.model.errors import DiskFull, StorageCorrupt, StorageFailed, StorageInUse, TqError
from tq.storage.failures import storage_error

DATA = Path("/var/lib/tq")


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (Exception("IO error: No space left on device: While appending to file: /x.log"), DiskFull),
        (Exception("IO error: Disk quota exceeded: /x.log"), DiskFull),
        (OSError(errno.ENOSPC, "No space left on device"), DiskFull),
        (OSError(errno.EDQUOT, "quota"), DiskFull),
        (OSError(errno.EIO, "Input/output error"), StorageFailed),
        (Exception("IO error: While fsync: /x.log: Input/output error"), StorageFailed),
        (Exception("Corruption: block checksum mismatch"), StorageCorrupt),
        (Exception("IO error: While lock file: /LOCK: Resource temporarily unavailable"), StorageInUse),
        (Exception("IO error: lock hold by current process, acquire time 1"), StorageInUse),
        (Exception("Invalid argument: Column family not found: x"), StorageFailed),
        (Exception(""), StorageFailed),
    ],
)
def test_every_cause_has_its_error(cause: Exception, kind: type[TqError]) -> None:
    error = storage_error(cause, "cannot write a batch", DATA)

    assert type(error) is kind
    assert error.message.startswith("cannot write a batch")
    assert str(DATA) in error.message
    assert error.hint


def test_a_message_is_one_line() -> None:
    assert "\n" not in storage_error(Exception("IO error:\n twice\n"), "cannot read", DATA).message
