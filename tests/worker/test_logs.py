"""What is logged in a worker process comes out as the broker's own log does."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from tq.model.settings import LogSettings
from tq.worker.logs import configure_logging, form_of


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    """Put the root logger back as pytest has it."""
    logger = logging.getLogger()
    level, handlers = logger.level, logger.handlers[:]
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


def test_a_record_is_a_line_of_json_with_its_facts() -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(format="json"), stream)

    logging.getLogger("tq.task.mail").warning("bounced %s", "twice", extra={"task_id": "7", "size": 3})

    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"level": "WARNING", "logger": "tq.task.mail", "message": "bounced twice", "task_id": "7", "size": 3}


def test_a_traceback_is_part_of_it() -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(format="json"), stream)

    try:
        int("x")
    except ValueError:
        logging.getLogger("a").exception("failed")

    assert "ValueError: invalid literal" in json.loads(stream.getvalue())["exception"]


def test_facts_that_json_does_not_know_are_texts() -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(format="json"), stream)

    logging.getLogger("a").warning("x", extra={"path": object})

    assert "object" in json.loads(stream.getvalue())["path"]


def test_people_get_lines_without_anything_that_steers_a_terminal() -> None:
    stream = _Terminal()
    configure_logging(LogSettings(), stream)

    try:
        dict[str, int]()["\x1b[2J"]
    except KeyError:
        logging.getLogger("a").exception("failed \x1b]0;title\x07", extra={"by": "\x9b31mme"})

    text = stream.getvalue()
    assert "[error   ] failed ]0;title" in text
    assert "by=31mme" in text
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "Traceback" in text


def test_less_important_records_are_left_out() -> None:
    stream = io.StringIO()
    configure_logging(LogSettings(level="error", format="json"), stream)

    logging.getLogger("a").warning("x")

    assert stream.getvalue() == ""


def test_auto_is_console_on_a_terminal_alone() -> None:
    assert form_of(LogSettings(), _Terminal()) == "console"
    assert form_of(LogSettings(), io.StringIO()) == "json"
    assert form_of(LogSettings(format="json"), _Terminal()) == "json"
