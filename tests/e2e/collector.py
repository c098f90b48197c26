"""A collector of spans by OTLP over HTTP. Needs the extra `otel`."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """One span, and the process that it came from."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    started_at: int
    ended_at: int
    about: dict[str, Any]
    instance: str


@dataclass(frozen=True, slots=True)
class Trace:
    """Spans of one trace."""

    spans: tuple[Span, ...]

    @property
    def is_whole(self) -> bool:
        """Whether it has a beginning, and the parent of every other span."""
        parents = {span.parent_id for span in self.spans}
        return "" in parents and parents <= {"", *(span.span_id for span in self.spans)}

    def named(self, name: str) -> Span:
        """Return the span of a name."""
        (span,) = [span for span in self.spans if span.name == name]
        return span

    def line_of(self, span: Span) -> list[Span]:
        """Return a span, its parent, and so on up to the first."""
        parents = [other for other in self.spans if other.span_id == span.parent_id]
        return [span, *(self.line_of(parents[0]) if parents else [])]


@dataclass(frozen=True, slots=True)
class Collector:
    """The address of the collector, and the spans that it has received."""

    url: str
    spans: list[Span] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment of a process that sends its spans here, in batches every 0.1 s."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}

    def trace_of(self, correlation_id: str) -> Trace | None:
        """Return the trace of the run with that id, or None while spans of it are missing."""
        runs = [span for span in self.spans if span.name == "run" and _id_of(span) == correlation_id]
        trace = Trace(tuple(span for span in self.spans if runs and span.trace_id == runs[0].trace_id))
        return trace if trace.is_whole else None


@contextmanager
def collector() -> Iterator[Collector]:
    """Receive spans until the end of the block."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") is None and self.path == "/v1/traces":
                found.spans.extend(_spans(ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Collector(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def _spans(request: Any) -> Iterator[Span]:
    for process in request.resource_spans:
        instance = _values(process.resource.attributes).get("service.instance.id", "")
        for scope in process.scope_spans:
            for span in scope.spans:
                ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                times = (span.start_time_unix_nano, span.end_time_unix_nano)
                yield Span(span.name, *ids, *times, _values(span.attributes), instance)


def _values(attributes: Any) -> dict[str, Any]:
    return {item.key: item.value.string_value or item.value.int_value for item in attributes}


def _id_of(span: Span) -> Any:
    return span.about.get("scheduler.correlation_id")
