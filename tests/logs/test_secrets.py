"""What must never be in a log: payloads, arguments, results and tokens, whatever goes wrong with them."""

import asyncio
import base64
import contextlib
import json
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.edges.grpc.stubs import Stubs
from tests.edges.real import GRPC_ON, edge_broker, http
from tests.server.process import BrokerProcess
from tests.worker.rig import Worker, a_worker, is_alive
from tq import AsyncClient, Task
from tq.app.codec import ARGUMENTS, encode
from tq.edges.grpc import tq_pb2 as pb
from tq.model.errors import TqError
from tq.model.identity import Role
from tq.model.settings import BrokerSettings, LogSettings, PersistenceSettings, Settings

SECRET = "hunter2-of-the-payload"
PATIENCE_SECONDS = 30
TOKEN_ID_CHARS = len("tq_0123456789ab_")


def a_task(task_type: str, content: bytes | None = None, **arguments: Any) -> Task:
    payload = encode(arguments) if content is None else content
    return Task(task_type, payload, content_type=ARGUMENTS, max_retries=0, timeout_seconds=30)


async def refused(address: str, token: str) -> None:
    with pytest.raises(TqError):
        async with AsyncClient(address, token=token, reconnect_timeout=0) as client:
            await client.stats()


async def run_tasks_full_of_secrets(client: AsyncClient) -> list[str]:
    """Well and badly, in each kind of handler; the ids."""
    ids = await client.submit_tasks(
        [
            a_task("echo", value=SECRET),
            a_task("thread_echo", value=SECRET),
            a_task("echo", value=SECRET, unexpected=SECRET),
            a_task("echo", SECRET.encode()),
            a_task("echo", encode({"value": {SECRET: [SECRET]}})),
            a_task("raises", kind="value"),
            a_task("process_raises"),
            a_task("returns_bytes", count=2 << 20),
        ]
    )
    for task_id in ids:
        await client.wait(task_id, PATIENCE_SECONDS)
    with pytest.raises(TqError):
        await client.submit_task(a_task("echo", SECRET.encode() * 100_000))
    return ids


async def send_nonsense(port: int) -> None:
    """What is no protocol at all, with a secret in it."""
    for nonsense in (f"GET /?{SECRET} HTTP/1.1\r\n\r\n".encode(), b"\0\0\0\x20" + SECRET.encode().ljust(32)):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(nonsense)
        await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)
        writer.close()


async def test_no_log_has_a_payload_a_result_an_argument_or_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        broker=BrokerSettings(port=0, socket=str(tmp_path / "s")),
        persistence=PersistenceSettings(data_dir=str(tmp_path / "data")),
        log=LogSettings(level="debug", format="json"),
    )
    broker = await BrokerProcess.start(settings)
    address = f"tcp://127.0.0.1:{broker.port}"
    async with AsyncClient(f"unix://{tmp_path / 's'}") as admin:
        token = (await admin.create_token("tests", Role.ADMIN)).text
    wrong = token[:-6] + "wrong6"
    monkeypatch.setenv("TQ_TOKEN", token)
    worker: Worker
    async with a_worker(address) as worker, AsyncClient(address, token=token) as client:
        ids = await run_tasks_full_of_secrets(client)
        await asyncio.gather(refused(address, wrong), refused(address, SECRET), send_nonsense(broker.port))
    broker.process.terminate()
    await broker.ended()

    log = "\n".join([*worker.lines, *map(json.dumps, broker.events), broker.rest])
    ended = {event.get("task_id") for event in worker.events() if event["message"] in ("task_completed", "task_failed")}
    assert ended == set(ids), "what is looked through is all there"
    assert {"access_denied", "connection_refused", "worker_connected"} <= set(broker.names())
    assert_no_secret(log, SECRET, token[TOKEN_ID_CHARS:], wrong[TOKEN_ID_CHARS:])
    assert not is_alive(worker.pid)


