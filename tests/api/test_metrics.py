"""Metrics and stats agree with the database, from every process and after a restart."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from testkit.waiting import eventually
from tests.api.conftest import SHARED, client_of, create, run_to_its_end, serving, settings_for

from scheduler_service.storage.database import Database


@pytest.fixture
def client(own_client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """Return a client of a service without runs, because these tests count all runs."""
    return own_client


@pytest.fixture(scope="module")
def untouched(app: FastAPI) -> httpx2.AsyncClient:
    """Return a client of a shared service in which no test starts anything."""
    return client_of(app)


PROMISED = {
    "scheduler_runs_total": {"status", "payload_type"},
    "scheduler_run_duration_seconds": set(),
    "scheduler_fire_lateness_seconds": set(),
    "scheduler_queue_length": {"status"},
    "scheduler_oldest_queued_seconds": set(),
    "scheduler_workers": {"state"},
    "scheduler_slots": {"state"},
    "scheduler_jobs": {"status"},
    "scheduler_dispatcher_tick_age_seconds": set(),
    "scheduler_fenced_writes_total": set(),
    "scheduler_sandbox_faults_total": set(),
    "scheduler_http_request_duration_seconds": {"method", "route", "status"},
}

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(client: httpx2.AsyncClient) -> Samples:
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def sample(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


async def test_every_metric_of_the_contract_has_its_labels(client: httpx2.AsyncClient) -> None:
    await run_to_its_end(client, "true")
    answer = await client.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    for name, labels in PROMISED.items():
        family = families[name.removesuffix("_total")]
        assert family.documentation
        seen = {key for sample in family.samples for key in sample.labels} - {"le"}
        assert seen == labels, name


@SHARED
async def test_counter_is_zero_before_the_first_run(untouched: httpx2.AsyncClient) -> None:
    samples = await scrape(untouched)

    assert sample(samples, "scheduler_runs_total", status="failed", payload_type="program") == 0
    assert sample(samples, "scheduler_runs_total", status="success", payload_type="number_crunching") == 0


async def test_runs_are_counted_by_status_and_duration(client: httpx2.AsyncClient) -> None:
    await run_to_its_end(client, "true")
    await run_to_its_end(client, "exit 3")
    await run_to_its_end(client, "sleep 0.3")

    samples = await scrape(client)

    assert sample(samples, "scheduler_runs_total", status="success", payload_type="shell_script") == 2
    assert sample(samples, "scheduler_runs_total", status="failed", payload_type="shell_script") == 1
    assert sample(samples, "scheduler_run_duration_seconds_count") == 3
    assert sample(samples, "scheduler_fire_lateness_seconds_count") == 3
    assert sample(samples, "scheduler_run_duration_seconds_bucket", le="0.25") <= 2
    assert sample(samples, "scheduler_run_duration_seconds_bucket", le="+Inf") == 3
    assert sample(samples, "scheduler_run_duration_seconds_sum") >= 0.3


async def test_counters_survive_a_restart_and_retention(database_url: str, tmp_path: Path) -> None:
    settings = settings_for(database_url, tmp_path)
    async with serving(settings) as app, client_of(app) as client:
        await run_to_its_end(client, "true")
    database = Database(database_url)
    async with database.write() as connection:
        await connection.execute(text("DELETE FROM attempts"))
        await connection.execute(text("DELETE FROM run_logs"))
        await connection.execute(text("DELETE FROM runs"))
    await database.close()
    async with serving(settings) as app, client_of(app) as client:
        await run_to_its_end(client, "true")
        samples = await scrape(client)
    assert sample(samples, "scheduler_runs_total", status="success", payload_type="shell_script") == 2


async def test_jobs_workers_slots_and_dispatcher_are_reported(client: httpx2.AsyncClient) -> None:
    paused = await create(client, enabled=False)
    await create(client)
    deleted = await create(client)
    await client.delete(f"/api/v1/jobs/{deleted['id']}")

    samples = await scrape(client)

    assert paused["status"] == "paused"
    assert sample(samples, "scheduler_jobs", status="active") == 1
    assert sample(samples, "scheduler_jobs", status="paused") == 1
    assert sample(samples, "scheduler_workers", state="alive") == 1
    assert sample(samples, "scheduler_slots", state="free") == 2
    assert sample(samples, "scheduler_sandbox_workers", level="none") == 1
    assert sample(samples, "scheduler_dispatcher_tick_age_seconds") < 30
    assert sample(samples, "scheduler_database_up") == 1
    assert sample(samples, "scheduler_broker_up") == 1


async def test_queue_length_and_age_are_reported(client: httpx2.AsyncClient) -> None:
    script = {"type": "shell_script", "script": "sleep 60"}
    job = await create(client, payload=script, overlap_policy="queue")
    for _ in range(3):
        await client.post(f"/api/v1/jobs/{job['id']}/run")

    async def waits() -> bool:
        samples = await scrape(client)
        queued = sample(samples, "scheduler_queue_length", status="queued")
        return queued == 2 and sample(samples, "scheduler_oldest_queued_seconds") > 0.2

    await eventually(waits)


async def test_requests_are_measured_by_route_and_known_method(client: httpx2.AsyncClient) -> None:
    await client.get("/api/v1/jobs/4711")
    await client.get("/no/such/path")
    await client.request("BREW", "/api/v1/jobs")

    samples = await scrape(client)

    name = "scheduler_http_request_duration_seconds_count"
    assert sample(samples, name, method="GET", route="/api/v1/jobs/{job_id}", status="404") == 1
    assert sample(samples, name, method="GET", route="(none)", status="404") == 1
    assert {dict(labels)["method"] for key, labels in samples if key == name} == {"GET", "other"}


async def test_metrics_need_the_key_when_one_is_set(migrated_sqlite: Path, tmp_path: Path) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "s.db")
    settings = settings_for(f"sqlite:///{tmp_path}/s.db", tmp_path, metrics_key="watching")
    async with serving(settings) as app, client_of(app) as client:
        assert (await client.get("/metrics")).status_code == 401
        wrong = {"Authorization": "Bearer other"}
        assert (await client.get("/metrics", headers=wrong)).status_code == 401
        for headers in ({"Authorization": "Bearer watching"}, {"X-API-Key": "watching"}):
            assert (await client.get("/metrics", headers=headers)).status_code == 200


async def test_stats_agree_with_the_runs(client: httpx2.AsyncClient) -> None:
    for script in ("true", "sleep 1", "exit 3", "true"):
        await run_to_its_end(client, script)

    stats: dict[str, Any] = (await client.get("/api/v1/stats", params={"window": "15m"})).json()

    assert stats["window_seconds"] == 900
    assert (stats["executed"], stats["success_rate"]) == (4, 0.75)
    assert stats["executed_per_minute"] == round(4 / 15, 6)
    assert stats["by_status"] == {"success": 3, "failed": 1}
    assert stats["by_reason"] == {"exit_code": 1}
    assert 0 < stats["duration_seconds"]["p50"] < 1 <= stats["duration_seconds"]["p95"]
    assert stats["lateness_seconds"]["p50"] <= stats["lateness_seconds"]["p95"]
    assert stats["workers"]["slots"] == 2


@SHARED
async def test_stats_have_no_rates_when_nothing_ran(untouched: httpx2.AsyncClient) -> None:
    stats = (await untouched.get("/api/v1/stats")).json()
    assert (stats["executed"], stats["success_rate"]) == (0, None)
    assert stats["duration_seconds"] == {"p50": None, "p95": None}


@SHARED
async def test_invalid_window_is_refused(untouched: httpx2.AsyncClient) -> None:
    for window in ("", "0h", "1", "1w", "-1h", "99999d"):
        answer = await untouched.get("/api/v1/stats", params={"window": window})
        assert answer.status_code == 422, window
        assert answer.json()["errors"][0]["field"].endswith("window")
