"""Where a thread is now, for people: `loop blocked 14 s at app.py:88`. Reads frames of other threads, stops none."""

import sys
import sysconfig
import traceback
from collections.abc import Coroutine, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

STACK_FRAMES_MAX = 30
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
    frames: list[FrameType] = []
    awaited: Any = coroutine
    while (frame := getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)) is not None:
        frames.insert(0, frame)
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return _innermost(frames)


def stack_of(thread_id: int) -> str:
    """The innermost STACK_FRAMES_MAX frames of a thread, outermost first; empty if there is no such thread."""
    frame = sys._current_frames().get(thread_id)
    if frame is None:
        return ""
    return "".join(traceback.format_stack(frame)[-STACK_FRAMES_MAX:])


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
