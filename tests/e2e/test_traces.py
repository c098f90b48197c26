"""Traces: one from the request to the run. Needs the extra `otel`; across processes, see `test_correlation`."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from testkit.commands import up
from testkit.waiting import wait_until
from tests.e2e.collector import collector

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY

pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
NEVER = "2099-01-01T00:00:00Z"


def test_request_and_its_run_are_one_trace(tmp_path: Path) -> None:
    with collector() as found, up(tmp_path, SCHEDULER_SANDBOX="none", **found.variables) as service:
        headers = {"X-API-Key": DEVELOPMENT_API_KEY, "X-Request-ID": "order-4711"}
        payload = {"type": "shell_script", "script": "exit 3"}
        definition = {"name": "traced", "schedule_expr": NEVER, "payload": payload, "retry_policy": {"max_retries": 0}}
        with httpx2.Client(base_url=service.url, headers=headers, verify=False) as client:
            job_id = client.post("/api/v1/jobs", json=definition).json()["id"]
            client.post(f"/api/v1/jobs/{job_id}/run")
        trace = wait_until(lambda: found.trace_of("order-4711"))

    dispatch, waiting, run = (trace.named(name) for name in ("dispatch", "queue wait", "run"))
    assert "POST" in trace.line_of(dispatch)[-1].name
    assert waiting.parent_id == run.parent_id == dispatch.span_id
    assert waiting.ended_at <= run.started_at
    assert run.about["scheduler.status"] == "failed"
    assert "exit 3" not in str(found.spans)
