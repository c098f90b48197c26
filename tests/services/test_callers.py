"""What a caller reaches: the jobs, runs and events of its owner, by the scopes of its key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from testkit.callers import ADMIN, ANN, BOB
from testkit.doubles import FakeClock, RecordingBroker
from tests.storage.stored_events import settle

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.events import Position
from scheduler_service.domain.listing import JobFilter, Page, RunFilter
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.errors import ConflictError, ForbiddenError, NotFoundError
from scheduler_service.services.events import EventService
from scheduler_service.services.inspection import RejectedError
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.jobs import JobService
from scheduler_service.services.preview_request import PreviewRequest
from scheduler_service.services.run_listing import RunListing
from scheduler_service.services.run_request import RunRequest
from scheduler_service.services.runs import RunService
from scheduler_service.services.schedules import ScheduleService
from scheduler_service.services.stats import StatsService
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import run_logs

DOCUMENT: dict[str, Any] = {
    "name": "a job",
    "schedule_expr": "@hourly",
    "payload": {"type": "shell_script", "script": "true"},
}
DEFINITION = JobDefinition.model_validate(DOCUMENT)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Services:
    jobs: JobService
    runs: RunService
    stats: StatsService
    events: EventService
    schedules: ScheduleService
    listing: RunListing


@pytest.fixture
def services(database: Database, clock: FakeClock) -> Services:
    broker = RecordingBroker()
    return Services(
        JobService(database, broker, clock, lambda: None),
        RunService(database, broker, clock),
        StatsService(database, clock, heartbeat_seconds=5),
        EventService(database),
        ScheduleService(clock),
        RunListing(database),
    )


@pytest.fixture
async def job(services: Services) -> Job:
    """Return a job of the owner ann."""
    return await services.jobs.create(ANN, DEFINITION)


@pytest.fixture
async def run(services: Services, job: Job) -> Run:
    """Return a queued run of that job."""
    return await services.jobs.run(ANN, job.id)


OF_A_JOB: dict[str, Callable[[Services, Caller, int], Awaitable[Any]]] = {
    "get": lambda services, caller, job_id: services.jobs.get(caller, job_id),
    "upcoming": lambda services, caller, job_id: services.jobs.next_instants(caller, job_id, 3),
    "replace": lambda services, caller, job_id: services.jobs.replace(caller, job_id, {**DOCUMENT, "name": "taken"}),
    "patch": lambda services, caller, job_id: services.jobs.patch(caller, job_id, {"name": "taken"}),
    "pause": lambda services, caller, job_id: services.jobs.pause(caller, job_id),
    "resume": lambda services, caller, job_id: services.jobs.resume(caller, job_id),
    "delete": lambda services, caller, job_id: services.jobs.delete(caller, job_id),
    "run": lambda services, caller, job_id: services.jobs.run(caller, job_id),
    "runs": lambda services, caller, job_id: services.listing.check_job(caller, job_id),
}
OF_A_RUN: dict[str, Callable[[Services, Caller, int], Awaitable[Any]]] = {
    "get": lambda services, caller, run_id: services.runs.get(caller, run_id),
    "read_log": lambda services, caller, run_id: services.runs.read_log(caller, run_id),
    "follow_log": lambda services, caller, run_id: anext(services.runs.follow_log(caller, run_id, 0, asyncio.Event())),
    "cancel": lambda services, caller, run_id: services.runs.cancel(caller, run_id),
    "retry": lambda services, caller, run_id: services.runs.retry(caller, run_id),
}


@pytest.mark.parametrize("call", OF_A_JOB.values(), ids=OF_A_JOB)
async def test_job_of_another_owner_is_not_found(
    services: Services, job: Job, call: Callable[[Services, Caller, int], Awaitable[Any]]
) -> None:
    with pytest.raises(NotFoundError, match=f"no job {job.id}"):
        await call(services, BOB, job.id)
    assert await services.jobs.get(ANN, job.id) == job
    assert (await services.runs.page(ADMIN, RunFilter(), Page())).total == 0


@pytest.mark.parametrize("call", OF_A_JOB.values(), ids=OF_A_JOB)
async def test_admin_reaches_the_job_of_every_owner(
    services: Services, job: Job, call: Callable[[Services, Caller, int], Awaitable[Any]]
) -> None:
    await call(services, Caller("bob", frozenset(Scope)), job.id)


@pytest.mark.parametrize("call", OF_A_RUN.values(), ids=OF_A_RUN)
async def test_run_of_another_owner_is_not_found(
    services: Services, run: Run, call: Callable[[Services, Caller, int], Awaitable[Any]]
) -> None:
    with pytest.raises(NotFoundError, match=f"no run {run.id}"):
        await call(services, BOB, run.id)
    assert (await services.runs.get(ANN, run.id)).view.run == run


async def test_log_of_another_owner_has_no_pieces(services: Services, database: Database, run: Run) -> None:
    async with database.write() as connection:
        await connection.execute(run_logs.insert(), {"run_id": run.id, "at_byte": 0, "data": b"mine"})
    assert [piece async for piece in services.runs.read_pieces(ANN, run.id, 0, 4)] == [b"mine"]
    assert [piece async for piece in services.runs.read_pieces(BOB, run.id, 0, 4)] == []


@pytest.mark.parametrize(("caller", "total"), [(ANN, 1), (BOB, 0), (ADMIN, 1)])
@pytest.mark.parametrize("owner_id", [None, "ann"])
async def test_lists_hold_only_items_of_the_callers_owner(
    services: Services, run: Run, caller: Caller, total: int, owner_id: str | None
) -> None:
    assert (await services.jobs.page(caller, JobFilter(owner_id=owner_id), Page())).total == total
    listed = await services.runs.page(caller, RunFilter(owner_id=owner_id), Page())
    assert [view.run.id for view in listed.items] == [run.id] * total
    assert listed.total == total


@pytest.mark.parametrize(("caller", "count"), [(ANN, 1), (BOB, 0), (ADMIN, 1)])
async def test_stats_count_only_runs_of_the_callers_owner(
    services: Services, run: Run, caller: Caller, count: int
) -> None:
    assert (await services.stats.read(caller, HOUR)).standing.queued == count
    await services.runs.cancel(ANN, run.id)
    stats = await services.stats.read(caller, HOUR)
    assert [(outcome.status, outcome.rows) for outcome in stats.outcomes] == [(RunStatus.CANCELLED, 1)] * count


async def test_stream_has_only_events_of_the_callers_owner(services: Services, database: Database, run: Run) -> None:
    theirs = await services.jobs.create(BOB, DEFINITION)
    await settle(database)
    seen = {}
    for caller in (ANN, BOB, ADMIN):
        batch = await anext(services.events.follow(caller, Position(0, 0), asyncio.Event()))
        seen[caller] = {event.job_id for event in batch}
    assert seen == {ANN: {run.job_id}, BOB: {theirs.id}, ADMIN: {run.job_id, theirs.id}}


async def test_new_job_belongs_to_the_callers_owner(services: Services) -> None:
    assert (await services.jobs.read(ANN, DOCUMENT)).owner_id == "ann"
    assert (await services.jobs.create(ANN, DEFINITION)).owner_id == "ann"
    assert (await services.jobs.create(ADMIN, DEFINITION)).owner_id == ""


async def test_replaced_job_keeps_its_owner(services: Services, job: Job) -> None:
    assert (await services.jobs.replace(ANN, job.id, {**DOCUMENT, "name": "b"})).owner_id == "ann"


async def test_job_cannot_be_given_to_another_owner(services: Services, job: Job) -> None:
    given: dict[str, Any] = {"owner_id": "bob"}
    with pytest.raises(RejectedError, match="owner_id: this key belongs to the owner 'ann'"):
        await services.jobs.read(ANN, DOCUMENT | given)
    with pytest.raises(RejectedError, match="owner_id"):
        await services.jobs.create(ANN, DEFINITION.model_copy(update=given))
    with pytest.raises(RejectedError, match="owner_id"):
        await services.jobs.patch(ANN, job.id, given)
    assert (await services.jobs.patch(ADMIN, job.id, given)).owner_id == "bob"


async def test_idempotency_keys_of_different_owners_are_separate(services: Services) -> None:
    anns = await services.jobs.create(ANN, DEFINITION, idempotency_key="k")
    bobs = await services.jobs.create(BOB, DEFINITION, idempotency_key="k")
    assert anns.id != bobs.id
    assert (await services.jobs.create(ANN, DEFINITION, idempotency_key="k")).id == anns.id
    assert (await services.jobs.create(BOB, DEFINITION, idempotency_key="k")).id == bobs.id


async def test_idempotency_key_does_not_reveal_a_job_given_away(services: Services) -> None:
    job = await services.jobs.create(ANN, DEFINITION, idempotency_key="k")
    await services.jobs.patch(ADMIN, job.id, {"owner_id": "bob"})
    with pytest.raises(ConflictError, match="the result of the request with this Idempotency-Key was deleted"):
        await services.jobs.create(ANN, DEFINITION, idempotency_key="k")


NEEDED: dict[Scope, list[Callable[[Services, Caller], Awaitable[Any]]]] = {
    Scope.READ: [
        lambda services, caller: services.jobs.get(caller, 1),
        lambda services, caller: services.jobs.page(caller, JobFilter(), Page()),
        lambda services, caller: services.jobs.next_instants(caller, 1, 1),
        lambda services, caller: services.runs.get(caller, 1),
        lambda services, caller: services.runs.page(caller, RunFilter(), Page()),
        lambda services, caller: services.listing.check_job(caller, 1),
        lambda services, caller: services.runs.read_log(caller, 1),
        lambda services, caller: anext(services.runs.read_pieces(caller, 1, 0, 1)),
        lambda services, caller: anext(services.runs.follow_log(caller, 1, 0, asyncio.Event())),
        lambda services, caller: services.stats.read(caller, HOUR),
        lambda services, caller: services.events.start(caller, None),
        lambda services, caller: anext(services.events.follow(caller, Position(0, 0), asyncio.Event())),
        lambda services, caller: services.schedules.preview(caller, PreviewRequest(schedule_expr="@hourly")),
    ],
    Scope.WRITE: [
        lambda services, caller: services.jobs.read(caller, DOCUMENT),
        lambda services, caller: services.jobs.validate(caller, DOCUMENT),
        lambda services, caller: services.jobs.restore(caller, 1, 1),
        lambda services, caller: services.jobs.create(caller, DEFINITION),
        lambda services, caller: services.jobs.replace(caller, 1, DOCUMENT),
        lambda services, caller: services.jobs.patch(caller, 1, {}),
        lambda services, caller: services.jobs.pause(caller, 1),
        lambda services, caller: services.jobs.resume(caller, 1),
        lambda services, caller: services.jobs.delete(caller, 1),
        lambda services, caller: services.jobs.run(caller, 1, RunRequest(env={"BASH_ENV": "x"})),
    ],
    Scope.RUN: [
        lambda services, caller: services.jobs.run(caller, 1),
        lambda services, caller: services.runs.cancel(caller, 1),
        lambda services, caller: services.runs.retry(caller, 1),
    ],
}


@pytest.mark.parametrize("scope", NEEDED)
async def test_operation_is_forbidden_without_its_scope(services: Services, job: Job, scope: Scope) -> None:
    caller = Caller("ann", frozenset(Scope) - {scope})
    for call in NEEDED[scope]:
        with pytest.raises(ForbiddenError, match=f"lacks the scope {scope}"):
            await call(services, caller)
    assert await services.jobs.get(ANN, job.id) == job


async def test_names_of_another_owners_secrets_are_not_told(services: Services) -> None:
    document: dict[str, Any] = {**DOCUMENT, "owner_id": "bob", "secrets": {"PGPASSWORD": "pw"}}
    with pytest.raises(RejectedError) as refused:
        await services.jobs.validate(ANN, document)
    assert {problem.field for problem in refused.value.problems} == {"owner_id"}
