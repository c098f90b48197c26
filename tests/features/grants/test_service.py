"""What callers see of grants, and what happens to jobs that may not have them."""

from __future__ import annotations

import pytest
from testkit.callers import ADMIN, ANN, BOB
from testkit.claiming import claim_all
from testkit.databases import NOON, add_job
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.domain.routing import Routing
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.errors import InvalidInputError, NotFoundError
from scheduler_service.features.grants import loops
from scheduler_service.features.grants.file import Grant, Grants
from scheduler_service.features.grants.loops import GrantRefusals
from scheduler_service.features.grants.service import GrantService
from scheduler_service.services.checks import ServerLimits
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.jobs import JobService
from scheduler_service.storage import jobs, ledger, runs, workers
from scheduler_service.storage.database import Database

GRANTS: Grants = {
    "backup": Grant(read=["/data"], write=["/backup"], owners=["ann"], description="Nightly archives"),
    "internet": Grant(connect=["public:443"]),
}
RULES = {name: grant.rule for name, grant in GRANTS.items()}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def service(database: Database, clock: FakeClock) -> GrantService:
    return GrantService(database, clock, GRANTS, heartbeat_seconds=1)


async def register(database: Database, worker_id: str, *grants: str) -> None:
    async with database.write() as connection:
        await workers.register(connection, worker_id, host="h", pid=1, slots=1, grants=grants, now=NOON)


async def queue(database: Database, grants: list[str], owner_id: str = "ann") -> int:
    job = await add_job(database, grants=grants, owner_id=owner_id)
    async with database.write() as connection:
        (notice,) = (await ledger.fire(connection, [jobs.as_due(job)], NOON)).notices
    return notice.run_id


async def test_caller_learns_of_no_other_owner(database: Database, clock: FakeClock) -> None:
    shared = {"backup": Grant(read=["/data"], owners=["ann", "bob"])}
    service = GrantService(database, clock, shared, heartbeat_seconds=1)
    assert [(await service.get(caller, "backup")).owners for caller in (ANN, ADMIN)] == [("ann",), ("ann", "bob")]


async def test_caller_sees_the_grants_of_its_owner_and_their_workers(database: Database, service: GrantService) -> None:
    await register(database, "w1", "backup", "internet")
    await register(database, "w2", "internet")

    assert {grant.name: grant.workers for grant in await service.offered(ANN)} == {
        "backup": ("w1",),
        "internet": ("w1", "w2"),
    }
    assert [grant.name for grant in await service.offered(BOB)] == ["internet"]
    assert [grant.name for grant in await service.offered(ADMIN)] == ["backup", "internet"]


async def test_grant_of_another_owner_is_not_found(service: GrantService) -> None:
    assert (await service.get(ANN, "backup")).write == ("/backup",)
    with pytest.raises(NotFoundError):
        await service.get(BOB, "backup")


async def test_job_is_warned_if_no_live_worker_holds_its_grant(database: Database, service: GrantService) -> None:
    await register(database, "w1", "internet")
    (warning,) = await service.warnings(["backup", "internet"])
    assert warning == 'no live worker holds the grant "backup": runs of this job stay queued until one does.'


@pytest.mark.parametrize(
    ("owner_id", "names", "problem"),
    [
        ("ann", ["archive"], 'unknown grant "archive"; available: backup, internet'),
        ("bob", ["internet", "backup"], 'unknown grant "backup"; available: internet'),
    ],
)
async def test_job_with_a_grant_that_its_owner_lacks_is_refused(
    database: Database, clock: FakeClock, owner_id: str, names: list[str], problem: str
) -> None:
    service = JobService(database, RecordingBroker(), clock, lambda: None, ServerLimits(grants=RULES))
    definition = JobDefinition.model_validate(
        {
            "name": "a job",
            "schedule_expr": "@hourly",
            "owner_id": owner_id,
            "grants": names,
            "payload": {"type": "shell_script", "script": "true"},
        }
    )
    with pytest.raises(InvalidInputError) as refused:
        await service.create(ADMIN, definition)
    (found,) = refused.value.problems
    assert (found.field, found.message) == (f"grants.{len(names) - 1}", problem)


@pytest.mark.parametrize("held", [(), ("backup",), ("backup", "internet")])
async def test_worker_takes_only_runs_whose_grants_it_holds(database: Database, held: tuple[str, ...]) -> None:
    wanted: dict[int, list[str]] = {}
    for grants in ([], ["backup"], ["internet"], ["backup", "internet"], ['"; DROP TABLE runs; --']):
        wanted[await queue(database, grants)] = grants
    await register(database, "w", *held)
    routing = Routing(grants=frozenset(held))

    async with database.write() as connection:
        claimed = {claim.run.id: claim.run.grants for claim in await claim_all(connection, "w", NOON, routing)}

    served = {run_id: grants for run_id, grants in wanted.items() if set(grants) <= set(held)}
    assert claimed == served, "and the run records them"


async def test_runs_fail_behind_many_that_may_wait(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "BATCH", 2)
    for _ in range(4):
        await queue(database, ["internet"])
    taken = await queue(database, ["backup"], owner_id="bob")

    await GrantRefusals(database, clock, RULES).reject_refused()

    async with database.read() as connection:
        run = await runs.find(connection, taken)
    assert run is not None
    assert run.status is RunStatus.FAILED


async def test_waiting_run_fails_when_its_grant_is_taken_away(database: Database, clock: FakeClock) -> None:
    kept, taken = await queue(database, ["internet"]), await queue(database, ["backup"], owner_id="bob")
    without = await queue(database, [])

    await GrantRefusals(database, clock, RULES).reject_refused()

    async with database.read() as connection:
        found = {run_id: await runs.find(connection, run_id) for run_id in (kept, taken, without)}
    assert {run_id: run.status for run_id, run in found.items() if run} == {
        kept: RunStatus.QUEUED,
        taken: RunStatus.FAILED,
        without: RunStatus.QUEUED,
    }
    run = found[taken]
    assert run is not None
    assert run.reason is Reason.REJECTED
    assert run.message == (
        'unknown grant "backup"; available: internet: the grant was taken away after the job had asked for it'
    )
