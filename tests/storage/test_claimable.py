"""Which runs a worker finds when it polls the database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from testkit.databases import NOON, add_job

from scheduler_service.domain.routing import EVERYTHING, Routing
from scheduler_service.storage import claims, jobs, ledger, runs, workers
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
async def test_poll_and_claim_agree_with_the_routing_rule(database: Database, routing: Routing) -> None:
    tags_of = {await queue(database, tags): tags for tags in TAGS}
    served = {run_id for run_id, tags in tags_of.items() if routing.serves(tags)}

    async with database.write() as connection:
        found = await runs.claimable(connection, NOON, 100, notified_before=NOON, routing=routing)
        await workers.register(connection, "a worker", host="h", pid=1, slots=1, now=NOON)
        claimed = {
            run_id
            for run_id in tags_of
            if await claims.claim(connection, run_id, 0, "a worker", NOON, routing) is not None
        }

    assert {run_id for run_id, _ in found} == served
    assert claimed == served


async def test_run_is_hidden_from_polls_just_after_its_notice(database: Database) -> None:
    run_id = await queue(database)

    async with database.read() as connection:
        at_once = await runs.claimable(connection, NOON, 10, notified_before=NOON - SECOND)
        later = await runs.claimable(connection, NOON + SECOND, 10, notified_before=NOON)

    assert (at_once, later) == ([], [(run_id, 0)])
