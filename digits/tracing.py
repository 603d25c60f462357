"""Traces by OpenTelemetry: from a request to what a worker saves of it.

A worker reads many uploads at once. Each has the trace of the request that it came with: the row
keeps its context, in the form that W3C's Trace Context gives it, and the worker adds to that trace
what it did, once it is done. Without OTEL_EXPORTER_OTLP_ENDPOINT nothing of OpenTelemetry is
loaded.
"""

import os
import time
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.backends.signals import connection_created

import digits
from worker.reading.spans import Span

if TYPE_CHECKING:
    from digits.models import Upload

READ = "read"  # the stage that the networks are asked in


def start(process: str) -> None:
    """Begin to send traces; called once in each process, after it was forked.

    process: what it is, which its traces name: "web", "worker".
    """
    if not settings.TRACING:
        return
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.instrumentation.redis import RedisInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    class OfWork(BatchSpanProcessor):
        """Leaves out what a process asks Redis for when there is nothing to do."""

        def on_end(self, span: ReadableSpan) -> None:
            if span.parent is not None or span.kind is not trace.SpanKind.CLIENT:
                super().on_end(span)

    name = os.environ.get("OTEL_SERVICE_NAME") or f"digits-{process}"
    resource = Resource.create({"service.name": name, "service.version": digits.__version__})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(OfWork(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]
    RedisInstrumentor().instrument()
    connection_created.connect(_trace_statements)


def stop() -> None:
    """Send what is left, before the process ends."""
    if settings.TRACING:
        from opentelemetry import trace

        trace.get_tracer_provider().shutdown()  # type: ignore[attr-defined]  # the SDK's has it


def context() -> str | None:
    """Return the context of the trace that is under way, as a row keeps it; None without one."""
    if not settings.TRACING:
        return None
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    if not trace.get_current_span().is_recording():
        return None
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def trace_id(rows: Iterable[object] = ()) -> str | None:
    """Return the id of the trace of one of these rows, or else of what is under way, in
    hexadecimal; None without one.
    """
    kept = (vars(row).get("trace") for row in rows)  # what is not loaded is not asked for
    own = next(filter(None, kept), None) or context()
    return own.split("-")[1] if own else None


def add_reading(
    uploads: "Collection[Upload]",
    spans: Sequence[Span],
    parts: Sequence[Span] = (),
    error: BaseException | None = None,
) -> None:
    """Add to the traces of uploads how they waited and were read together.

    Args:
        uploads: those of one batch; one without a trace is left out.
        spans: the stages of the work; none where there was nothing to work on.
        parts: the spans within the stage READ.
        error: what went wrong.
    """
    traced = [upload for upload in uploads if upload.trace] if settings.TRACING else []
    if not traced:
        return
    from opentelemetry import trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    tracer = trace.get_tracer("digits")
    batch = [trace.Link(trace.get_current_span().get_span_context())]
    start = spans[0].start if spans else time.time_ns()
    end = spans[-1].end if spans and error is None else time.time_ns()
    for upload in traced:
        request = TraceContextTextMapPropagator().extract({"traceparent": upload.trace or ""})
        sent = int(upload.created_at.timestamp() * 1e9)
        tracer.start_span("queue", request, start_time=min(sent, start)).end(start)
        about = {
            "digits.upload": upload.pk,
            "digits.attempt": upload.attempts,
            "digits.batch_size": len(uploads),
        }
        kind = trace.SpanKind.CONSUMER
        own = tracer.start_span("classify", request, kind, about, batch, start)
        within = trace.set_span_in_context(own)
        for span in spans:
            stage = tracer.start_span(span.name, within, start_time=span.start)
            for part in parts if span.name == READ else ():
                in_stage = trace.set_span_in_context(stage)
                tracer.start_span(part.name, in_stage, start_time=part.start).end(part.end)
            stage.end(span.end)
        if error is not None:
            own.record_exception(error)
            own.set_status(trace.StatusCode.ERROR, type(error).__name__)
        own.end(end)


def _trace_statements(connection: Any, **_: Any) -> None:
    if _statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(_statement)


def _statement(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    """Carry out a statement, in a span of the trace that is under way; without its parameters."""
    from opentelemetry import trace

    if not trace.get_current_span().is_recording():
        return execute(sql, params, many, context)
    about = {"db.system.name": context["connection"].vendor, "db.query.text": sql}
    tracer, name = trace.get_tracer("digits"), sql.partition(" ")[0].upper()
    with tracer.start_as_current_span(name, kind=trace.SpanKind.CLIENT, attributes=about):
        return execute(sql, params, many, context)
