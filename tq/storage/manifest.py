"""What a backup says of itself: the file that makes a directory a backup, written last and read first."""

import os
from pathlib import Path

import msgspec

from tq.engine.tables import FORMAT_VERSION
from tq.model.errors import FormatTooNew, InvalidArgument
from tq.storage.high_water import sync_directory

MANIFEST_NAME = "manifest.json"
MANIFEST_VERSION = 1


class BackupFile(msgspec.Struct, frozen=True):
    """One file of the copy; `sha256` in hexadecimal, as sha256sum prints it."""

    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A backup: `applied` batches of `database` (hexadecimal id), taken at `created_at` (ISO 8601, UTC)."""

    version: int = MANIFEST_VERSION
    format: int
    database: str
    applied: int
    created_at: str
    files: tuple[BackupFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Finish a backup. On disk on return."""
    fresh = directory / (MANIFEST_NAME + ".new")
    private = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(private, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(directory / MANIFEST_NAME)
    sync_directory(directory)


def read_manifest(directory: Path) -> Manifest:
    """What the backup in `directory` says of itself.

    Raises:
        InvalidArgument: there is no backup, or not a finished one.
        FormatTooNew: a newer version of tq made it.
    """
    path = directory / MANIFEST_NAME
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as cause:
        raise InvalidArgument(
            f"{directory} is not a finished backup: {MANIFEST_NAME} cannot be read ({cause.strerror})",
            hint="name the directory that tq backup wrote",
        ) from None
    except msgspec.MsgspecError as cause:
        raise InvalidArgument(f"{path} is not the manifest of a backup: {cause}") from None
    for file in manifest.files:
        if Path(file.name).name != file.name:
            raise InvalidArgument(f"{path} names a file outside of the backup: {file.name!r}")
    if manifest.version > MANIFEST_VERSION or manifest.format > FORMAT_VERSION:
        raise FormatTooNew(
            f"the backup in {directory} has format {manifest.format}, this version of tq knows up to {FORMAT_VERSION}",
            hint="restore it with the version of tq that made it, or a newer one",
        )
    return manifest
