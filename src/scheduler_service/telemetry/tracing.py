"""Traces by OpenTelemetry: off, and next to free, unless OTEL_EXPORTER_OTLP_ENDPOINT names where they are to go.

A run's row carries the W3C trace context of what asked for it, so the trace goes on in whatever process executes it.
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

__all__ = ["Span", "context_for_run", "execution", "exported", "note_outcome"]

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_HEADER = "traceparent"

_tracer = trace.get_tracer("scheduler_service")
_propagator = TraceContextTextMapPropagator()


@contextmanager
def exported() -> Iterator[None]:
    """Send the spans of this process, by OTLP over HTTP, until the end of the block; without an endpoint do nothing.

    OpenTelemetry knows one provider for each process, so of several blocks in one the first counts. Raises
    `ConfigurationError` where an endpoint is named but the SDK is not installed.
    """
    if not os.environ.get(ENDPOINT) or not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
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


def context_for_run(job_id: int, correlation_id: str) -> str | None:
    """Return the context that a new run is to carry: of the request at hand, else of a trace of its own.

    None: nobody traces.
    """
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return None
    attributes: dict[str, str | int] = {"scheduler.job_id": job_id, "scheduler.correlation_id": correlation_id}
    carrier: dict[str, str] = {}
    with _tracer.start_as_current_span("dispatch", kind=SpanKind.PRODUCER, attributes=attributes):
        _propagator.inject(carrier)
    return carrier.get(_HEADER)


@contextmanager
def execution(parent: str | None, *, waits_since: datetime, begun_at: datetime, **about: str | int) -> Iterator[Span]:
    """Trace an attempt, and before it the time that the run waited, in the context that the run carries."""
    context = Context() if parent is None else _propagator.extract({_HEADER: parent}, Context())
    attributes = {f"scheduler.{name}": value for name, value in about.items()}
    waiting = _tracer.start_span("queue wait", context, attributes=attributes, start_time=_nanoseconds(waits_since))
    waiting.end(_nanoseconds(begun_at))
    with _tracer.start_as_current_span("run", context, SpanKind.CONSUMER, attributes, record_exception=False) as span:
        yield span


def note_outcome(span: Span, status: str, *, is_failure: bool) -> None:
    """Return what an attempt came to."""
    span.set_attribute("scheduler.status", status)
    if is_failure:
        span.set_status(StatusCode.ERROR)


def _nanoseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1_000_000) * 1000
