"""How the dashboard of a `tq up` ends, in words that both processes know. No Textual here: the broker's has none.

Any other exit code than these two means that the dashboard went down by itself, which is no reason to stop what it
looked at.
"""

from enum import Enum
from typing import Final


class Leaving(Enum):
    """What is to become of the broker and its workers."""

    STOP = "stop"
    KEEP = "keep"


EXIT_CODES: Final = {Leaving.KEEP: 20, Leaving.STOP: 21}


def leaving_of(exit_code: int) -> Leaving | None:
    """What was decided in the dashboard that ended with this code; None: nothing."""
    return next((leaving for leaving, code in EXIT_CODES.items() if code == exit_code), None)
