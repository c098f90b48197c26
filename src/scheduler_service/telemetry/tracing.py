"""Exports traces with OpenTelemetry if OTEL_EXPORTER_OTLP_ENDPOINT is set; otherwise the cost is negligible.

A run's row stores the W3C trace context of the request that created it. The trace therefore continues in the process
that executes the run.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from scheduler_service.errors import ConfigurationError

__all__ = ["Span", "context_for_run", "execution", "exported", "is_on", "note_outcome"]

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_HEADER = "traceparent"

_tracer = trace.get_tracer("scheduler_service")
_propagator = TraceContextTextMapPropagator()


@contextmanager
def exported() -> Iterator[None]:
    """Export the spans of this process by OTLP over HTTP within the block, or do nothing without an endpoint.

    OpenTelemetry allows one provider per process, so only the first of several blocks takes effect. Raise
    `ConfigurationError` if an endpoint is set but the SDK is not installed.
    """
    if not os.environ.get(ENDPOINT) or is_on():
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 (an extra)
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415 (an extra)
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 (an extra)
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 (an extra)
    except ImportError:
        raise ConfigurationError(
            f"{ENDPOINT}: traces need more packages: "
            "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
        ) from None
    name = os.environ.get("OTEL_SERVICE_NAME", "scheduler-service")
    about = {SERVICE_NAME: name, "service.instance.id": f"{socket.gethostname()}-{os.getpid()}"}
    provider = TracerProvider(resource=Resource.create(about))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


def is_on() -> bool:
    """Return whether this process exports traces."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def context_for_run(job_id: int, correlation_id: str) -> str | None:
    """Return the trace context for a new run, or None if tracing is off.

    It is the context of the current request, or else a new trace.
    """
    if not is_on():
        return None
    attributes: dict[str, str | int] = {"scheduler.job_id": job_id, "scheduler.correlation_id": correlation_id}
    carrier: dict[str, str] = {}
    with _tracer.start_as_current_span("dispatch", kind=SpanKind.PRODUCER, attributes=attributes):
        _propagator.inject(carrier)
    return carrier.get(_HEADER)


@contextmanager
def execution(parent: str | None, *, waits_since: datetime, begun_at: datetime, **about: str | int) -> Iterator[Span]:
    """Trace an attempt, and the run's waiting time before it, in the run's trace context."""
    context = Context() if parent is None else _propagator.extract({_HEADER: parent}, Context())
    attributes = {f"scheduler.{name}": value for name, value in about.items()}
    waiting = _tracer.start_span("queue wait", context, attributes=attributes, start_time=_nanoseconds(waits_since))
    waiting.end(_nanoseconds(begun_at))
    with _tracer.start_as_current_span("run", context, SpanKind.CONSUMER, attributes, record_exception=False) as span:
        yield span


def note_outcome(span: Span, status: str, *, is_failure: bool) -> None:
    """Record the outcome of an attempt in its span."""
    span.set_attribute("scheduler.status", status)
    if is_failure:
        span.set_status(StatusCode.ERROR)


def _nanoseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1_000_000) * 1000
