"""The same few things, asked for at each edge: what a test of all edges speaks.

Every method answers with the same values, and a refusal is `Refused` with the stable code of the error; the CLI, which
says it with an exit code, gives that instead, and `is_refusal` knows what the code becomes there.
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import httpx
import msgspec

from tests.cli.processes import call_tq, environment
from tq.client.blocking import Client
from tq.client.task import Task
from tq.model.error_statuses import Exit, of_error
from tq.model.errors import ERRORS, TqError
from tq.model.ids import format_id
from tq.model.selector import Field, Selector, StateTerm, literal_term
from tq.model.task import State
from tq.views.records import (
    explanation_record,
    operation_record,
    outcome_record,
    queue_record,
    task_record,
)

Record = Mapping[str, Any]
T = TypeVar("T")


class Refused(Exception):
    """The edge said no. `said` is the code of an error, or an exit code."""

    def __init__(self, said: str | int) -> None:
        super().__init__(said)
        self.said = said


def is_refusal(refused: Refused, code: str) -> bool:
    """Whether this is how an edge says an error of this code."""
    if isinstance(refused.said, str):
        return refused.said == code
    return refused.said == of_error(ERRORS[code]).exit


class Edge(Protocol):
    """One way to a broker. Records are those of `tq ... -o json`."""

    def submit(self, task_type: str, payload: bytes, queue: str, **options: Any) -> str:
        """Options: priority, key, delay, max_retries, tags, content_type."""

    def get(self, task_id: str) -> Record: ...

    def wait(self, task_id: str, timeout: str) -> Record: ...

    def why(self, task_id: str) -> Record: ...

    def select(self, selector: str) -> list[str]:
        """The ids of the tasks of a selector, in the order of their ids."""

    def cancel(self, task_id: str) -> None: ...

    def retry(self, task_id: str) -> None: ...

    def queue(self, name: str) -> Record: ...

    def pause(self, name: str, reason: str) -> None: ...

    def resume(self, name: str) -> None: ...

    def purge_queue(self, name: str) -> str:
        """The id of the operation, which has ended."""

    def undo(self, operation: str) -> None: ...

    def operation(self, operation: str) -> Record: ...


class Native:
    """The Python client, over the native protocol."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def submit(self, task_type: str, payload: bytes, queue: str, **options: Any) -> str:
        return _native(lambda: self._client.submit_task(Task(task_type, payload, queue=queue, **options)))

    def get(self, task_id: str) -> Record:
        return _as_json(_native(lambda: task_record(self._client.get_task(task_id))))

    def wait(self, task_id: str, timeout: str) -> Record:
        return _as_json(_native(lambda: outcome_record(self._client.wait(task_id, float(timeout.removesuffix("s"))))))

    def why(self, task_id: str) -> Record:
        return _as_json(_native(lambda: explanation_record(self._client.why(task_id))))

    def select(self, selector: str) -> list[str]:
        return [format_id(task.id) for task in _native(lambda: list(self._client.iter_tasks(selector, "id")))]

    def cancel(self, task_id: str) -> None:
        self._carry_out("cancel", task_id)

    def retry(self, task_id: str) -> None:
        self._carry_out("retry", task_id)

    def queue(self, name: str) -> Record:
        return next(queue_record(queue) for queue in self._client.queues() if queue.name == name)

    def pause(self, name: str, reason: str) -> None:
        _native(lambda: self._client.pause_queue(name, reason))

    def resume(self, name: str) -> None:
        _native(lambda: self._client.resume_queue(name))

    def purge_queue(self, name: str) -> str:
        waiting = Selector((literal_term(Field.QUEUE, name), StateTerm((State.PENDING, State.FAILED))))
        preview = _native(lambda: self._client.prepare("purge", waiting))
        return self._client.wait_for_operation(self._client.commit(preview.token).id).id.hex()

    def undo(self, operation: str) -> None:
        undone = _native(lambda: self._client.undo(operation))
        self._client.wait_for_operation(undone.id)

    def operation(self, operation: str) -> Record:
        return _as_json(_native(lambda: operation_record(self._client.operation(operation))))

    def _carry_out(self, action: str, task_id: str) -> None:
        preview = _native(lambda: self._client.prepare(action, task_ids=[task_id]))
        self._client.wait_for_operation(self._client.commit(preview.token).id)


def _native(call: Callable[[], T]) -> T:
    try:
        return call()
    except TqError as error:
        raise Refused(error.code) from None


def _as_json(record: object) -> Record:
    shown: Record = msgspec.json.decode(msgspec.json.encode(record))
    return shown


