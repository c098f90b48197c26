"""Which runs a worker claims, and how late they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from testkit.claiming import claim_all, claim_run
from testkit.databases import NOON, add_job
from tests.storage.stored_runs import put

from scheduler_service.domain.routing import EVERYTHING, Routing
from scheduler_service.domain.run_state import Trigger
from scheduler_service.storage import jobs, ledger, workers
from scheduler_service.storage.database import Database

TAGS = [(), ("day",), ("gpu",), ("day", "gpu"), ("night", "gpu"), ('"; DROP TABLE runs; --',)]
SECOND = timedelta(seconds=1)


async def queue(database: Database, tags: tuple[str, ...] = ()) -> int:
    """Queue a run at noon, with its notice sent at once. Return its id."""
    job = await add_job(database, tags=list(tags))
    async with database.write() as connection:
        (notice,) = (await ledger.fire(connection, [jobs.as_due(job)], NOON)).notices
    return notice.run_id


@pytest.mark.parametrize(
    "routing",
    [
        EVERYTHING,
        Routing(reserved=("gpu", "night")),
        Routing(frozenset({"gpu"}), ("gpu", "night")),
        Routing(frozenset({"night", "day"}), ("gpu", "night")),
    ],
)
async def test_claim_agrees_with_the_routing_rule(database: Database, routing: Routing) -> None:
    tags_of = {await queue(database, tags): tags for tags in TAGS}

    async with database.write() as connection:
        await workers.register(connection, "a worker", host="h", pid=1, slots=1, now=NOON)
        claimed = {each.run.id for each in await claim_all(connection, "a worker", NOON, routing)}

    assert claimed == {run_id for run_id, tags in tags_of.items() if routing.serves(tags)}


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, 60),
        ({"queued_at": NOON + 5 * SECOND, "available_at": NOON + 5 * SECOND}, 60),
        ({"queued_at": NOON, "available_at": NOON + 45 * SECOND}, 15),
        ({"queued_at": NOON, "available_at": NOON + 45 * SECOND, "fault_count": 1}, 60),
        ({"trigger": Trigger.MANUAL, "queued_at": NOON + SECOND, "available_at": NOON + SECOND}, 59),
        ({"trigger": Trigger.RETRY, "queued_at": NOON + SECOND, "available_at": NOON + SECOND}, 59),
        ({"lateness_seconds": 0.25, "available_at": NOON + 45 * SECOND}, 0.25),
        ({"lateness_seconds": 0.0}, 0),
    ],
    ids=[
        "from its instant",
        "from its instant, though it was queued later",
        "from the end of its jitter",
        "from its instant, if a fault of a worker made it wait",
        "from when it was asked for",
        "from when its retry was asked for",
        "as at its first attempt",
        "not at all, as at its first attempt",
    ],
)
async def test_lateness_is_measured_from_the_due_time(
    database: Database, changes: dict[str, Any], seconds: float
) -> None:
    run = await put(database, await add_job(database), **{"trigger": Trigger.SCHEDULE, **changes})
    async with database.write() as connection:
        await workers.register(connection, "a worker", host="h", pid=1, slots=1, now=NOON)
        claimed = await claim_run(connection, run.id, "a worker", NOON + 60 * SECOND)
    assert claimed is not None
    assert claimed.run.lateness_seconds == pytest.approx(seconds)
