import itertools
import uuid

import pytest

from tq.client.ids import IdMaker, new_id, raw_id
from tq.model.errors import InvalidArgument
from tq.model.ids import format_id


def test_ids_are_distinct_version_7_uuids_across_refills_of_the_buffer() -> None:
    make = IdMaker()

    ids = [make() for _ in range(3_000)]

    assert len(set(ids)) == 3_000
    assert {uuid.UUID(bytes=task_id).version for task_id in ids} == {7}
    assert {uuid.UUID(bytes=task_id).variant for task_id in ids} == {uuid.RFC_4122}


def test_each_id_is_above_the_one_before_even_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    make = IdMaker()
    moments = iter([5_000_000_000] * 5_000 + [4_000_000_000] * 10 + [9_000_000_000] * 10)
    monkeypatch.setattr("tq.client.ids.time.time_ns", lambda: next(moments))

    ids = [make() for _ in range(5_020)]

    assert all(earlier < later for earlier, later in itertools.pairwise(ids))
    assert int.from_bytes(ids[-1][:6], "big") == 9_000


def test_two_makers_never_make_the_same_ids() -> None:
    first, second = IdMaker(), IdMaker()

    assert not {first() for _ in range(100)} & {second() for _ in range(100)}


def test_an_id_is_taken_as_text_or_as_bytes() -> None:
    task_id = new_id()

    assert raw_id(task_id) == task_id
    assert raw_id(format_id(task_id)) == task_id
    assert raw_id(format_id(task_id).upper()) == task_id


@pytest.mark.parametrize("wrong", ["", "7", b"", b"x" * 15, 7, None])
def test_what_is_no_id_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidArgument, match="is not a task id"):
        raw_id(wrong)  # type: ignore[arg-type]
