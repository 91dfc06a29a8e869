"""Tests of applications: the pytest fixture `tq_app`, a MemoryBroker.

Names are loaded when they are first used, because every pytest run with tq installed imports this package.
"""

TYPE_CHECKING = False

if TYPE_CHECKING:
    from tq.testing.broker import MemoryBroker
    from tq.testing.enqueued import EnqueuedTask

__all__ = ["EnqueuedTask", "MemoryBroker"]


if not TYPE_CHECKING:  # which would take every name for a public one

    def __getattr__(name: str) -> object:
        if name == "MemoryBroker":
            from tq.testing.broker import MemoryBroker

            return MemoryBroker
        if name == "EnqueuedTask":
            from tq.testing.enqueued import EnqueuedTask

            return EnqueuedTask
        raise AttributeError(f"module 'tq.testing' has no attribute {name!r}")
