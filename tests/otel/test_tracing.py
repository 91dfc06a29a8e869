"""Traces: from the submit, through the broker, into handlers of every kind; and nothing where none is wanted."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

import tq
from tests.client.real import real_broker
from tests.otel import traced
from tests.worker.rig import a_worker
from tq.model.task import StoredTask, TaskOptions, TaskSpec
from tq.otel import Tracing, current_trace
from tq.testing import MemoryBroker

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Spans:
    """A tracer of this test, and the spans that ended."""

    def __init__(self) -> None:
        self.provider = TracerProvider()
        self._exporter = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def named(self, name: str) -> ReadableSpan:
        (span,) = [span for span in self._exporter.get_finished_spans() if span.name == name]
        return span

    def names(self) -> list[str]:
        return [span.name for span in self._exporter.get_finished_spans()]


@pytest.fixture
def spans() -> Spans:
    return Spans()


@pytest.fixture
def app(spans: Spans, tq_app: MemoryBroker) -> tq.App:
    app = tq.App("traced", tracing=Tracing(spans.provider))
    tq_app.use(app)
    return app


def ids_of(span: ReadableSpan) -> tuple[int, int]:
    assert span.context is not None
    return span.context.trace_id, span.context.span_id


def is_child(child: ReadableSpan, parent: ReadableSpan) -> bool:
    return child.parent is not None and (child.parent.trace_id, child.parent.span_id) == ids_of(parent)


async def test_a_handler_runs_in_a_child_of_the_submit_and_the_submit_in_one_of_who_enqueued(
    app: tq.App, spans: Spans, tq_app: MemoryBroker
) -> None:
    seen: list[int] = []

    @app.task(queue="mail")
    async def welcome(user_id: int) -> None:
        await asyncio.sleep(0)
        seen.append(get_current_span().get_span_context().span_id)

    with spans.provider.get_tracer("test").start_as_current_span("sign up"):
        handle = await welcome.enqueue(7)
    await tq_app.drain()

    run, submit, root = spans.named("run welcome"), spans.named("submit welcome"), spans.named("sign up")
    assert is_child(run, submit)
    assert is_child(submit, root)
    assert seen == [ids_of(run)[1]], "the handler's own spans will be children of its run"
    assert (submit.kind, run.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert dict(submit.attributes or {}) == {
        "messaging.system": "tq",
        "messaging.destination.name": "mail",
        "messaging.operation.type": "send",
        "messaging.operation.name": "submit",
        "messaging.message.id": handle.id,
        "tq.task_type": "welcome",
    }
    assert dict(run.attributes or {}) == {
        "messaging.system": "tq",
        "messaging.destination.name": "mail",
        "messaging.operation.type": "process",
        "messaging.operation.name": "run",
        "messaging.message.id": handle.id,
        "tq.task_type": "welcome",
        "tq.attempt": 1,
        "tq.outcome": "completed",
    }


def test_plain_handlers_and_plain_callers_are_traced_too(app: tq.App, spans: Spans, tq_app: MemoryBroker) -> None:
    @app.task
    def resize(width: int) -> int:
        return width

    handle = resize.enqueue_sync(7)
    tq_app.drain_sync()

    assert handle.result_sync() == 7
    assert is_child(spans.named("run resize"), spans.named("submit resize"))
    assert spans.named("wait resize").kind is SpanKind.CLIENT
    assert (spans.named("wait resize").attributes or {})["messaging.message.id"] == handle.id


async def test_many_tasks_of_one_submit_are_children_of_the_same_span(
    app: tq.App, spans: Spans, tq_app: MemoryBroker
) -> None:
    @app.task
    async def one(number: int) -> None: ...

    await one.enqueue_many([(1,), (2,), (3,)])
    assert await one.enqueue_many([]) == []
    await tq_app.drain()

    submit = spans.named("submit one")
    runs = [span for span in spans._exporter.get_finished_spans() if span.name == "run one"]
    assert (submit.attributes or {})["messaging.batch.message_count"] == 3
    assert len(runs) == 3
    assert all(is_child(run, submit) for run in runs)


async def test_a_failure_is_an_error_of_its_span_and_each_attempt_has_one(
    app: tq.App, spans: Spans, tq_app: MemoryBroker
) -> None:
    @app.task(max_retries=1, retry=tq.retry(backoff=tq.fixed("1s")))
    async def fails() -> None:
        raise ValueError("no")

    await fails.enqueue()
    await tq_app.drain(raise_errors=False)
    tq_app.advance("1m")
    await tq_app.drain(raise_errors=False)

    runs = [span for span in spans._exporter.get_finished_spans() if span.name == "run fails"]
    assert [(run.attributes or {})["tq.attempt"] for run in runs] == [1, 2]
    for run in runs:
        assert run.status.status_code is StatusCode.ERROR
        assert (run.attributes or {})["error.type"] == "ValueError"
        assert [event.name for event in run.events] == ["exception"]
        assert is_child(run, spans.named("submit fails"))


async def test_a_snooze_is_no_error(app: tq.App, spans: Spans, tq_app: MemoryBroker) -> None:
    @app.task
    async def later() -> None:
        raise tq.Snooze("1h")

    await later.enqueue()
    await tq_app.drain()

    run = spans.named("run later")
    assert run.status.status_code is StatusCode.UNSET
    assert (run.attributes or {})["tq.outcome"] == "snoozed"


def test_a_task_of_nobody_begins_a_trace_of_its_own(spans: Spans) -> None:
    """Never a child of whatever goes on in the worker."""
    stored = StoredTask(1, 1, 0, 0, TaskSpec(bytes(16), "work", b""))
    current = spans.provider.get_tracer("test").start_as_current_span("something else")
    with current, Tracing(spans.provider).running(stored, attempt=1):
        pass

    assert spans.named("run work").parent is None


def test_a_handler_that_is_stopped_is_no_error(spans: Spans) -> None:
    spec = TaskSpec(bytes(16), "work", b"", options=TaskOptions(trace=TRACEPARENT))
    running = Tracing(spans.provider).running(StoredTask(1, 1, 0, 0, spec), attempt=2)
    with pytest.raises(asyncio.CancelledError), running:
        raise asyncio.CancelledError

    run = spans.named("run work")
    assert run.status.status_code is StatusCode.UNSET
    assert (run.attributes or {})["tq.outcome"] == "stopped"
    assert run.parent is not None
    assert f"{run.parent.trace_id:032x}-{run.parent.span_id:016x}" == TRACEPARENT[3:52]


async def test_without_tracing_a_task_carries_nothing(tq_app: MemoryBroker) -> None:
    app = tq.App("untraced")
    tq_app.use(app)

    @app.task
    async def work() -> None: ...

    handle = await work.enqueue()

    assert (await handle.status()).trace == ""


def test_the_current_trace_is_what_a_task_of_the_client_carries(spans: Spans) -> None:
    assert current_trace() == ""
    with spans.provider.get_tracer("test").start_as_current_span("here") as span:
        text = current_trace()
        context = span.get_span_context()

    assert text.startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")
    spec = tq.Task("mail", trace=text).to_spec()
    assert spec.options is not None
    assert spec.options.trace == text


def test_an_application_without_tracing_imports_nothing_of_it() -> None:
    modules = "tq, tq.worker.child, tq.client.async_client"
    code = f"import sys, {modules}; print([name for name in sys.modules if 'telemetry' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"


async def test_a_trace_goes_through_a_real_broker_into_handlers_of_every_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "spans"
    monkeypatch.setenv(traced.FILE, str(file))
    with real_broker(tmp_path / "data") as broker:
        monkeypatch.setenv("TQ_URL", broker.address)
        async with a_worker(broker.address, "tests.otel.traced:app") as worker, traced.app:
            with traced.provider.get_tracer("test").start_as_current_span("root"):
                handles = [await task.enqueue() for task in (traced.in_loop, traced.in_thread, traced.in_process)]
            places = [await handle.result("30s") for handle in handles]
            enqueuer = await traced.enqueues.enqueue()
            inner = await traced.in_thread.handle(await enqueuer.result("30s")).result("30s")
            async with tq.AsyncClient(broker.address) as client:
                by_hand = await client.submit_task(tq.Task("in_loop", trace=TRACEPARENT))
                outcome = await client.wait(by_hand, 30)
                view = await client.get_task(by_hand)
            logged = await worker.logged("task_completed")

    spans = [json.loads(line) for line in file.read_text().splitlines()]
    by_id = {span["context"]["span_id"].removeprefix("0x"): span for span in spans}

    def chain(place: str) -> list[str]:
        """The names of the spans from the one at a place up to its root, all of one trace."""
        trace_id, _, span_id = place.partition("-")
        names: list[str] = []
        while span_id:
            span: dict[str, Any] = by_id[span_id]
            assert span["context"]["trace_id"] == f"0x{trace_id}"
            names.append(span["name"])
            span_id = (span["parent_id"] or "").removeprefix("0x")
        return names

    assert chain(places[0]) == ["run in_loop", "submit in_loop", "root"]
    assert chain(places[1]) == ["run in_thread", "submit in_thread", "root"]
    assert chain(places[2]) == ["run in_process", "submit in_process", "root"]
    assert chain(inner) == ["run in_thread", "submit in_thread", "run enqueues", "submit enqueues"]
    assert view.trace == TRACEPARENT
    assert outcome.result
    assert f"0x{TRACEPARENT.split('-')[1]}" in {span["context"]["trace_id"] for span in spans}
    assert len(logged["trace_id"]) == 32
