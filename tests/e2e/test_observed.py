"""What operators see of the distributed setting: one id through every process, and nothing but JSON in the logs."""

from __future__ import annotations

import json
from typing import Any

import httpx2
from tests.e2e.cluster import Client, Cluster, Member
from tests.e2e.test_health import start_api

from scheduler_service.config import DEVELOPMENT_API_KEY
from scheduler_service.storage.logs import read

FORGED = (
    r"""printf '{"level": "forged"}\n\033[31mred\r\n\0'; echo '"}' >&2; echo "id=$SCHEDULER_CORRELATION_ID"; exit 3"""
)


def lines_of(member: Member) -> list[dict[str, Any]]:
    return [json.loads(line) for line in member.log.split("\n") if line]


async def test_one_request_id_is_found_everywhere_and_every_line_is_json(cluster: Cluster, client: Client) -> None:
    await cluster.start_beat()
    await cluster.start_worker()
    observer = await start_api(cluster)
    job_id = await client.create(FORGED, name='forged\n{"level": "forged"}')
    headers = {"X-API-Key": DEVELOPMENT_API_KEY, "X-Request-ID": "order-4711"}
    async with httpx2.AsyncClient(base_url=observer.url, headers=headers) as http:
        answer = await http.post(f"/api/v1/jobs/{job_id}/run")
        await http.get('/no/such/path\n{"level": "forged"}'.replace("\n", "%0A"))
    assert answer.headers["X-Request-ID"] == "order-4711"
    run = await client.until(answer.json()["id"], "failed")

    async with client.database.read() as connection:
        log = (await read(connection, run.id)).decode()
    await observer.close()
    for member in cluster.members:
        member.stop()

    assert run.correlation_id == "order-4711"
    assert "id=order-4711" in log
    beat, worker, api = (lines_of(member) for member in cluster.members)
    for lines in (beat, worker, api):
        assert all({"timestamp", "level", "event", "logger"} <= line.keys() for line in lines)
        assert "forged" not in {line["level"] for line in lines}
    assert "request" in {line["event"] for line in api if line.get("correlation_id") == "order-4711"}
    events = {line["event"] for line in worker if line.get("correlation_id") == "order-4711"}
    assert {"attempt_started", "attempt_ended"} <= events
    everything = "".join(member.log for member in cluster.members)
    assert "printf" not in everything, "the text of a payload"
    assert DEVELOPMENT_API_KEY not in everything