def test_no_log_of_rest_has_a_payload_a_result_or_a_token(tmp_path: Path) -> None:
    with edge_broker(tmp_path, "--log-level", "debug") as broker:
        token = broker.token("tests", "admin")
        wrong = token[:-6] + "wrong6"
        with http(broker, token) as rest:
            encoded = base64.b64encode(SECRET.encode()).decode()
            task = {"task_type": "mail", "payload": encoded}
            task_id = rest.post("/tasks", json=task).json()["id"]
            assert rest.get(f"/tasks/{task_id}").status_code == 200
            for content in (f'{{"task_type": {SECRET}', f'{{"task_type": "t", "payload": "{SECRET}"}}', SECRET):
                headers = {"Content-Type": "application/json"}
                assert rest.post("/tasks", content=content, headers=headers).status_code == 400
            assert rest.post("/tasks", json=task | {"payload": encoded * 100_000}).status_code in (400, 413)
            assert rest.get(f"/tasks/{SECRET}").status_code >= 400
            for shown in (f"Bearer {wrong}", f"Bearer {SECRET}", f"Basic {token}"):
                assert rest.get("/stats", headers={"Authorization": shown}).status_code == 401
            assert rest.get("/stats", params={"token": token}).status_code == 400
        say_nonsense(broker.rest)
        assert broker.process.end() == 0
        log = broker.process.log

    assert "access_denied" in log
    assert_no_secret(log, SECRET, token[TOKEN_ID_CHARS:], wrong[TOKEN_ID_CHARS:])


async def test_no_log_of_grpc_has_a_payload_a_result_or_a_token(tmp_path: Path) -> None:
    with edge_broker(tmp_path, "--log-level", "debug", **GRPC_ON) as broker:
        broker.event("edge_started")
        token = await asyncio.to_thread(broker.token, "tests", "admin")
        wrong = token[:-6] + "wrong6"

        def shown(text: str) -> tuple[tuple[str, str], ...]:
            return (("authorization", text),)

        async with grpc.aio.insecure_channel(broker.grpc.removeprefix("grpc://")) as channel:
            tasks, good = Stubs(channel).Tasks, shown(f"Bearer {token}")
            task = pb.Task(task_type="mail", payload=SECRET.encode())
            taken = await tasks.Submit(pb.SubmitRequest(task=task), metadata=good)
            assert (await tasks.Get(pb.TaskId(id=taken.id), metadata=good)).payload == SECRET.encode()
            submit_bytes: Any = channel.unary_unary("/tq.v1.Tasks/Submit")
            large = pb.SubmitRequest(task=pb.Task(task_type="mail", payload=SECRET.encode() * 100_000))
            for call in (
                tasks.Submit(large, metadata=good),
                tasks.Get(pb.TaskId(id=SECRET), metadata=good),
                *(tasks.Get(pb.TaskId(id=taken.id), metadata=shown(text)) for text in (f"Bearer {wrong}", SECRET)),
                submit_bytes(SECRET.encode(), metadata=good),
            ):
                with pytest.raises(grpc.aio.AioRpcError):
                    await call
        await asyncio.to_thread(say_nonsense, broker.grpc)
        assert broker.process.end() == 0
        log = broker.process.log

    assert "access_denied" in log
    assert_no_secret(log, SECRET, token[TOKEN_ID_CHARS:], wrong[TOKEN_ID_CHARS:])


def say_nonsense(address: str) -> None:
    """Send what is no request at all to an edge, and read until it has had enough."""
    port = int(address.rpartition(":")[2])
    for nonsense in (f"GET / {SECRET}\r\n\r\n", f"{SECRET}\r\n\r\n", "\0" + SECRET):
        with socket.create_connection(("127.0.0.1", port)) as sock, contextlib.suppress(ConnectionError):
            sock.sendall(nonsense.encode())
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65_536):
                pass


def assert_no_secret(log: str, *secrets: str) -> None:
    for secret in secrets:
        for form in (secret, base64.b64encode(secret.encode()).decode(), secret.encode().hex()):
            assert form not in log, next(line for line in log.splitlines() if form in line)
