"""What a line of the log looks like."""

import io
import json

from tq.model.settings import LogSettings
from tq.server.logging import make_logger


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_an_event_is_one_line_of_json_that_begins_with_time_level_and_message() -> None:
    stream = io.StringIO()

    make_logger(LogSettings(), stream).warning("disk_low", free_bytes=7, path="a\nb")

    (line,) = stream.getvalue().splitlines()
    event = json.loads(line)
    assert list(event) == ["timestamp", "level", "message", "free_bytes", "path"]
    assert event["timestamp"].endswith("Z")
    assert (event["level"], event["message"], event["free_bytes"]) == ("WARNING", "disk_low", 7)


def test_events_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    log = make_logger(LogSettings(level="warning"), stream)

    log.info("quiet")
    log.error("loud")

    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["loud"]


def test_a_terminal_gets_a_form_for_people() -> None:
    stream = Terminal()

    make_logger(LogSettings(), stream).info("broker_started", port=1)

    assert "broker_started" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_the_form_can_be_chosen_against_the_terminal() -> None:
    terminal, file = Terminal(), io.StringIO()

    make_logger(LogSettings(format="json"), terminal).info("x")
    make_logger(LogSettings(format="console"), file).info("x")

    assert terminal.getvalue().startswith("{")
    assert not file.getvalue().startswith("{")
    assert "\x1b" not in file.getvalue()


def test_text_that_others_chose_cannot_steer_a_terminal() -> None:
    stream = io.StringIO()

    make_logger(LogSettings(format="console"), stream).info("worker_connected", worker="evil\x1b[2J\u202ename\x07")

    assert "evil[2Jname" in stream.getvalue()
    assert not set(stream.getvalue()) & set("\x1b\x07\u202e")


def test_a_trace_is_written_with_its_error() -> None:
    stream = io.StringIO()
    try:
        _ = 1 // 0
    except ZeroDivisionError as error:
        make_logger(LogSettings(), stream).error("request_failed", exc_info=error)

    event = json.loads(stream.getvalue())
    assert "ZeroDivisionError" in event["exception"]
    assert "test_logging.py" in event["exception"]
