"""Names of queues and task types, and other short texts that producers choose."""

import unicodedata
from functools import lru_cache

from tq.model.errors import InvalidArgument

NAME_BYTES_MAX = 200
KEY_BYTES_MAX = 512


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
