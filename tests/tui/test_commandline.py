"""What can be typed after the colon."""

import pytest

from tq.model.errors import InvalidArgument
from tq.tui.commandline import Place, completions, parse_command


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("queues", Place("queues")),
        (":q", Place("queues")),
        ("queue mail", Place("queue", "mail")),
        ("dead err:Timeout age:>2h", Place("dead", "err:Timeout age:>2h")),
        ("dead", Place("dead")),
        ("act", Place("activity")),
    ],
)
def test_words_aliases_and_beginnings_go_somewhere(line: str, place: Place) -> None:
    assert parse_command(line) == place


@pytest.mark.parametrize("line", ["", "nowhere", "queue", "workers now", "w0"])
def test_anything_else_is_an_error_that_says_what_to_type(line: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_command(line)


def test_names_of_queues_are_completed() -> None:
    assert completions("queue ma", ["mail", "media", "math"], []) == ["queue mail", "queue math"]
    assert completions("wor", [], []) == ["workers", "worker"]
