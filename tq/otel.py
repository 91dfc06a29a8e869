"""OpenTelemetry for an application: `pip install tq[otel]`; docs/tracing.md.

    from tq.otel import Tracing

    app = tq.App("shop", tracing=Tracing())

The trace travels in the task, so that what a handler does is a part of the trace of whoever enqueued it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from msgspec.structs import replace
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from tq import __version__
from tq.app.context import Snooze
from tq.app.invoke import describe_type
from tq.model.ids import format_id
from tq.model.task import StoredTask, TaskOptions, TaskSpec

_PROPAGATOR = TraceContextTextMapPropagator()
_HEADER = "traceparent"
_DEFAULTS = TaskOptions()


def current_trace() -> str:
    """Where the calling code is in its trace, as a task carries it: for `tq.Task(..., trace=current_trace())`. Empty
    where nothing is traced."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get(_HEADER, "")


class Tracing:
    """Spans for submits, waits and runs of an application, by the names of OpenTelemetry's conventions for messaging.

    Args:
        tracer_provider: None: the global one, as it is when the first span is made.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("tq", __version__, tracer_provider)

    @contextmanager
    def submitting(self, specs: Sequence[TaskSpec]) -> Iterator[list[TaskSpec]]:
        """See tq.app.tracing.Tracing: the span `submit <task type>`."""
        first = specs[0]
        attributes = _attributes(first.task_type, first.queue, "send", "submit")
        if len(specs) == 1:
            attributes["messaging.message.id"] = format_id(first.id)
        else:
            attributes["messaging.batch.message_count"] = len(specs)
        with self._tracer.start_as_current_span(
            f"submit {first.task_type}", kind=SpanKind.PRODUCER, attributes=attributes
        ):
            text = current_trace()
            yield [_with_trace(spec, text) for spec in specs] if text else list(specs)

    @contextmanager
    def waiting(self, task_id: str, task_type: str) -> Iterator[None]:
        """See tq.app.tracing.Tracing: the span `wait <task type>`."""
        attributes: dict[str, AttributeValue] = {
            "messaging.system": "tq",
            "messaging.operation.name": "wait",
            "messaging.message.id": task_id,
            "tq.task_type": task_type,
        }
        with self._tracer.start_as_current_span(f"wait {task_type}", kind=SpanKind.CLIENT, attributes=attributes):
            yield

    @contextmanager
    def running(self, stored: StoredTask, attempt: int) -> Iterator[None]:
        """See tq.app.tracing.Tracing: the span `run <task type>`, a child of the submit that the task came from, or the
        beginning of a trace of its own."""
        spec = stored.spec
        attributes = _attributes(spec.task_type, spec.queue, "process", "run")
        attributes["messaging.message.id"] = format_id(spec.id)
        attributes["tq.attempt"] = attempt
        with self._tracer.start_as_current_span(
            f"run {spec.task_type}",
            context=_parent(spec.options.trace if spec.options is not None else ""),
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                _note_end(span, error)
                raise
            span.set_attribute("tq.outcome", "completed")


def _attributes(task_type: str, queue: str, operation_type: str, name: str) -> dict[str, AttributeValue]:
    return {
        "messaging.system": "tq",
        "messaging.destination.name": queue,
        "messaging.operation.type": operation_type,
        "messaging.operation.name": name,
        "tq.task_type": task_type,
    }


def _with_trace(spec: TaskSpec, text: str) -> TaskSpec:
    return replace(spec, options=replace(spec.options or _DEFAULTS, trace=text))


def _parent(text: str) -> Context:
    """The context of who submitted. Never that of the worker, whatever may be going on there."""
    return _PROPAGATOR.extract({_HEADER: text}, context=Context()) if text else Context()


def _note_end(span: Span, error: BaseException) -> None:
    if isinstance(error, Snooze):
        span.set_attribute("tq.outcome", "snoozed")
    elif isinstance(error, Exception):
        span.set_attribute("tq.outcome", "failed")
        span.set_attribute("error.type", describe_type(error))
        span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, describe_type(error)))
    else:  # it was cancelled, has timed out, or its worker ends
        span.set_attribute("tq.outcome", "stopped")
