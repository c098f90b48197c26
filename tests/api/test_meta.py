"""What clients learn about the service, its workers and the figures of a job."""

from __future__ import annotations

import httpx2
from tests.api.conftest import SHARED, run_to_its_end

pytestmark = SHARED


async def test_meta_describes_the_service_and_the_caller(client: httpx2.AsyncClient) -> None:
    meta = (await client.get("/api/v1/meta")).json()

    kinds = {kind["type"]: kind["schema"] for kind in meta["payload_types"]}
    assert kinds["shell_script"]["properties"]["script"]["type"] == "string"
    assert {"Europe/Berlin", "UTC"} <= set(meta["timezones"])
    assert (meta["key_id"], meta["owner_id"], meta["mode"]) == ("API_KEY", None, "embedded")
    assert set(meta["scopes"]) == {"read", "write", "run", "admin"}
    assert "default" in meta["environments"]
    assert meta["maxima"]["network"] is True


async def test_workers_and_figures_of_a_job_are_shown(client: httpx2.AsyncClient) -> None:
    job_id = await run_to_its_end(client, "exit 3")

    (worker,) = (await client.get("/api/v1/workers")).json()["workers"]
    stats = (await client.get(f"/api/v1/jobs/{job_id}/stats?window=7d")).json()
    series = (await client.get("/api/v1/stats?window=2h&step=10m")).json()["series"]

    assert (worker["state"], worker["slots"]) == ("alive", 2)
    assert (await client.get(f"/api/v1/workers/{worker['id']}")).json()["host"] == worker["host"]
    assert (stats["by_status"], stats["by_reason"], stats["success_rate"]) == ({"failed": 1}, {"exit_code": 1}, 0)
    assert len(series) == 12
    assert (await client.get("/api/v1/stats?window=7d&step=10m")).status_code == 422
    assert (await client.post("/api/v1/workers/nobody/drain")).status_code == 404
