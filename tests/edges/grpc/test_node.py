"""examples/node: a worker and a client in another language, on the npm packages that its lock file names."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from tests.edges.grpc.conftest import Edge, serving
from tests.server.edges import Edges
from tq.client.task import Task
from tq.model.task import State

ROOT = Path(__file__).parents[3]
JSON = "application/json"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or shutil.which("npm") is None, reason="needs Node.js with npm"
)


@pytest.fixture(scope="session")
def node_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with its packages."""
    directory = tmp_path_factory.mktemp("node") / "example"
    shutil.copytree(ROOT / "examples/node", directory, ignore=shutil.ignore_patterns("node_modules"))
    command = ("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
    subprocess.run(command, cwd=directory, check=True, timeout=100, capture_output=True)
    return directory


class Node:
    """A program of the example."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def says(self, line: str) -> None:
        assert self.process.stdout
        async with asyncio.timeout(30):
            said = (await self.process.stdout.readline()).decode().strip()
        assert said == line

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        async with asyncio.timeout(30):
            return await self.process.wait()


@asynccontextmanager
async def running(example: Path, program: str, port: int) -> AsyncIterator[Node]:
    process = await asyncio.create_subprocess_exec(
        "node",
        program,
        f"127.0.0.1:{port}",
        cwd=example,
        stdout=subprocess.PIPE,
        env={**os.environ, "TQ_PROTO": str(ROOT / "tq/edges/grpc/tq.proto")},
    )
    try:
        yield Node(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until_running(edge: Edge, task_id: str) -> None:
    async with asyncio.timeout(30):
        while (await edge.native.get_task(task_id)).state is not State.IN_PROGRESS:
            await asyncio.sleep(0.01)


async def test_the_client_and_the_worker_do_what_they_say(edge: Edge, node_example: Path) -> None:
    async with running(node_example, "worker.mjs", edge.port) as worker:
        await worker.says("ready")
        async with running(node_example, "client.mjs", edge.port) as client:
            async with asyncio.timeout(60):
                said, _ = await client.process.communicate()
        assert await worker.end() == 0

    assert said.decode().splitlines() == [
        'result: {"words":6,"counts":{"to":2,"be":2,"or":1,"not":1}}',
        "words: 1 2 3",
        "failed: task ID: there is no text to count",
        "cancelled: task ID: enough slept",
        "code: TASK_NOT_FOUND",
        "completed: true",
    ]


async def test_a_worker_in_node_runs_what_python_submits_each_once(edge: Edge, node_example: Path) -> None:
    tasks = [Task("node.count_words", b'{"text": "a b c"}', queue="node", content_type=JSON) for _ in range(2_000)]
    ids = await edge.native.submit_tasks(tasks)

    async with running(node_example, "worker.mjs", edge.port) as worker:
        results = await asyncio.gather(*(edge.native.wait_for_result(task_id, timeout=60) for task_id in ids))
        assert await worker.end() == 0

    assert {msgspec.json.decode(result)["words"] for result in results} == {3}
    (queue,) = await edge.native.queues()
    assert (queue.completed_total, queue.failed_total, queue.in_progress) == (2_000, 0, 0)
    log = await edge.native.task_log(ids[0])
    assert [line.text for line in log.lines] == ["3 words"]


async def test_a_worker_in_node_keeps_its_task_over_a_restart_of_the_edge(broker: Edges, node_example: Path) -> None:
    async with serving(broker) as edge:
        task = Task("node.sleep", b'{"seconds": 1}', queue="node", content_type=JSON)
        task_id = await edge.native.submit_task(task)
        program = running(node_example, "worker.mjs", edge.port)
        worker = await program.__aenter__()
        await until_running(edge, task_id)
        port = edge.port
    async with serving(broker, port=port) as edge:
        result = await edge.native.wait_for_result(task_id, timeout=30)
        view = await edge.native.get_task(task_id)
        assert await worker.end() == 0
        await program.__aexit__(None, None, None)

    assert result == b'{"slept":1}'
    assert (view.attempt, view.crashes) == (1, 0)


async def test_a_worker_in_node_that_is_killed_costs_its_task_a_crash_and_no_more(
    edge: Edge, node_example: Path
) -> None:
    task_id = await edge.native.submit_task(Task("node.sleep", b'{"seconds": 600}', queue="node", content_type=JSON))
    async with running(node_example, "worker.mjs", edge.port) as worker:
        await until_running(edge, task_id)
        await worker.end(signal.SIGKILL)
    async with asyncio.timeout(30):  # the grace in which it might come back
        while not (await edge.native.get_task(task_id)).crashes:
            await asyncio.sleep(0.05)

    view = await edge.native.get_task(task_id)
    assert (view.state, view.history[-1].outcome) == (State.PENDING, "crashed")
