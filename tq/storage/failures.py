"""What RocksDB and the operating system say when a disk fails, as the errors of tq. Only here is their text read.

rocksdict raises nothing narrower than Exception; its text begins with RocksDB's kind of status.
"""

import errno
from pathlib import Path

from tq.model.errors import DiskFull, StorageCorrupt, StorageFailed, StorageInUse, TqError

_FULL = ("No space left on device", "Disk quota exceeded")
_FULL_CODES = (errno.ENOSPC, errno.EDQUOT)
_LOCKED = ("lock hold by current process", "While lock file")
FREE_SPACE_HINT = "free some space; what was acknowledged is safe"
DOCTOR_HINT = "see what is wrong with: tq doctor {directory}; or put back a backup with: tq restore"


def storage_error(cause: Exception, what: str, directory: Path) -> TqError:
    """The error that stands for `cause`.

    Args:
        what: what was being done, as a sentence begins: "cannot write a batch".
        directory: the data directory.
    """
    text = str(cause).strip().replace("\n", " ")
    message = f"{what} in {directory}: {text or type(cause).__name__}"
    if any(part in text for part in _FULL) or (isinstance(cause, OSError) and cause.errno in _FULL_CODES):
        return DiskFull(f"{what}: no space is left on the disk of {directory}", hint=FREE_SPACE_HINT)
    if any(part in text for part in _LOCKED):
        return StorageInUse(message, hint="stop the other process first")
    if text.startswith("Corruption:"):
        return StorageCorrupt(message, hint=DOCTOR_HINT.format(directory=directory))
    return StorageFailed(message, hint="look at the disk and at the log of the system")