class Cli:
    """`tq` as a script runs it."""

    def __init__(self, address: str, token: str = "") -> None:
        self._address = address
        self._environment = environment(TQ_TOKEN=token) if token else environment()

    def submit(self, task_type: str, payload: bytes, queue: str, **options: Any) -> str:
        flags = [f"--type={task_type}", f"--queue={queue}", "--payload-file=-"]
        for name, value in options.items():
            values = value if name == "tags" else [value]
            flag = "--tag" if name == "tags" else f"--{name.replace('_', '-')}"
            flags += [f"{flag}={each}" for each in values]
        return str(self._run("submit", *flags, stdin=payload).strip())

    def get(self, task_id: str) -> Record:
        return self._json("task", "get", task_id)

    def wait(self, task_id: str, timeout: str) -> Record:
        return self._json("task", "wait", task_id, f"--timeout={timeout}", also=Exit.FAILED)

    def why(self, task_id: str) -> Record:
        return self._json("why", task_id)

    def select(self, selector: str) -> list[str]:
        return self._run("task", "list", selector, "--sort=id", "-o", "name").split()

    def cancel(self, task_id: str) -> None:
        self._run("task", "cancel", task_id)

    def retry(self, task_id: str) -> None:
        self._run("dead", "retry", task_id)

    def queue(self, name: str) -> Record:
        queues: Any = self._json("queue", "list")
        return next(queue for queue in queues if queue["name"] == name)

    def pause(self, name: str, reason: str) -> None:
        self._run("queue", "pause", name, f"--reason={reason}")

    def resume(self, name: str) -> None:
        self._run("queue", "resume", name)

    def purge_queue(self, name: str) -> str:
        self._run("queue", "purge", name, "--yes")
        operations: Any = self._json("op", "list", "--limit=1")
        return str(operations[0]["id"])

    def undo(self, operation: str) -> None:
        self._run("undo", operation)

    def operation(self, operation: str) -> Record:
        return self._json("op", "show", operation)

    def _run(self, *arguments: str, stdin: bytes = b"", also: int = 0) -> str:
        done = call_tq(*arguments, "--url", self._address, stdin=stdin, env=self._environment)
        if done.returncode not in (0, also) or (done.returncode and not done.stdout):
            raise Refused(done.returncode)
        return str(done.stdout)

    def _json(self, *arguments: str, also: int = 0) -> Record:
        record: Record = json.loads(self._run(*arguments, "-o", "json", also=also))
        return record


class Rest:
    """HTTP."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def submit(self, task_type: str, payload: bytes, queue: str, **options: Any) -> str:
        body = {"task_type": task_type, "payload": base64.b64encode(payload).decode(), "queue": queue, **options}
        return str(self._ask("POST", "/tasks", body)["id"])

    def get(self, task_id: str) -> Record:
        return self._ask("GET", f"/tasks/{task_id}")

    def wait(self, task_id: str, timeout: str) -> Record:
        return self._ask("GET", f"/tasks/{task_id}/result", timeout=timeout)

    def why(self, task_id: str) -> Record:
        return self._ask("GET", f"/tasks/{task_id}/why")

    def select(self, selector: str) -> list[str]:
        page = self._ask("GET", "/tasks", selector=selector, sort="id")
        ids = [task["id"] for task in page["tasks"]]
        while page["next"]:  # a page may end early, even empty: a broker looks at a bounded number of tasks at once
            page = self._ask("GET", page["next"].removeprefix("/api/v1"))
            ids += [task["id"] for task in page["tasks"]]
        return ids

    def cancel(self, task_id: str) -> None:
        self._ask("POST", f"/tasks/{task_id}/cancel")

    def retry(self, task_id: str) -> None:
        self._ask("POST", f"/tasks/{task_id}/retry")

    def queue(self, name: str) -> Record:
        return self._ask("GET", f"/queues/{name}")

    def pause(self, name: str, reason: str) -> None:
        self._ask("POST", f"/queues/{name}/pause", {"reason": reason})

    def resume(self, name: str) -> None:
        self._ask("POST", f"/queues/{name}/resume")

    def purge_queue(self, name: str) -> str:
        return self._ended(self._ask("POST", f"/queues/{name}/purge"))

    def undo(self, operation: str) -> None:
        self._ended(self._ask("POST", f"/operations/{operation}/undo"))

    def operation(self, operation: str) -> Record:
        return self._ask("GET", f"/operations/{operation}")

    def _ended(self, operation: Record) -> str:
        return str(self._ask("GET", f"/operations/{operation['id']}", wait="60s")["id"])

    def _ask(self, method: str, path: str, body: object = None, **parameters: str) -> Record:
        response = self._http.request(method, path, json=body, params=parameters or None)
        record: Record = msgspec.json.decode(response.content)
        if response.is_error:
            raise Refused(record["code"])
        return record
