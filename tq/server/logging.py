"""Structured logs: one event a fact, to stderr, as JSON lines or, for people, in colour.

docs/logs.md lists the events. Payloads are never logged, and text that others chose cannot steer a terminal.
"""

import logging
import sys
import unicodedata
from typing import TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from tq.model.settings import LogSettings

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_KEPT = "\n\t"  # of a traceback


def make_logger(settings: LogSettings, stream: TextIO | None = None) -> FilteringBoundLogger:
    """A logger that writes every event as one line, flushed.

    Args:
        stream: stderr if None. With format "auto", a terminal gets the console form and everything else JSON.
    """
    target = sys.stderr if stream is None else stream
    is_console = settings.format == "console" or (settings.format == "auto" and target.isatty())
    processors: list[Processor] = [structlog.processors.add_log_level]
    if is_console:
        processors += [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.processors.format_exc_info,
            strip_controls,
            structlog.dev.ConsoleRenderer(colors=target.isatty(), pad_event_to=24),
        ]
    else:
        processors += [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            strip_controls,
            put_first,
            structlog.processors.JSONRenderer(),
        ]
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(target),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.level]),
    )
    return logger


def put_first(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Begin each line with what a reader looks for."""
    timestamp, level, message = event.pop("timestamp"), event.pop("level").upper(), event.pop("message")
    return {"timestamp": timestamp, "level": level, "message": message, **event}


def strip_controls(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take the characters that a terminal would act on, or would not show, out of every text."""
    for name, value in event.items():
        if isinstance(value, str) and not (value.isascii() and value.isprintable()):
            event[name] = "".join(
                char for char in value if char in _KEPT or not unicodedata.category(char).startswith("C")
            )
    return event
