"""Where a thread is now, for people: `loop blocked 14 s at app.py:88`. Reads frames of other threads, stops none."""

import asyncio
import sys
import sysconfig
import traceback
from collections.abc import Coroutine, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, cast

STACK_FRAMES_MAX = 30
"""Of a stack in a log event."""
HANDLER_FRAMES_MAX = 200
"""Of a stack that somebody asks for: an endless recursion is told by its innermost part."""
AWAITED_MAX = 10
"""Tasks that wait for each other, one after another, of which a stack shows the frames."""
_LIBRARIES = tuple(
    {sysconfig.get_path(name) + "/" for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {f"{Path(__file__).parent.parent}/"}
)


def place_of_thread(thread_id: int) -> str:
    """The innermost line of a thread that is the application's own, as "app.py:88"; of a library if none is.

    Empty if there is no such thread.
    """
    frame = sys._current_frames().get(thread_id)
    if frame is None:
        return ""
    return _innermost(list(_outwards(frame)))


def place_of_coroutine(coroutine: Coroutine[Any, Any, Any]) -> str:
    """The same for a coroutine that waits; empty if it does not, or is none that Python made."""
    return _innermost(_awaiting(coroutine)[0][::-1])


def stack_of(thread_id: int) -> str:
    """The innermost STACK_FRAMES_MAX frames of a thread, outermost first; empty if there is no such thread."""
    frame = sys._current_frames().get(thread_id)
    if frame is None:
        return ""
    return "".join(traceback.format_stack(frame)[-STACK_FRAMES_MAX:])


def stack_of_handler(thread_id: int, code: CodeType | None) -> tuple[str, str]:
    """Where the handler is that a thread runs, as "app.py:88", and its frames from its own on, outermost first.

    Args:
        code: of the handler's function; None, or one that is not found: all frames of the thread.
    """
    frame = sys._current_frames().get(thread_id)
    if frame is None:
        return "", ""
    frames = list(_outwards(frame))
    own = next((index for index in reversed(range(len(frames))) if frames[index].f_code is code), len(frames) - 1)
    return _innermost(frames), _formatted(frames[own::-1])


def stack_of_coroutine(coroutine: Coroutine[Any, Any, Any], task: "asyncio.Task[Any]") -> tuple[str, str]:
    """The same for a handler that waits: its frames, and those of the asyncio tasks that it waits for.

    Args:
        task: that runs the coroutine.
    """
    text, place, waited_for = "", "", task
    for _ in range(AWAITED_MAX):
        frames, last = _awaiting(coroutine)
        place = place or _innermost(frames[::-1])
        text += _formatted(frames)
        # Private, but the one way to see through asyncio.gather() and `await task`; absent, the stack ends here.
        waiter = getattr(waited_for, "_fut_waiter", None)
        if isinstance(waiter, asyncio.Task) and (inner := waiter.get_coro()) is not None:
            text += f"waits for the task {waiter.get_name()!r}:\n"
            coroutine, waited_for = cast("Coroutine[Any, Any, Any]", inner), waiter
            continue
        if (what := waiter if waiter is not None else last) is not None:
            text += f"waits for {type(what).__module__}.{type(what).__qualname__}\n"
        break
    return place, text


def _awaiting(awaited: Any) -> tuple[list[FrameType], Any]:
    """The frames of a chain of coroutines that wait for each other, outermost first, and what the last waits for."""
    frames: list[FrameType] = []
    while (frame := getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)) is not None:
        frames.append(frame)
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return frames, awaited


def _formatted(frames: list[FrameType]) -> str:
    """Frames as a traceback prints them; of very many the last ones."""
    shown = frames[-HANDLER_FRAMES_MAX:]
    lines = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in shown).format()
    if len(frames) > len(shown):
        lines.insert(0, f"  ... {len(frames) - len(shown)} more frames ...\n")
    return "".join(lines)


def _innermost(frames: list[FrameType]) -> str:
    """The first of `frames`, innermost first, that is the application's own, or the very first."""
    if not frames:
        return ""
    own = next((frame for frame in frames if not _is_library(frame)), frames[0])
    name = Path(own.f_code.co_filename).name.encode("utf-8", "replace").decode()  # it travels to the broker
    return f"{name}:{own.f_lineno}"


def _outwards(frame: FrameType) -> Iterator[FrameType]:
    each: FrameType | None = frame
    while each is not None:
        yield each
        each = each.f_back


def _is_library(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return name.startswith(("<", *_LIBRARIES))  # "<frozen importlib._bootstrap>", "<string>"
