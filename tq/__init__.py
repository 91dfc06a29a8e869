"""tq: a durable distributed task queue that you run, watch and repair from a terminal.

    import tq

    app = tq.App("shop")

    @app.task(queue="mail")
    async def welcome(user_id: int) -> str: ...

The names below are loaded when they are first used (PEP 562), so that `import tq` costs next to nothing.
"""

from importlib import import_module

__version__ = "0.1.0"

TYPE_CHECKING = False  # type checkers take it for true; importing `typing` would take nine times as long as the rest

if TYPE_CHECKING:
    from tq.app.app import App
    from tq.app.context import INJECTED, Context, Fail, Snooze
    from tq.app.handles import TaskHandle
    from tq.app.retries import Retry, expo, fixed, retry
    from tq.app.task import TaskType
    from tq.client.async_client import AsyncClient
    from tq.client.blocking import Client
    from tq.client.task import Task
    from tq.model.errors import (
        AccessDenied,
        ConfigInvalid,
        ConnectFailed,
        ConnectionLost,
        DiskFull,
        FormatTooNew,
        InternalError,
        InvalidArgument,
        LeaseLost,
        OperationNotFound,
        OutcomeUnknown,
        PayloadTooLarge,
        PreviewExpired,
        ProtocolViolation,
        QueueFull,
        QueueNotFound,
        SelectorInvalid,
        ShuttingDown,
        StorageCorrupt,
        StorageFailed,
        StorageInUse,
        TaskCancelled,
        TaskFailed,
        TaskNotFound,
        TimedOut,
        TokenNotFound,
        TooManyConnections,
        TooManyRequests,
        TqError,
        VersionUnsupported,
        WorkerNotFound,
        WrongState,
    )
    from tq.model.task import HIGH, LOW, NORMAL, Outcome, RetryPolicy, State, TaskView

_HOMES = {
    "tq.app.app": ("App",),
    "tq.app.context": ("INJECTED", "Context", "Fail", "Snooze"),
    "tq.app.handles": ("TaskHandle",),
    "tq.app.retries": ("Retry", "expo", "fixed", "retry"),
    "tq.app.task": ("TaskType",),
    "tq.client.async_client": ("AsyncClient",),
    "tq.client.blocking": ("Client",),
    "tq.client.task": ("Task",),
    "tq.model.errors": (
        "AccessDenied",
        "ConfigInvalid",
        "ConnectFailed",
        "ConnectionLost",
        "DiskFull",
        "FormatTooNew",
        "InternalError",
        "InvalidArgument",
        "LeaseLost",
        "OperationNotFound",
        "OutcomeUnknown",
        "PayloadTooLarge",
        "PreviewExpired",
        "ProtocolViolation",
        "QueueFull",
        "QueueNotFound",
        "SelectorInvalid",
        "ShuttingDown",
        "StorageCorrupt",
        "StorageFailed",
        "StorageInUse",
        "TaskCancelled",
        "TaskFailed",
        "TaskNotFound",
        "TimedOut",
        "TokenNotFound",
        "TooManyConnections",
        "TooManyRequests",
        "TqError",
        "VersionUnsupported",
        "WorkerNotFound",
        "WrongState",
    ),
    "tq.model.task": ("HIGH", "LOW", "NORMAL", "Outcome", "RetryPolicy", "State", "TaskView"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    # Applications.
    "App", "TaskType", "TaskHandle", "Context", "INJECTED", "Snooze", "Fail", "Retry", "retry", "expo", "fixed",
    "HIGH", "NORMAL", "LOW",
    # The level below: bytes and names.
    "AsyncClient", "Client", "Task", "RetryPolicy", "State", "TaskView", "Outcome",
    # Errors.
    "TqError", "AccessDenied", "ConfigInvalid", "ConnectFailed", "ConnectionLost", "DiskFull", "FormatTooNew",
    "InternalError", "InvalidArgument", "LeaseLost", "OperationNotFound", "OutcomeUnknown", "PayloadTooLarge",
    "PreviewExpired", "ProtocolViolation", "QueueFull", "QueueNotFound", "SelectorInvalid", "ShuttingDown",
    "StorageCorrupt", "StorageFailed", "StorageInUse", "TaskCancelled", "TaskFailed", "TaskNotFound", "TimedOut",
    "TokenNotFound", "TooManyConnections", "TooManyRequests", "VersionUnsupported", "WorkerNotFound", "WrongState",
    "__version__",
]  # fmt: skip


if not TYPE_CHECKING:  # which would take every name for a public one

    def __getattr__(name: str) -> object:
        home = _HOME_OF.get(name)
        if home is None:
            raise AttributeError(f"module 'tq' has no attribute {name!r}")
        value: object = getattr(import_module(home), name)
        globals()[name] = value  # found at once from now on
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
