"""The rows of META that say what a database is; the engine's rows are in tq/engine/tables.py."""

import msgspec

from tq.engine.tables import FORMAT_VERSION, META_DATABASE, META_ENGINE, META_FORMAT, U32, MetaRow, Reader, Table
from tq.model.errors import StorageCorrupt

_decode_meta = msgspec.msgpack.Decoder(MetaRow).decode


def no_writes() -> list[dict[bytes, bytes | None]]:
    """An empty batch, to be filled."""
    return [{} for _ in Table]


def identity_writes(database_id: bytes) -> list[dict[bytes, bytes | None]]:
    """What makes an empty database one of tq, in the present format."""
    writes = no_writes()
    writes[Table.META][META_FORMAT] = U32.pack(FORMAT_VERSION)
    writes[Table.META][META_DATABASE] = database_id
    return writes


def format_of(reader: Reader) -> int | None:
    """The version of the format; None in a database that tq did not finish making."""
    row = reader.get(Table.META, META_FORMAT)
    return None if row is None else int.from_bytes(row, "big")


def database_id_of(reader: Reader) -> str:
    """The id of the database, in hexadecimal."""
    return (reader.get(Table.META, META_DATABASE) or b"").hex()


def applied_of(row: bytes | None) -> int:
    """How many batches the engine had written, from its row of META; 0 before the first.

    Raises:
        StorageCorrupt: the row is not one of the engine's.
    """
    if row is None:
        return 0
    try:
        return _decode_meta(row).applied
    except msgspec.MsgspecError as cause:
        raise StorageCorrupt(
            f"the row {META_ENGINE.decode()!r} of META is damaged: {cause}", hint="tq doctor"
        ) from None
