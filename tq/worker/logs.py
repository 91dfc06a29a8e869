"""What a worker and its handlers log, through the standard library's logging, as the broker does: JSON lines or, on a
terminal, lines for people; to stderr.

A record of tq's own is the name of an event with its facts as `extra`. So is `ctx.log`; and what handlers and libraries
log by themselves comes out in the same form.
"""

import json
import logging
import unicodedata
from datetime import UTC, datetime
from typing import Literal, TextIO

from tq.model.settings import LogSettings

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_LINES = "\n\t"  # of a traceback


def form_of(settings: LogSettings, stream: TextIO) -> Literal["json", "console"]:
    """The format of the settings, "auto" decided by whether the stream is a terminal."""
    if settings.format == "auto":
        return "console" if stream.isatty() else "json"
    return settings.format


def configure_logging(settings: LogSettings, stream: TextIO) -> None:
    """Send what is logged in this process to `stream`. An application may configure logging again; then that holds."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ConsoleLines() if form_of(settings, stream) == "console" else JsonLines())
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)


class JsonLines(logging.Formatter):
    """A record as one JSON object: timestamp, level, message, and its facts."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        line: dict[str, object] = {
            "timestamp": moment,
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            **_facts(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)  # escapes what a terminal would act on


class ConsoleLines(logging.Formatter):
    """A record as a line for people: time, level, message, facts; then its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        moment = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        facts = "".join(f" {name}={value}" for name, value in _facts(record).items())
        text = f"{moment} [{record.levelname.lower():<8}] {record.getMessage():<24}{facts}"
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return "".join(char for char in text if char in _LINES or not unicodedata.category(char).startswith("C"))


def _facts(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}
