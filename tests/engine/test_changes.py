"""Reads see the running batch as if it were already on disk."""

from hypothesis import given
from hypothesis import strategies as st

from tests.engine.rows import Rows
from tq.engine.changes import Changes
from tq.engine.tables import Table

KEYS = st.binary(min_size=1, max_size=2)
ROWS = st.dictionaries(KEYS, st.binary(max_size=2), max_size=12)


@given(stored=ROWS, changed=st.dictionaries(KEYS, st.none() | st.binary(max_size=2), max_size=12), data=st.data())
def test_an_overlay_reads_as_the_store_will_after_the_batch(
    stored: dict[bytes, bytes], changed: dict[bytes, bytes | None], data: st.DataObject
) -> None:
    rows = Rows()
    rows.tables[Table.READY] = dict(stored)
    changes = Changes(rows)
    for key, value in changed.items():
        if value is None:
            changes.delete(Table.READY, key)
        else:
            changes.put(Table.READY, key, value)
    start, end = data.draw(KEYS), data.draw(KEYS)
    limit = data.draw(st.integers(0, 30))
    asked = [*stored, *changed, start]

    seen = changes.range(Table.READY, start, end, limit), [changes.get(Table.READY, key) for key in asked]
    rows.apply(changes.take())

    assert seen == (rows.range(Table.READY, start, end, limit), [rows.get(Table.READY, key) for key in asked])
    assert changes.is_empty


def test_tables_do_not_mix() -> None:
    changes = Changes(Rows())
    changes.put(Table.READY, b"k", b"v")

    assert changes.get(Table.DUE, b"k") is None
    assert not changes.is_empty
