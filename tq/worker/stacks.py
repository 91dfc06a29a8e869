"""Where a handler is, when somebody asks for its stack."""

from collections.abc import Callable
from typing import Literal

import msgspec

from tq.model.commands import STACK_CHARS_MAX, StackTaken


class Stack(msgspec.Struct, frozen=True):
    """Where a handler is: `place` as "app.py:88", and its frames in `text`, outermost first. Both are empty if that
    cannot be known. `pid` is that of the process which it runs in."""

    kind: Literal["coroutine", "thread", "process"]
    pid: int
    place: str
    text: str


Answer = Callable[[Stack], None]
"""Takes a stack; called from any thread."""


def stack_report(number: int, stack: Stack, running_seconds: float) -> StackTaken:
    """What is sent to the broker. A text too long keeps its end: the innermost frames.

    Args:
        number: of the question.
        running_seconds: since the handler started.
    """
    return StackTaken(
        request_id=0,
        number=number,
        reason="" if stack.text else "where it is cannot be seen at this moment; try again",
        kind=stack.kind,
        pid=stack.pid,
        running_ms=max(0, round(running_seconds * 1_000)),
        place=sendable(stack.place),
        text=sendable(stack.text)[-STACK_CHARS_MAX:],
    )


def sendable(text: str) -> str:
    """Text that can be encoded: lone surrogates, as in undecodable file names, become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
