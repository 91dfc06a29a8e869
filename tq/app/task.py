"""A function that is a task: called it is the function, enqueued it runs in a worker."""

import copy
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, Literal, ParamSpec, TypeVar

from tq.app.backend import Backend
from tq.app.codec import ARGUMENTS
from tq.app.context import Context
from tq.app.handles import TaskHandle
from tq.app.options import Duration, SubmitOptions
from tq.app.retries import Retry
from tq.app.signature import Signature
from tq.app.tracing import Tracing
from tq.model.errors import InvalidArgument
from tq.model.task import TaskSpec

P = ParamSpec("P")
C = TypeVar("C")
R = TypeVar("R")

RunIn = Literal["loop", "thread", "process"]
Call = tuple[Any, ...] | Mapping[str, Any]
"""The arguments of one task of many: by position, or by name."""


class TaskType(Generic[P, C, R]):
    """A handler with its name and its options, made by `@app.task`.

    `C` is what a direct call gives: a coroutine for an `async def`. `R` is what the handler returns in the end.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str,
        aliases: tuple[str, ...],
        run_in: RunIn,
        retry: Retry,
        submit_options: SubmitOptions,
        backend: Callable[[], Backend],
        tracing: Tracing | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name
        self.aliases = aliases
        self.run_in = run_in
        self.retry = retry
        self.submit_options = submit_options
        self.tracing = tracing
        self._backend = backend
        # Shared by all copies that options() makes, whichever of them is used first.
        self._signature: Callable[[], Signature] = functools.cache(functools.partial(Signature, name, function))

    def __repr__(self) -> str:
        return f"<TaskType {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> C:
        """Call the function here and now. A context that is not given is a detached one."""
        result: C = self.signature.call_directly(self.function, args, kwargs, Context.detached(self.name))
        return result

    @property
    def signature(self) -> Signature:
        """The parameters and the result, read from the annotations on first use.

        Raises:
            InvalidArgument: an annotation cannot be resolved, or its values cannot be checked.
        """
        return self._signature()

    def options(
        self,
        *,
        delay: Duration | None = None,
        eta: datetime | None = None,
        key: str | None = None,
        expires: Duration | None = None,
        queue: str | None = None,
        priority: int | None = None,
        timeout: Duration | None = None,
        max_retries: int | None = None,
        result_ttl: Duration | None = None,
        max_crashes: int | None = None,
        tags: Sequence[str] | None = None,
    ) -> "TaskType[P, C, R]":
        """The same task with other options; those that are None stay as they are.

        Args:
            delay: run not before that long from now.
            eta: run not before this moment; with a delay, the later of the two.
            key: your own idempotency key: enqueued again with the same key in the same queue, it is the same task.
            expires: if it still waits after that long, it is cancelled.
            timeout: how long one attempt may take.
            max_retries: attempts after the first.
            result_ttl: how long the result is kept.
            max_crashes: worker processes it may take down before it is quarantined in the dead letters.
            tags: your own words to find tasks by (`tag:nightly`), instead of those it had.

        Raises:
            InvalidArgument: names the option.
        """
        changed = copy.copy(self)
        changed.submit_options = self.submit_options.changed(
            delay=delay,
            eta=eta,
            key=key,
            expires=expires,
            queue=queue,
            priority=priority,
            timeout=timeout,
            max_retries=max_retries,
            result_ttl=result_ttl,
            max_crashes=max_crashes,
            tags=tags,
        )
        return changed

    async def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[R]:
        """Submit a task with these arguments; returns when it is on the broker's disk.

        Raises:
            InvalidArgument: the arguments do not fit the parameters, or one has no form as bytes.
            ConnectFailed, QueueFull, PayloadTooLarge, ...: the broker is not there, or does not take it.
        """
        backend = self._backend()
        (handle,) = await self._submit(backend, [self._spec(backend, args, kwargs)])
        return handle

    def enqueue_sync(self, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[R]:
        """As `enqueue`, blocking; from any thread. In a coroutine it would hold up the whole event loop."""
        backend = self._backend()
        (handle,) = self._submit_sync(backend, [self._spec(backend, args, kwargs)])
        return handle

    async def enqueue_many(self, calls: Iterable[Call]) -> list[TaskHandle[R]]:
        """Submit many tasks, as few requests as possible; returns when all are on the broker's disk.

        Args:
            calls: of each task the arguments, as a tuple or as a dict by name. All are checked before any is sent.

        Raises:
            as for `enqueue`. After another error than InvalidArgument some may have been taken.
        """
        backend = self._backend()
        return await self._submit(backend, self._specs(backend, calls))

    def enqueue_many_sync(self, calls: Iterable[Call]) -> list[TaskHandle[R]]:
        """As `enqueue_many`, blocking."""
        backend = self._backend()
        return self._submit_sync(backend, self._specs(backend, calls))

    def handle(self, task_id: str) -> TaskHandle[R]:
        """The handle of a task of this type that was enqueued earlier or elsewhere."""
        return TaskHandle(task_id, self.name, self._backend, self._read_result, self.tracing)

    def _read_result(self, result: bytes, content_type: str) -> R:
        value: R = self.signature.read_result(result, content_type)
        return value

    def _spec(self, backend: Backend, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> TaskSpec:
        payload = self.signature.encode(args, kwargs)
        return self.submit_options.spec(backend.make_id(), self.name, payload, ARGUMENTS)

    def _specs(self, backend: Backend, calls: Iterable[Call]) -> list[TaskSpec]:
        specs = []
        for call in calls:
            if isinstance(call, Mapping):
                specs.append(self._spec(backend, (), call))
            elif isinstance(call, tuple):
                specs.append(self._spec(backend, call, {}))
            else:
                raise InvalidArgument(
                    f"task {self.name!r}: {type(call).__name__} is no call of many",
                    hint="give each task's arguments as a tuple, such as (7,), or as a dict by name",
                )
        if len(specs) > 1 and self.submit_options.key is not None:
            raise InvalidArgument(
                f"task {self.name!r}: one key for {len(specs)} tasks would make them one",
                hint="enqueue them one by one, each with a key of its own",
            )
        return specs

    async def _submit(self, backend: Backend, specs: list[TaskSpec]) -> list[TaskHandle[R]]:
        if self.tracing is None or not specs:
            return self._handles(await backend.submit(specs))
        with self.tracing.submitting(specs) as traced:
            return self._handles(await backend.submit(traced))

    def _submit_sync(self, backend: Backend, specs: list[TaskSpec]) -> list[TaskHandle[R]]:
        if self.tracing is None or not specs:
            return self._handles(backend.submit_sync(specs))
        with self.tracing.submitting(specs) as traced:
            return self._handles(backend.submit_sync(traced))

    def _handles(self, task_ids: Sequence[str]) -> list[TaskHandle[R]]:
        return [self.handle(task_id) for task_id in task_ids]
