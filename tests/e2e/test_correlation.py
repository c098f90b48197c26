"""What operators see of the distributed mode: one id in every process, and only JSON in the logs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from testkit.cluster import Client, Cluster, Member
from testkit.observer import start_api
from testkit.waiting import eventually
from tests.e2e.collector import Collector, Trace, collector

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.storage.logs import read

pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
FORGED = (
    r"""printf '{"level": "forged"}\n\033[31mred\r\n\0'; echo '"}' >&2; echo "id=$SCHEDULER_CORRELATION_ID"; exit 3"""
)


@pytest.fixture
def spans() -> Iterator[Collector]:
    with collector() as found:
        yield found


def lines_of(member: Member) -> list[dict[str, Any]]:
    return [json.loads(line) for line in member.log.split("\n") if line]


async def traced(spans: Collector, correlation_id: str) -> Trace:
    async def look() -> Trace | None:
        return spans.trace_of(correlation_id)

    trace: Trace = await eventually(look)
    return trace


async def test_request_id_is_in_every_log_and_every_line_is_json(
    cluster: Cluster, client: Client, spans: Collector
) -> None:
    cluster.environment |= spans.variables
    _, _, observer = await asyncio.gather(cluster.start_beat(), cluster.start_worker(), start_api(cluster))
    beat, worker, api = cluster.members
    scheduled_id = await client.create("true", schedule_expr="1s")
    job_id = await client.create(FORGED, name='forged\n{"level": "forged"}')
    headers = {"X-API-Key": DEVELOPMENT_API_KEY, "X-Request-ID": "order-4711"}
    async with httpx2.AsyncClient(base_url=observer.url, headers=headers, verify=False) as http:
        answer = await http.post(f"/api/v1/jobs/{job_id}/run")
        await http.get('/no/such/path\n{"level": "forged"}'.replace("\n", "%0A"))
    assert answer.headers["X-Request-ID"] == "order-4711"
    run = await client.until(answer.json()["id"], "failed")
    async with client.database.read() as connection:
        log = (await read(connection, run.id)).decode()

    assert run.correlation_id == "order-4711"
    assert "id=order-4711" in log
    asked_for = await traced(spans, "order-4711")
    assert "POST" in asked_for.line_of(asked_for.named("dispatch"))[-1].name
    check_processes(asked_for, dispatched_by=api, executed_by=worker)
    query = "SELECT correlation_id, trace_parent FROM runs WHERE job_id = :id ORDER BY id LIMIT 1"
    ((fired_id, carried),) = await eventually(lambda: client.ask(query, id=scheduled_id))
    fired = await traced(spans, fired_id)
    begin = fired.named("dispatch")
    assert (len(fired.spans), begin.parent_id) == (3, "")
    check_processes(fired, dispatched_by=beat, executed_by=worker)
    assert carried.startswith(f"00-{begin.trace_id}-{begin.span_id}-")

    await observer.close()
    cluster.stop()
    for lines in map(lines_of, cluster.members):
        assert all({"timestamp", "level", "event", "logger"} <= line.keys() for line in lines)
        assert "forged" not in {line["level"] for line in lines}
    assert "request_finished" in {line["event"] for line in lines_of(api) if line.get("correlation_id") == "order-4711"}
    events = {line["event"] for line in lines_of(worker) if line.get("correlation_id") == "order-4711"}
    assert {"attempt_started", "attempt_failed"} <= events
    everything = "".join(member.log for member in cluster.members)
    assert "printf" not in everything, "the text of a payload"
    assert DEVELOPMENT_API_KEY not in everything
    assert "printf" not in str(spans.spans), "the text of a payload"


def check_processes(trace: Trace, *, dispatched_by: Member, executed_by: Member) -> None:
    """Check that a trace spans both processes, with the dispatch as the parent of the run."""
    for span in trace.line_of(trace.named("dispatch")):
        assert span.instance.endswith(f"-{dispatched_by.pid}")
    for span in (trace.named("queue wait"), trace.named("run")):
        assert span.instance.endswith(f"-{executed_by.pid}")
        assert span.parent_id == trace.named("dispatch").span_id
