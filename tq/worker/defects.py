"""What a worker process does about a defect of its own."""

import asyncio
import logging
import os
from typing import Any

from tq.worker.lifeline import EXIT_UNSETTLED

log = logging.getLogger("tq.worker")


def end_on_defect(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An error in a callback: what it left undone, such as an outcome not reported, would be held for ever. So this
    process ends, which frees its leases, and is replaced."""
    error = context.get("exception")
    log.error("supervisor_error", extra={"what": context["message"]}, exc_info=error)
    if ("handle" in context or "protocol" in context) and not isinstance(error, OSError):
        os._exit(EXIT_UNSETTLED)
