"""Traces: one from the request to the run, in whatever process that is executed. Needs the extra `otel`."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.e2e.commands import up, wait_until

from scheduler_service.config import DEVELOPMENT_API_KEY

pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
NEVER = "2099-01-01T00:00:00Z"


@contextmanager
def collector() -> Iterator[tuple[str, list[Any]]]:
    """Take in spans, as OTLP over HTTP brings them."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    spans: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") is None and self.path == "/v1/traces":
                request = ExportTraceServiceRequest.FromString(body)
                spans.extend(
                    span for one in request.resource_spans for scope in one.scope_spans for span in scope.spans
                )
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", spans
        finally:
            server.shutdown()
            thread.join()


def attributes(span: Any) -> dict[str, Any]:
    return {item.key: item.value.string_value or item.value.int_value for item in span.attributes}


def test_a_request_and_the_run_that_it_asked_for_are_one_trace(tmp_path: Path) -> None:
    variables = {"SCHEDULER_SANDBOX": "none", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with collector() as (url, spans), up(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=url, **variables) as service:
        headers = {"X-API-Key": DEVELOPMENT_API_KEY, "X-Request-ID": "order-4711"}
        payload = {"type": "shell_script", "script": "exit 3"}
        definition = {"name": "traced", "schedule_expr": NEVER, "payload": payload, "retry_policy": {"max_retries": 0}}
        with httpx2.Client(base_url=service.url, headers=headers) as client:
            job_id = client.post("/api/v1/jobs", json=definition).json()["id"]
            client.post(f"/api/v1/jobs/{job_id}/run")
        (run,) = wait_until(lambda: [span for span in spans if span.name == "run"])
        wait_until(lambda: len([span for span in spans if span.trace_id == run.trace_id]) >= 4)
        trace = {span.name: span for span in spans if span.trace_id == run.trace_id}

    assert {"dispatch", "queue wait", "run"} < trace.keys()
    (request,) = [span for span in trace.values() if not span.parent_span_id]
    assert "POST" in request.name
    assert trace["queue wait"].parent_span_id == trace["run"].parent_span_id == trace["dispatch"].span_id
    assert trace["queue wait"].end_time_unix_nano <= trace["run"].start_time_unix_nano
    assert attributes(trace["run"])["scheduler.correlation_id"] == "order-4711"
    assert attributes(trace["run"])["scheduler.status"] == "failed"
    assert "exit 3" not in str(spans)
