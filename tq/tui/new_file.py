"""Files that the dashboard writes: new ones, for their owner alone."""

import os
from pathlib import Path

from tq.model.errors import InvalidArgument


def open_new(path: Path, *, hint: str) -> int:
    """A descriptor to append to a file that did not exist, of mode 0600: it may hold names, errors and payloads.

    Args:
        hint: what to do where there is such a file, which stays as it is.

    Raises:
        InvalidArgument: there is one, or it cannot be made.
    """
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InvalidArgument(f"{path} exists already", hint=hint) from None
    except (OSError, ValueError) as cause:  # ValueError: the name has a NUL in it
        raise InvalidArgument(f"{path} cannot be written: {reason_of(cause)}") from None


def write_new(path: Path, text: str, *, hint: str) -> int:
    """A new file of this text; its size in bytes. If that fails, there is no file.

    Raises:
        InvalidArgument: as for `open_new`, or the disk is full.
    """
    descriptor = open_new(path, hint=hint)
    try:
        with os.fdopen(descriptor, "wb") as file:
            return file.write(text.encode())
    except OSError as cause:
        path.unlink(missing_ok=True)
        raise InvalidArgument(f"{path} cannot be written: {reason_of(cause)}") from None


def reason_of(cause: OSError | ValueError) -> str:
    """What went wrong, as the system says it."""
    return cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
