"""A service that is killed in the middle of an apply leaves nothing of it, and a repetition does all of it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from testkit.callers import ADMIN
from testkit.commands import Service, up
from testkit.databases import NOON
from testkit.doubles import FakeClock, RecordingBroker
from testkit.lock_waits import wait_for_lock_waiter
from testkit.waiting import wait_until

from scheduler_service.domain.listing import JobFilter, Page
from scheduler_service.features.apply.records import Action, Selector
from scheduler_service.features.apply.service import ApplyService
from scheduler_service.services.jobs import JobService
from scheduler_service.storage.database import Database

COUNT = 300
# Together more than SQLite keeps in memory, so that it writes to the disk before the commit.
SCRIPT = "# " + "x" * 30_000
SPILLED_BYTES = 4_000_000
OLD = Selector(tag="old")


def document(name: str, script: str = "true", **fields: Any) -> dict[str, Any]:
    return {"name": name, "schedule_expr": None, "payload": {"type": "shell_script", "script": script}, **fields}


BEFORE = [document("changed"), document("deleted", tags=["old"])]
AFTER = [document("changed", priority=9), *(document(f"new {number}", SCRIPT) for number in range(COUNT))]
REQUEST = {"documents": AFTER, "prune": {"tag": "old"}}


def send(service: Service, threads: ThreadPoolExecutor) -> Future[httpx2.Response]:
    """Send the second set."""
    return threads.submit(service.client.post, "jobs/apply", json=REQUEST, timeout=60)


def kill(service: Service, answer: Future[httpx2.Response]) -> None:
    """Kill the service, whose client gets no answer."""
    service.process.kill()
    with pytest.raises(httpx2.TransportError):
        answer.result(60)


async def check_nothing_is_done_and_repeat(url: str) -> None:
    database, clock = Database(url), FakeClock(NOON)
    jobs = JobService(database, RecordingBroker(), clock, lambda: None)
    applies = ApplyService(database, clock, jobs)
    stored = (await jobs.page(ADMIN, JobFilter(), Page(size=100))).items
    assert sorted((job.name, job.version, job.priority) for job in stored) == [("changed", 1, 5), ("deleted", 1, 5)]
    done = await applies.apply(ADMIN, AFTER, OLD)
    again = await applies.apply(ADMIN, AFTER, OLD)
    await database.close()
    assert [len(done.having(action)) for action in (Action.CREATE, Action.CHANGE, Action.DELETE)] == [COUNT, 1, 1]
    assert len(again.having(Action.UNCHANGED)) == COUNT + 1 == len(again.steps)


async def test_kill_while_sqlite_writes_leaves_nothing(tmp_path: Path) -> None:
    log = tmp_path / "data" / "scheduler.db-wal"
    with ThreadPoolExecutor() as threads, up(tmp_path) as service:
        service.call("POST", "jobs/apply", {"documents": BEFORE})
        answer = send(service, threads)
        # The log holds pages of the transaction that is not committed yet.
        wait_until(lambda: log.stat().st_size > SPILLED_BYTES, pause_seconds=0.002)
        kill(service, answer)
    await check_nothing_is_done_and_repeat(f"sqlite:///{tmp_path / 'data' / 'scheduler.db'}")


async def test_kill_inside_a_transaction_of_postgresql_leaves_nothing(
    tmp_path: Path, migrated_postgres_url: str
) -> None:
    database = Database(migrated_postgres_url)
    with ThreadPoolExecutor() as threads, up(tmp_path, DATABASE_URL=migrated_postgres_url) as service:
        service.call("POST", "jobs/apply", {"documents": BEFORE})
        async with database.write() as connection:
            # The new jobs are stored then, and their entries of the audit trail wait.
            await connection.execute(text("LOCK TABLE audit_entries IN EXCLUSIVE MODE"))
            answer = send(service, threads)
            await wait_for_lock_waiter(database)
            kill(service, answer)
    await database.close()
    await check_nothing_is_done_and_repeat(migrated_postgres_url)
