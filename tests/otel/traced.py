"""An application whose spans go to the file in TRACED_SPANS, one JSON object a line: for workers of other processes."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import get_current_span

import tq
from tq.otel import Tracing

FILE = "TRACED_SPANS"


class ToFile(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with Path(os.environ[FILE]).open("a") as file:
            for span in spans:
                file.write(json.dumps(json.loads(span.to_json())) + "\n")
        return SpanExportResult.SUCCESS


provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ToFile()))
app = tq.App("traced", tracing=Tracing(provider))


def here() -> str:
    """The trace id and the span id of where this is called."""
    context = get_current_span().get_span_context()
    return f"{context.trace_id:032x}-{context.span_id:016x}"


@app.task
async def in_loop() -> str:
    return here()


@app.task
def in_thread() -> str:
    return here()


@app.task(run_in="process")
def in_process() -> str:
    return here()


@app.task
async def enqueues() -> str:
    handle = await in_thread.enqueue()
    return handle.id
