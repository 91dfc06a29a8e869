"""Operations and what they moved, as they are stored and as counting gives them.

Neither is an index: what is lost of them is nowhere else. The proof is that they fit each other, and that no number in
them is given out again.
"""

from collections import Counter
from collections.abc import Iterator

import msgspec

from tq.engine.tables import AUDIT_KEY, MovedRow, OperationRow, Table
from tq.model.ids import ID_BYTES
from tq.model.operations import OPERATION_ID_BYTES
from tq.storage.database import Database
from tq.storage.records import Mismatch, encode

_decode_operation = msgspec.msgpack.Decoder(OperationRow).decode
_decode_moved = msgspec.msgpack.Decoder(MovedRow).decode


class OperationCount:
    """The rows of OPERATIONS, MOVED and AUDIT. Memory: by the number of operations.

    `sequence_max` and `token_max` are the highest numbers in them; `unreadable`: the rows that are not what they should
    be, in words.
    """

    def __init__(self, database: Database) -> None:
        """Read them all.

        Raises:
            StorageCorrupt, StorageFailed: they cannot be read.
        """
        self.sequence_max = 0
        self.token_max = 0
        self.unreadable: list[str] = []
        self._known: set[bytes] = set()
        self._rows: dict[bytes, OperationRow] = {}
        self._counted: Counter[bytes] = Counter()
        self._strays: list[bytes] = []
        for key, value in database.scan(Table.OPERATIONS):
            self._operation(key, value)
        for key, value in database.scan(Table.MOVED):
            self._moved(key, value)
        for key, _ in database.scan(Table.AUDIT):
            if len(key) == AUDIT_KEY.size:
                self.sequence_max = max(self.sequence_max, AUDIT_KEY.unpack(key)[1])

    def _operation(self, key: bytes, value: bytes) -> None:
        self._known.add(key)
        try:
            row = self._rows[key] = _decode_operation(value)
        except (msgspec.MsgspecError, UnicodeDecodeError) as cause:
            self.unreadable.append(f"the row of operation {key.hex()} is not readable: {cause}")
            return
        self.sequence_max = max(self.sequence_max, row.as_of)
        self.token_max = max(self.token_max, row.token_as_of - 1)

    def _moved(self, key: bytes, value: bytes) -> None:
        operation = key[:OPERATION_ID_BYTES]
        if len(key) != OPERATION_ID_BYTES + ID_BYTES or operation not in self._known:
            self._strays.append(key)
            return
        self._counted[operation] += 1
        try:
            moved = _decode_moved(value).moved
        except (msgspec.MsgspecError, UnicodeDecodeError) as cause:
            self.unreadable.append(f"what operation {operation.hex()} moved is not readable: {cause}")
            return
        self.sequence_max = max(self.sequence_max, moved)

    def mismatches(self, now_ms: int) -> Iterator[Mismatch]:
        """The rows of OPERATIONS and MOVED that contradict each other.

        Args:
            now_ms: an operation whose retention is over may have lost a part of what it moved already.
        """
        for key in self._strays:
            yield Mismatch(f"a row of MOVED is of no operation: {key.hex()}", Table.MOVED, key, None)
        for operation, row in self._rows.items():
            counted = self._counted[operation]
            is_going = 0 < row.remove_at_ms <= now_ms
            if counted > row.moved or (counted < row.moved and not is_going):
                what = f"operation {operation.hex()} says that it moved {row.moved:,} tasks, counted {counted:,}"
                right = msgspec.structs.replace(row, moved=counted)
                yield Mismatch(what, Table.OPERATIONS, operation, encode(right))
