"""The cursor and the marks stand on rows, whatever the rows do meanwhile."""

from typing import Any

import hypothesis.strategies as st
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tq.tui.rows import Rows

IDS = [f"q{number:02}" for number in range(12)]
Row = tuple[str, int]


def depth(row: Row) -> int:
    return -row[1]


def rows(*depths: int) -> Rows[Row]:
    made: Rows[Row] = Rows(depth)
    made.replace({IDS[number]: (IDS[number], value) for number, value in enumerate(depths)})
    return made


def test_equal_rows_keep_their_order() -> None:
    table = rows(0, 0, 5, 0)

    table.apply([(IDS[3], (IDS[3], 0))])

    assert table.ids == [IDS[2], IDS[0], IDS[1], IDS[3]]


def test_the_cursor_stays_on_its_row_when_the_order_changes() -> None:
    table = rows(3, 2, 1)
    table.move_to(1)

    table.apply([(IDS[1], (IDS[1], 99))])

    assert table.cursor == IDS[1]
    assert table.ids[0] == IDS[1]


def test_the_cursor_goes_to_the_next_row_when_its_own_goes() -> None:
    table = rows(3, 2, 1)
    table.move_to(1)

    table.apply([], [IDS[1]])

    assert table.cursor == IDS[2]


def test_the_cursor_of_the_last_row_goes_to_the_one_before() -> None:
    table = rows(3, 2, 1)
    table.move_to(2)

    table.apply([], [IDS[2]])

    assert table.cursor == IDS[1]


def test_a_mark_goes_with_its_row() -> None:
    table = rows(3, 2, 1)
    table.toggle_mark(IDS[1])

    table.apply([], [IDS[1]])
    table.apply([(IDS[1], (IDS[1], 2))])

    assert table.marked == []


def test_marks_on_rows_that_a_filter_hides_are_gone() -> None:
    table = rows(3, 2, 1)
    table.toggle_mark(IDS[0])
    table.toggle_mark(IDS[2])

    table.filter(lambda row: row[1] > 1)
    table.filter(None)

    assert table.marked == [IDS[0]]


def test_frozen_rows_change_their_cells_and_nothing_else() -> None:
    table = rows(3, 2, 1)
    table.freeze()

    table.apply([(IDS[2], (IDS[2], 50)), (IDS[7], (IDS[7], 9))], [IDS[0]])

    assert table.ids == [IDS[0], IDS[1], IDS[2]]
    assert table.row(IDS[2]) == (IDS[2], 50)
    assert table.gone == {IDS[0]}
    table.thaw()
    assert table.ids == [IDS[2], IDS[7], IDS[1]]
    assert table.gone == set()


def test_a_range_of_marks_may_be_drawn_upwards() -> None:
    table = rows(5, 4, 3, 2, 1)

    table.mark_between(IDS[3], IDS[1])

    assert table.marked == [IDS[1], IDS[2], IDS[3]]


@given(st.lists(st.integers(-5, 20)))
def test_moves_beyond_the_ends_stop_there(steps: list[int]) -> None:
    table = rows(3, 2, 1)
    for step in steps:
        table.move_by(step)
        assert table.cursor in table


class Life(RuleBasedStateMachine):
    """Rows come, change and go in any order; what a user sees under the cursor is what a key would hit."""

    def __init__(self) -> None:
        super().__init__()
        self.table: Rows[Row] = Rows(depth)
        self.plain: dict[str, Row] = {}
        self.limit = -1

    @rule(changed=st.dictionaries(st.sampled_from(IDS), st.integers(0, 5), max_size=5))
    def upsert(self, changed: dict[str, int]) -> None:
        cursor = self.table.cursor
        self.table.apply([(row_id, (row_id, value)) for row_id, value in changed.items()])
        self.plain.update({row_id: (row_id, value) for row_id, value in changed.items()})
        if cursor is not None and self.is_seen(cursor):
            assert self.table.cursor == cursor

    @rule(gone=st.lists(st.sampled_from(IDS), max_size=4))
    def remove(self, gone: list[str]) -> None:
        cursor, before = self.table.cursor, self.table.ids
        self.table.apply([], gone)
        for row_id in gone:
            self.plain.pop(row_id, None)
        if cursor is None or self.table.is_frozen:
            return
        if cursor not in gone:
            assert self.table.cursor == cursor
        elif self.table.ids:
            place = before.index(cursor)
            left = [abs(before.index(row_id) - place) for row_id in self.table.ids]
            assert self.table.cursor is not None
            assert abs(before.index(self.table.cursor) - place) == min(left)

    @rule(place=st.integers(0, 12))
    def move(self, place: int) -> None:
        self.table.move_to(place)

    @rule(row_id=st.sampled_from(IDS))
    def mark(self, row_id: str) -> None:
        self.table.toggle_mark(row_id)

    @rule()
    def look_from_here(self) -> None:
        self.table.top = self.table.cursor

    @rule(limit=st.integers(-1, 4))
    @precondition(lambda self: not self.table.is_frozen)
    def filter(self, limit: int) -> None:
        self.limit = limit
        self.table.filter(lambda row: row[1] > limit)

    @rule(is_descending=st.booleans())
    def sort(self, is_descending: bool) -> None:
        cursor: Any = self.table.cursor
        self.table.sort(depth, is_descending=is_descending)
        assert self.table.cursor == cursor

    @rule()
    def freeze(self) -> None:
        self.table.freeze()

    @rule()
    def thaw(self) -> None:
        self.table.thaw()

    def is_seen(self, row_id: str) -> bool:
        return row_id in self.plain and self.plain[row_id][1] > self.limit

    @invariant()
    def what_is_shown_is_there(self) -> None:
        if not self.table.is_frozen:
            assert sorted(self.table.ids) == sorted(row_id for row_id in self.plain if self.is_seen(row_id))
            assert self.table.gone == set()

    @invariant()
    def cursor_marks_and_top_are_on_rows_that_are_shown(self) -> None:
        shown = set(self.table.ids)
        assert self.table.cursor in shown if shown else self.table.cursor is None
        assert self.table.top is None or self.table.top in shown
        assert set(self.table.marked) <= shown


TestLife = Life.TestCase


def test_several_rows_are_marked_at_once_and_again_none_of_them() -> None:
    some = rows(0, 1, 2)
    first, second, third = some.ids
    some.toggle_mark(third)

    some.toggle_marks([first, second, "gone"])
    assert some.marked == [first, second, third]
    some.toggle_marks([first, second])
    assert some.marked == [third]
