"""Names of queues and task types, and other short texts that producers choose."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from tq.model.errors import InvalidArgument

NAME_BYTES_MAX = 200
KEY_BYTES_MAX = 512
TAGS_MAX = 16
TAG_CHARS_MAX = 100
TRACE_CHARS_MAX = 200
_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]+)?")
"""https://www.w3.org/TR/trace-context/#traceparent-header; later versions may add to it."""


@lru_cache(maxsize=4_096)  # a producer submits to the same few names, and checks them for each task
def check_name(what: str, name: str) -> None:
    """Refuse a name that could not be shown, matched or stored: empty, too long, or with control characters.

    Args:
        what: how the error calls it, such as "queue".

    Raises:
        InvalidArgument: says which of these it is.
    """
    check_text(what, name, NAME_BYTES_MAX)
    if name != name.strip():
        raise InvalidArgument(f"{what} {name[:60]!r} begins or ends with a space")


def check_text(what: str, text: str, bytes_max: int) -> None:
    """The part of `check_name` that holds for keys and reasons too.

    Raises:
        InvalidArgument: empty, above `bytes_max` bytes of UTF-8, or not printable.
    """
    if not text:
        raise InvalidArgument(f"{what} is empty")
    if len(text) > bytes_max or len(text.encode("utf-8", "surrogatepass")) > bytes_max:
        raise InvalidArgument(f"{what} {text[:30]!r}... is longer than {bytes_max} bytes")
    # Printable ASCII, the rule, is decided in C; the categories C* are controls, surrogates, formats and unassigned.
    if not (text.isascii() and text.isprintable()) and any(unicodedata.category(char)[0] == "C" for char in text):
        raise InvalidArgument(f"{what} {text[:60]!r} has a control or invisible character")


def check_tags(what: str, tags: Sequence[str]) -> None:
    """Refuse tags that could not be shown or matched, or too many of them.

    Args:
        what: how the error calls one of them, such as "tag".

    Raises:
        InvalidArgument: more than 16, one above 100 characters, empty, or not printable.
    """
    if len(tags) > TAGS_MAX:
        raise InvalidArgument(f"{what} is one of {len(tags)}; a task has at most {TAGS_MAX} tags")
    for tag in tags:
        if len(tag) > TAG_CHARS_MAX:
            raise InvalidArgument(f"{what} {tag[:30]!r}... is longer than {TAG_CHARS_MAX} characters")
        check_text(what, tag, 4 * TAG_CHARS_MAX)


def check_trace(what: str, trace: str) -> None:
    """Refuse what is no traceparent of W3C Trace Context.

    Args:
        what: how the error calls it, such as "trace".

    Raises:
        InvalidArgument: it has another form, or more than 200 characters.
    """
    if len(trace) > TRACE_CHARS_MAX or not _TRACE.fullmatch(trace):
        raise InvalidArgument(
            f"{what} {trace[:60]!r} is not a traceparent",
            hint="such as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )


def checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags as they are stored: each once, in order.

    Raises:
        InvalidArgument: not a list or tuple of text, or what `check_tags` refuses.
    """
    if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
        raise InvalidArgument(f"tags {tags!r} is not a list of texts", hint='such as ["nightly", "eu"]')
    distinct = tuple(dict.fromkeys(tags))
    check_tags("tag", distinct)
    return distinct
