"""Counters against the ledger: after many rows, many runs and kills of the whole service they say the same."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
from prometheus_client.parser import text_string_to_metric_families
from tests.databases import add_job, migrate
from tests.e2e.commands import Service, up, wait_until

from scheduler_service.storage.database import Database

INSTANTS = 100
JOBS_THAT_OVERLAP = 10
JOBS_THAT_SKIP = 90
KILLS = 3

Counts = Counter[tuple[str, str]]


def counters(service: Service) -> Counts:
    text = httpx2.get(f"{service.url}/metrics").raise_for_status().text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return Counter(
        {
            (sample.labels["status"], sample.labels["payload_type"]): int(sample.value)
            for sample in families["scheduler_runs"].samples
            if sample.name == "scheduler_runs_total"
        }
    )


def ledger(file: Path, condition: str) -> Counts:
    joined = "FROM runs JOIN jobs ON jobs.id = job_id"
    counted = "SELECT runs.status, json_extract(payload, '$.type'), count(*)"
    query = f"{counted} {joined} WHERE {condition} GROUP BY 1, 2"
    with closing(sqlite3.connect(file)) as database:
        return Counter({(status, kind): count for status, kind, count in database.execute(query)})


async def store_jobs(file: Path) -> None:
    """Store jobs that owe a hundred instants each, and no more after that."""
    await migrate(f"sqlite:///{file}")
    database, now = Database(f"sqlite:///{file}"), datetime.now(UTC)
    first = now - timedelta(seconds=INSTANTS)
    due = {"schedule_expr": "1s", "anchor_at": first - timedelta(seconds=1), "next_run_at": first, "end_at": now}
    payload = {"type": "shell_script", "script": "exit $((SCHEDULER_RUN_ID % 2))"}
    for number in range(JOBS_THAT_OVERLAP + JOBS_THAT_SKIP):
        policy = "allow" if number < JOBS_THAT_OVERLAP else "skip"
        await add_job(database, **due, payload=payload, misfire_policy="fire_all", overlap_policy=policy)
    await database.close()


def test_after_ten_thousand_rows_and_kills_counters_and_ledger_agree(tmp_path: Path) -> None:
    file = tmp_path / "data" / "scheduler.db"
    file.parent.mkdir()
    asyncio.run(store_jobs(file))
    seen = Counts()
    variables = {"SCHEDULER_SANDBOX": "none", "SCHEDULER_SLOTS": "4"}
    for kill in range(KILLS):
        with up(tmp_path, **variables) as service:
            executed = "runs.status IN ('success', 'failed')"
            wait_until(lambda: ledger(file, executed).total() > (kill + 1) * 200)  # noqa: B023 (called at once)
            told = counters(service)
            assert told >= seen, "a counter went down"
            seen = told
            service.process.kill()
            service.process.wait()
    with up(tmp_path, **variables) as service:
        wait_until(lambda: not ledger(file, "finished_at IS NULL"), patience_seconds=180)
        final, kept = counters(service), ledger(file, "finished_at IS NOT NULL")

    assert final == kept
    assert final >= seen
    assert final.total() >= (JOBS_THAT_OVERLAP + JOBS_THAT_SKIP) * INSTANTS
    assert final["success", "shell_script"] > 0
    assert final["failed", "shell_script"] > 0
    assert final["skipped", "shell_script"] > 0
