"""Rows as the engine writes them, made by hand; and a ledger of what a store should hold."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tq.engine.tables import META_ENGINE, MetaRow, Table
from tq.storage.rows import no_writes
from tq.storage.store import Store

encode = msgspec.msgpack.Encoder().encode
END = b"\xff" * 32


def batch(number: int, rows: int = 10, size: int = 100) -> list[dict[bytes, bytes | None]]:
    """A batch that tells its number in every row and, as the engine does, counts itself in META."""
    writes = no_writes()
    for row in range(rows):
        writes[Table.BODIES][number.to_bytes(8, "big") + row.to_bytes(8, "big")] = number.to_bytes(4, "big") * (
            size // 4
        )
        writes[Table.READY][number.to_bytes(4, "big") + row.to_bytes(8, "big")] = b"ready"
    writes[Table.META][META_ENGINE] = encode(MetaRow(applied=number))
    return writes


def put(table: Table, *rows: tuple[bytes, bytes | None]) -> list[dict[bytes, bytes | None]]:
    """Writes to one table."""
    writes = no_writes()
    writes[table].update(rows)
    return writes


def fill(store: Store, numbers: Sequence[int], *, rows: int = 10, size: int = 100) -> None:
    """Apply and sync batches with these numbers."""
    for number in numbers:
        store.apply(batch(number, rows, size))
        store.sync()


def whole_batches(store: Store, rows: int = 10) -> list[int]:
    """The numbers of the batches that are there; fails if one of them is there in part."""
    bodies = [key for key, _ in store.range(Table.BODIES, b"", END, 1 << 31)]
    ready = [key for key, _ in store.range(Table.READY, b"", END, 1 << 31)]
    by_body = [int.from_bytes(key[:8], "big") for key in bodies]
    by_ready = [int.from_bytes(key[:4], "big") for key in ready]
    assert by_body == by_ready
    numbers = sorted(set(by_body))
    assert by_body == [number for number in numbers for _ in range(rows)]
    return numbers


def crash_image(directory: Path, target: Path) -> Path:
    """What a process that is killed now would leave: the files as the kernel has them."""
    shutil.copytree(directory, target, ignore=shutil.ignore_patterns("ballast"))
    return target


def newest_log(directory: Path) -> Path:
    """The log file that was last written to."""
    return max((log for log in (directory / "db").glob("*.log") if log.stat().st_size), key=lambda log: int(log.stem))


def flip(path: Path, offset: int) -> None:
    """Change one bit."""
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def overwrite(path: Path, offset: int, data: bytes) -> None:
    """Put other bytes in the place of some."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)
