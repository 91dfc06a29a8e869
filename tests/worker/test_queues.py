"""`--queues mail:10,default:1`."""

import pytest

from tq.model.errors import InvalidArgument
from tq.worker.queues import parse_queues


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  ", []),
        ("mail", [("mail", 0)]),
        ("mail:10,default:1", [("mail", 10), ("default", 1)]),
        (" mail : 10 , default ", [("mail", 10), ("default", 0)]),
        ("a:b:5", [("a:b", 5)]),
    ],
)
def test_queues_are_read_with_their_priorities(text: str, expected: list[tuple[str, int]]) -> None:
    assert [(queue.name, queue.priority) for queue in parse_queues(text)] == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mail:high", "'high' is not a priority"),
        ("mail:-1", "'-1' is not a priority"),
        ("mail:9999999", "not a priority from 0 to 1000000"),
        ("mail,mail:2", "named twice"),
        ("mail,,default", "queue is empty"),
        ("a\tb:1", "control"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        parse_queues(text)
