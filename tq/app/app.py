"""An application: its tasks, and the broker that they go to."""

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar, overload

from tq.app.backend import Backend
from tq.app.context import Context
from tq.app.options import Duration, SubmitOptions
from tq.app.retries import Retry, check_retries_max
from tq.app.retries import retry as make_retry
from tq.app.task import RunIn, TaskType
from tq.app.tracing import Tracing
from tq.model.errors import InvalidArgument
from tq.model.names import check_name
from tq.model.task import NORMAL

P = ParamSpec("P")
R = TypeVar("R")
AnyTask = TaskType[..., Any, Any]


class _Anything:
    """No handler asks for one: what takes it as its first argument takes any object there, a Context too, and is not
    to be mistaken for a handler that asks for its context."""


class Decorator(Protocol):
    """What `@app.task(...)` gives: makes a function a task. A context that is the first parameter is left out of the
    types of `enqueue` and of the call."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[_Anything, P], Coroutine[Any, Any, R]], /
    ) -> TaskType[..., Coroutine[Any, Any, R], R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[_Anything, P], R], /) -> TaskType[..., R, R]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[Context, P], Coroutine[Any, Any, R]], /
    ) -> TaskType[P, Coroutine[Any, Any, R], R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Context, P], R], /) -> TaskType[P, R, R]: ...
    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> TaskType[P, Coroutine[Any, Any, R], R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> TaskType[P, R, R]: ...


class App:
    """The tasks of one application. Making one, and declaring tasks, does no I/O.

    Args:
        name: how the broker's operators see the application's connections.
        address: of the broker, "host:port", "tcp://host:port", "tls://host:port" or "unix:///path", or several that are
            tried in turn; None is TQ_URL, else the configuration, else the local socket, else 127.0.0.1:6379.
        token: proves who the application is, where the broker asks for it; empty is TQ_TOKEN, else what is in the file
            that TQ_TOKEN_FILE names.
        tracing: opens spans around submits, waits and handlers: `tq.otel.Tracing()`. None: nothing is traced.

    Connections are made on first use: one for each event loop, and one for plain code. `async with app:` closes that
    of the loop at the end, `with app:` that of plain code; so do `await app.close()` and `app.close_sync()`.
    """

    def __init__(
        self,
        name: str,
        address: str | Sequence[str] | None = None,
        *,
        token: str = "",
        tracing: Tracing | None = None,
    ) -> None:
        check_name("application", name)
        self.name = name
        self._address = address
        self._token = token
        self._tracing = tracing
        self._tasks: dict[str, AnyTask] = {}
        self._handlers: dict[str, AnyTask] = {}
        self._backend: Backend | None = None

    def __repr__(self) -> str:
        return f"<App {self.name}: {len(self._tasks)} tasks>"

    @property
    def tasks(self) -> Mapping[str, AnyTask]:
        """The tasks by name."""
        return MappingProxyType(self._tasks)

    @property
    def handlers(self) -> Mapping[str, AnyTask]:
        """The tasks by name and by each alias: what a worker of this application can run."""
        return MappingProxyType(self._handlers)

    def check(self) -> None:
        """Look at the annotations of all tasks now rather than on first use: workers do so when they start.

        Raises:
            InvalidArgument: names the task and the parameter.
        """
        for task in self._tasks.values():
            assert task.signature is not None

    def backend(self) -> Backend:
        """Where the tasks go; a broker, unless `use_backend` said otherwise."""
        if self._backend is None:
            # Imported here: declaring tasks must not cost a program the network code that it may never use.
            from tq.app.broker import BrokerBackend

            self._backend = BrokerBackend(self._address, client_name=self.name, token=self._token)
        return self._backend

    def use_backend(self, backend: Backend | None) -> Backend | None:
        """Send the tasks elsewhere from now on, handles that exist included. Nothing is opened or closed.

        Args:
            backend: None for the broker at the application's address.

        Returns:
            what was in use, to be put back; None if nothing was yet.
        """
        before, self._backend = self._backend, backend
        return before

    @overload
    def task(
        self, function: Callable[Concatenate[_Anything, P], Coroutine[Any, Any, R]], /
    ) -> TaskType[..., Coroutine[Any, Any, R], R]: ...
    @overload
    def task(self, function: Callable[Concatenate[_Anything, P], R], /) -> TaskType[..., R, R]: ...
    @overload
    def task(
        self, function: Callable[Concatenate[Context, P], Coroutine[Any, Any, R]], /
    ) -> TaskType[P, Coroutine[Any, Any, R], R]: ...
    @overload
    def task(self, function: Callable[Concatenate[Context, P], R], /) -> TaskType[P, R, R]: ...
    @overload
    def task(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> TaskType[P, Coroutine[Any, Any, R], R]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> TaskType[P, R, R]: ...
    @overload
    def task(
        self,
        function: None = ...,
        /,
        *,
        name: str | None = ...,
        queue: str = ...,
        priority: int = ...,
        max_retries: int | None = ...,
        timeout: Duration = ...,
        retry: Retry | None = ...,
        aliases: Sequence[str] = ...,
        run_in: Literal["thread", "process"] | None = ...,
        result_ttl: Duration | None = ...,
        expires: Duration | None = ...,
        max_crashes: int | None = ...,
        tags: Sequence[str] = ...,
    ) -> Decorator: ...

    def task(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        queue: str = "default",
        priority: int = NORMAL,
        max_retries: int | None = None,
        timeout: Duration = "5m",
        retry: Retry | None = None,
        aliases: Sequence[str] = (),
        run_in: Literal["thread", "process"] | None = None,
        result_ttl: Duration | None = None,
        expires: Duration | None = None,
        max_crashes: int | None = None,
        tags: Sequence[str] = (),
    ) -> Any:
        """Make a function a task; with or without options: `@app.task` or `@app.task(queue="mail")`.

        Args:
            name: what the task is called everywhere; the function's own name if not given. Workers of all
                applications on a broker share the names.
            queue: where its tasks wait.
            priority: 0 to 255, or tq.LOW, tq.NORMAL, tq.HIGH.
            max_retries: attempts after the first, 0 to 1,000; 3 if not given.
            timeout: how long one attempt may take.
            retry: backoff and rules by exception, from `tq.retry`.
            aliases: former names: tasks that were submitted under them run here.
            run_in: an `async def` runs in the worker's event loop; a plain function in a thread, or with "process" in
                a process of its own, where it may use a core, be killed at its timeout, or crash alone.
            result_ttl: how long the result is kept; one hour if not given.
            expires: a task that still waits after that long is cancelled.
            max_crashes: worker processes that one task may take down before it is quarantined; 3 if not given.
            tags: your own words to find its tasks by (`tag:nightly`); at most 16, of 100 characters.

        Raises:
            InvalidArgument: at import, for an option or a function that cannot be right.
        """
        rules = retry or make_retry()
        if not isinstance(rules, Retry):
            raise InvalidArgument(f"retry {retry!r} is no retry", hint="make it by tq.retry(...)")
        check_retries_max(max_retries)
        if max_retries is not None and rules.retries_max not in (None, max_retries):
            raise InvalidArgument(f"max_retries={max_retries} and retry(max={rules.retries_max}) differ")
        options = SubmitOptions().changed(
            queue=queue,
            priority=priority,
            timeout=timeout,
            max_retries=rules.retries_max if max_retries is None else max_retries,
            expires=expires,
            result_ttl=result_ttl,
            max_crashes=max_crashes,
            tags=tags,
            backoff=rules.policy,
        )

        def decorate(function: Callable[..., Any]) -> AnyTask:
            task: AnyTask = TaskType(
                function,
                name=_name_of(function, name),
                aliases=_checked_aliases(aliases),
                run_in=_place_of(function, run_in),
                retry=rules,
                submit_options=options,
                backend=self.backend,
                tracing=self._tracing,
            )
            self._add(task)
            return task

        return decorate if function is None else decorate(function)

    async def close(self) -> None:
        """Close the connection of the running event loop. Using the application again opens a new one."""
        if self._backend is not None:
            await self._backend.close()

    def close_sync(self) -> None:
        """Close the connection of plain code. Using the application again opens a new one."""
        if self._backend is not None:
            self._backend.close_sync()

    async def __aenter__(self) -> "App":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __enter__(self) -> "App":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_sync()

    def _add(self, task: AnyTask) -> None:
        names = (task.name, *task.aliases)
        for name in names:
            check_name("task name", name)
            taken = self._handlers.get(name)
            if taken is not None or names.count(name) > 1:
                owner = taken or task
                raise InvalidArgument(
                    f"application {self.name!r} has a task {name!r} already: {_where(owner.function)}; "
                    f"a second one is {_where(task.function)}",
                    hint="give one of them another name=",
                )
        self._tasks[task.name] = task
        for name in names:
            self._handlers[name] = task


def _name_of(function: Callable[..., Any], name: str | None) -> str:
    if not inspect.isfunction(function) or (name is None and function.__name__ == "<lambda>"):
        raise InvalidArgument(
            f"@app.task on {function!r}, which is not a function with a name",
            hint="decorate a def or an async def; options are keywords, as in @app.task(queue=...)",
        )
    return function.__name__ if name is None else name


def _place_of(function: Callable[..., Any], run_in: object) -> RunIn:
    """Where a function runs, by its signature and by what was asked for."""
    what = f"@app.task on {_where(function)}"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidArgument(f"{what}: a generator cannot be a task", hint="return a list, or enqueue a task for each")
    if run_in not in (None, "thread", "process"):
        raise InvalidArgument(f'{what}: run_in {run_in!r} is not "thread" or "process"')
    if inspect.iscoroutinefunction(function):
        if run_in is not None:
            raise InvalidArgument(
                f"{what}: run_in={run_in!r} on an async def, which runs in the worker's event loop",
                hint="make it a plain def, or leave run_in out",
            )
        return "loop"
    if run_in == "process" and "<locals>" in function.__qualname__:
        raise InvalidArgument(
            f"{what}: run_in='process' on a function inside another, which a new process could not find",
            hint="define it at the top of its module",
        )
    return "process" if run_in == "process" else "thread"


def _checked_aliases(aliases: object) -> tuple[str, ...]:
    if isinstance(aliases, str) or not isinstance(aliases, Sequence):
        raise InvalidArgument(f"aliases {aliases!r} is not a list of names", hint='such as aliases=["old_name"]')
    return tuple(aliases)


def _where(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"
