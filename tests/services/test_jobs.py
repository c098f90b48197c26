"""Operations on jobs: each is one transaction, and no instant is lost or doubled by an edit."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from testkit.callers import ADMIN
from testkit.databases import NOON
from testkit.doubles import FakeClock, RecordingBroker

from scheduler_service.domain.listing import JobFilter, Page, RunFilter
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.resource_limits import ResourceLimits
from scheduler_service.domain.run_state import JobStatus, Reason, RunStatus, Trigger
from scheduler_service.errors import ConflictError, InvalidInputError, NotFoundError, PreconditionFailedError
from scheduler_service.services.checks import ServerLimits
from scheduler_service.services.inspection import RejectedError
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.jobs import JobService
from scheduler_service.storage import run_lists
from scheduler_service.storage.database import Database

MINUTE = timedelta(minutes=1)


class Wakes:
    """Counts how often the dispatcher was woken."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def broker() -> RecordingBroker:
    return RecordingBroker()


@pytest.fixture
def wakes() -> Wakes:
    return Wakes()


@pytest.fixture
def service(database: Database, clock: FakeClock, broker: RecordingBroker, wakes: Wakes) -> JobService:
    return JobService(database, broker, clock, wakes)


def document(**changes: Any) -> dict[str, Any]:
    minimal = {"name": "a job", "schedule_expr": "* * * * *", "payload": {"type": "shell_script", "script": "true"}}
    return {**minimal, **changes}


def definition(**changes: Any) -> JobDefinition:
    return JobDefinition.model_validate(document(**changes))


async def rows_of(database: Database, job: Job) -> list[Run]:
    async with database.read() as connection:
        listing = await run_lists.page(connection, RunFilter(job_id=job.id), Page(size=100))
    return sorted(listing.items, key=lambda run: run.id)


class TestCreate:
    async def test_created_job_waits_for_its_first_instant(self, service: JobService) -> None:
        job = await service.create(ADMIN, definition(tags=["a"], env={"X": "1"}))
        found = await service.get(ADMIN, job.id)
        assert found == job
        assert (found.status, found.next_run_at, found.version) == (JobStatus.ACTIVE, NOON + MINUTE, 1)
        assert (found.tags, found.env, found.payload["script"]) == (["a"], {"X": "1"}, "true")

    async def test_created_job_wakes_the_dispatcher(self, service: JobService, wakes: Wakes) -> None:
        await service.create(ADMIN, definition())
        assert wakes.count == 1

    async def test_job_that_is_due_later_wakes_nobody(self, service: JobService, wakes: Wakes) -> None:
        await service.create(ADMIN, definition(schedule_expr="0 0 1 1 *"))
        await service.create(ADMIN, definition(schedule_expr=None))
        assert wakes.count == 0

    async def test_job_created_disabled_is_paused(self, service: JobService) -> None:
        job = await service.create(ADMIN, definition(enabled=False))
        assert (job.status, job.next_run_at) == (JobStatus.PAUSED, None)

    async def test_created_job_waits_for_start_at(self, service: JobService) -> None:
        job = await service.create(ADMIN, definition(start_at=NOON + timedelta(hours=1)))
        assert job.next_run_at == NOON + timedelta(hours=1)

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"schedule_expr": "61 * * * *"}, "schedule_expr"),
            ({"schedule_expr": "0 0 31 2 *"}, "schedule_expr"),
            ({"schedule_expr": "2020-01-01T00:00:00Z"}, "schedule_expr"),
            ({"schedule_expr": "2020-01-01T00:00:00Z", "end_at": NOON + MINUTE}, "schedule_expr"),
            ({"schedule_expr": "2090-01-01T00:00:00Z", "start_at": "2091-01-01T00:00:00Z"}, "start_at"),
            ({"timezone": "Mars/Olympus"}, "timezone"),
            ({"end_at": NOON + timedelta(seconds=1)}, "end_at"),
            ({"schedule_expr": "61 * * * *", "enabled": False}, "schedule_expr"),
        ],
    )
    async def test_job_that_can_never_fire_is_refused(
        self, service: JobService, changes: dict[str, Any], field: str
    ) -> None:
        with pytest.raises(InvalidInputError) as caught:
            await service.create(ADMIN, definition(**changes))
        assert [problem.field for problem in caught.value.problems] == [field]
        assert (await service.page(ADMIN, JobFilter(), Page())).total == 0


class TestIdempotencyKey:
    async def test_repeated_request_creates_one_job(self, service: JobService) -> None:
        first = await service.create(ADMIN, definition(), idempotency_key="k")
        second = await service.create(ADMIN, definition(), idempotency_key="k")
        assert first.id == second.id
        assert (await service.page(ADMIN, JobFilter(), Page())).total == 1

    async def test_concurrent_requests_with_one_key_create_one_job(self, service: JobService) -> None:
        made = await asyncio.gather(*(service.create(ADMIN, definition(), idempotency_key="k") for _ in range(8)))
        assert len({job.id for job in made}) == 1

    async def test_other_request_with_the_same_key_is_refused(self, service: JobService) -> None:
        await service.create(ADMIN, definition(), idempotency_key="k")
        with pytest.raises(InvalidInputError, match="Idempotency-Key"):
            await service.create(ADMIN, definition(name="another"), idempotency_key="k")

    async def test_repeated_run_request_queues_and_notifies_once(
        self, service: JobService, broker: RecordingBroker
    ) -> None:
        job = await service.create(ADMIN, definition())
        first = await service.run(ADMIN, job.id, idempotency_key="k")
        second = await service.run(ADMIN, job.id, idempotency_key="k")
        assert first.id == second.id
        assert len(broker.notices) == 1

    async def test_key_of_a_deleted_job_is_refused(self, service: JobService) -> None:
        job = await service.create(ADMIN, definition(), idempotency_key="k")
        await service.delete(ADMIN, job.id)
        with pytest.raises(ConflictError, match="deleted"):
            await service.create(ADMIN, definition(), idempotency_key="k")


class TestEdit:
    async def test_instants_before_an_edit_belong_to_the_old_schedule(
        self, service: JobService, database: Database, clock: FakeClock
    ) -> None:
        job = await service.create(ADMIN, definition(overlap_policy="allow"))
        clock.at = NOON + 2 * MINUTE + timedelta(seconds=30)
        edited = await service.patch(ADMIN, job.id, {"schedule_expr": "0 * * * *"})
        assert [run.scheduled_for for run in await rows_of(database, job)] == [NOON + MINUTE, NOON + 2 * MINUTE]
        assert edited.next_run_at == NOON + timedelta(hours=1)

    async def test_new_interval_is_anchored_at_the_edit(self, service: JobService, clock: FakeClock) -> None:
        job = await service.create(ADMIN, definition(schedule_expr="1h"))
        clock.at = NOON + 10 * MINUTE
        edited = await service.patch(ADMIN, job.id, {"schedule_expr": "30m"})
        assert edited.next_run_at == NOON + 40 * MINUTE

    async def test_anchor_stays_when_other_fields_are_edited(self, service: JobService, clock: FakeClock) -> None:
        job = await service.create(ADMIN, definition(schedule_expr="1h"))
        clock.at = NOON + 10 * MINUTE
        edited = await service.patch(ADMIN, job.id, {"name": "renamed"})
        assert (edited.next_run_at, edited.anchor_at) == (job.next_run_at, job.anchor_at)
        assert edited.schedule_version == job.schedule_version

    async def test_patch_changes_named_fields_and_null_resets_them(self, service: JobService) -> None:
        job = await service.create(
            ADMIN, definition(priority=9, limits={"memory_mb": 64, "processes": 2}, env={"A": "1"})
        )
        edited = await service.patch(
            ADMIN, job.id, {"priority": None, "limits": {"processes": 3}, "env": {"A": None, "B": "2"}}
        )
        assert (edited.priority, edited.limits["memory_mb"], edited.limits["processes"]) == (5, 64, 3)
        assert edited.env == {"B": "2"}

    async def test_replace_resets_fields_that_are_not_named(self, service: JobService) -> None:
        job = await service.create(ADMIN, definition(priority=9, description="old"))
        replaced = await service.replace(ADMIN, job.id, document(name="new"))
        assert (replaced.name, replaced.priority, replaced.description) == ("new", 5, "")

    async def test_version_advances_only_when_something_changes(self, service: JobService) -> None:
        job = await service.create(ADMIN, definition())
        assert (await service.patch(ADMIN, job.id, {"name": "b"})).version == 2
        assert (await service.patch(ADMIN, job.id, {"name": "b"})).version == 2

    async def test_change_is_refused_when_the_version_is_stale(self, service: JobService) -> None:
        job = await service.create(ADMIN, definition())
        await service.patch(ADMIN, job.id, {"name": "b"}, frozenset({1}))
        for call in (
            service.patch(ADMIN, job.id, {"name": "c"}, frozenset({1})),
            service.delete(ADMIN, job.id, frozenset({1})),
        ):
            with pytest.raises(PreconditionFailedError):
                await call
        assert (await service.get(ADMIN, job.id)).name == "b"

    @pytest.mark.parametrize(
        "patch", [{"priority": 99}, {"unknown": 1}, {"name": None}, {"payload": {"type": "nonsense"}}, {"tags": "x"}]
    )
    async def test_invalid_patch_changes_nothing(self, service: JobService, patch: dict[str, Any]) -> None:
        job = await service.create(ADMIN, definition())
        with pytest.raises(RejectedError):
            await service.patch(ADMIN, job.id, patch)
        assert await service.get(ADMIN, job.id) == job

    async def test_finished_job_is_active_after_a_new_schedule(
        self, service: JobService, clock: FakeClock, database: Database
    ) -> None:
        job = await service.create(ADMIN, definition(schedule_expr=(NOON + MINUTE).isoformat()))
        clock.at = NOON + MINUTE
        finished = await service.patch(ADMIN, job.id, {"name": "settled"})
        assert finished.status is JobStatus.FINISHED
        again = await service.patch(ADMIN, job.id, {"schedule_expr": (NOON + 2 * MINUTE).isoformat()})
        assert (again.status, again.next_run_at) == (JobStatus.ACTIVE, NOON + 2 * MINUTE)
        assert len(await rows_of(database, job)) == 1

    async def test_finished_job_cannot_be_resumed_or_paused(self, service: JobService, clock: FakeClock) -> None:
        job = await service.create(ADMIN, definition(schedule_expr=(NOON + MINUTE).isoformat()))
        clock.at = NOON + MINUTE
        assert (await service.patch(ADMIN, job.id, {"enabled": True})).status is JobStatus.FINISHED
        for stop in (service.patch(ADMIN, job.id, {"enabled": False}), service.pause(ADMIN, job.id)):
            with pytest.raises(ConflictError, match="no future runs to pause"):
                await stop
        again = await service.patch(ADMIN, job.id, {"schedule_expr": (NOON + 2 * MINUTE).isoformat(), "enabled": False})
        assert again.status is JobStatus.PAUSED


class TestPause:
    async def test_instants_during_a_pause_do_not_fire(
        self, service: JobService, database: Database, clock: FakeClock
    ) -> None:
        job = await service.create(ADMIN, definition())
        paused = await service.pause(ADMIN, job.id)
        assert (paused.status, paused.next_run_at) == (JobStatus.PAUSED, None)
        clock.at = NOON + 10 * MINUTE
        resumed = await service.resume(ADMIN, job.id)
        assert (resumed.status, resumed.next_run_at) == (JobStatus.ACTIVE, NOON + 11 * MINUTE)
        assert await rows_of(database, job) == []

    async def test_instants_before_a_pause_fire(
        self, service: JobService, database: Database, clock: FakeClock, broker: RecordingBroker
    ) -> None:
        job = await service.create(ADMIN, definition())
        clock.at = NOON + MINUTE
        await service.pause(ADMIN, job.id)
        (run,) = await rows_of(database, job)
        assert (run.status, run.scheduled_for) == (RunStatus.QUEUED, NOON + MINUTE)
        assert [notice.run_id for notice in broker.notices] == [run.id]

    async def test_resumed_interval_keeps_its_anchor(self, service: JobService, clock: FakeClock) -> None:
        job = await service.create(ADMIN, definition(schedule_expr="1h"))
        await service.pause(ADMIN, job.id)
        clock.at = NOON + timedelta(hours=3, minutes=20)
        assert (await service.resume(ADMIN, job.id)).next_run_at == NOON + timedelta(hours=4)

    async def test_pause_and_resume_are_idempotent(self, service: JobService) -> None:
        job = await service.create(ADMIN, definition())
        assert await service.resume(ADMIN, job.id) == job
        paused = await service.pause(ADMIN, job.id)
        assert await service.pause(ADMIN, job.id) == paused

    async def test_one_time_job_cannot_be_resumed_after_its_instant(
        self, service: JobService, clock: FakeClock
    ) -> None:
        job = await service.create(ADMIN, definition(schedule_expr=(NOON + MINUTE).isoformat()))
        await service.pause(ADMIN, job.id)
        clock.at = NOON + 2 * MINUTE
        with pytest.raises(ConflictError, match="new schedule_expr"):
            await service.resume(ADMIN, job.id)

    async def test_enabled_false_pauses_and_true_resumes(self, service: JobService) -> None:
        job = await service.create(ADMIN, definition())
        assert (await service.patch(ADMIN, job.id, {"enabled": False})).status is JobStatus.PAUSED
        assert (await service.patch(ADMIN, job.id, {"enabled": True})).status is JobStatus.ACTIVE


class TestRunNow:
    async def test_run_now_leaves_the_schedule_alone(self, service: JobService, broker: RecordingBroker) -> None:
        job = await service.create(ADMIN, definition())
        run = await service.run(ADMIN, job.id)
        assert (run.status, run.trigger, run.scheduled_for) == (RunStatus.QUEUED, Trigger.MANUAL, NOON)
        assert [notice.run_id for notice in broker.notices] == [run.id]
        assert (await service.get(ADMIN, job.id)).next_run_at == job.next_run_at

    async def test_paused_job_can_be_run_now(self, service: JobService) -> None:
        job = await service.create(ADMIN, definition(enabled=False))
        assert (await service.run(ADMIN, job.id)).status is RunStatus.QUEUED


class TestDelete:
    async def test_delete_cancels_queued_runs_and_keeps_their_rows(
        self, service: JobService, database: Database
    ) -> None:
        job = await service.create(ADMIN, definition())
        await service.run(ADMIN, job.id)
        await service.delete(ADMIN, job.id)
        (run,) = await rows_of(database, job)
        assert (run.status, run.reason) == (RunStatus.CANCELLED, Reason.JOB_DELETED)

    async def test_deleted_job_is_not_found(self, service: JobService) -> None:
        job = await service.create(ADMIN, definition())
        await service.delete(ADMIN, job.id)
        for call in (
            service.get(ADMIN, job.id),
            service.patch(ADMIN, job.id, {"name": "x"}),
            service.pause(ADMIN, job.id),
            service.resume(ADMIN, job.id),
            service.run(ADMIN, job.id),
            service.delete(ADMIN, job.id),
            service.next_instants(ADMIN, job.id, 1),
        ):
            with pytest.raises(NotFoundError):
                await call
        assert (await service.page(ADMIN, JobFilter(), Page())).total == 0


class TestUpcoming:
    async def test_upcoming_instants_are_in_utc_and_in_the_zone(self, service: JobService) -> None:
        job = await service.create(ADMIN, definition(schedule_expr="0 9 * * *", timezone="Asia/Tokyo"))
        first, second = await service.next_instants(ADMIN, job.id, 2)
        assert first.at == NOON.replace(hour=0) + timedelta(days=1)
        assert (first.local.hour, str(first.local.tzinfo)) == (9, "Asia/Tokyo")
        assert second.at - first.at == timedelta(days=1)

    async def test_upcoming_instants_end_at_end_at(self, service: JobService) -> None:
        job = await service.create(ADMIN, definition(end_at=NOON + 2 * MINUTE))
        assert [each.at for each in await service.next_instants(ADMIN, job.id, 10)] == [
            NOON + MINUTE,
            NOON + 2 * MINUTE,
        ]

    async def test_paused_job_has_no_upcoming_instants(self, service: JobService) -> None:
        job = await service.create(ADMIN, definition(enabled=False))
        assert await service.next_instants(ADMIN, job.id, 10) == ()


class TestList:
    @pytest.mark.parametrize(
        ("filters", "names"),
        [
            (JobFilter(), ["alpha", "beta", "gamma"]),
            (JobFilter(owner_id="math"), ["alpha", "gamma"]),
            (JobFilter(status=JobStatus.PAUSED), ["beta"]),
            (JobFilter(tag="gpu"), ["beta", "gamma"]),
            (JobFilter(tag="gp"), []),
            (JobFilter(q="ALPH"), ["alpha"]),
            (JobFilter(q="of 100%"), ["gamma"]),
            (JobFilter(q="\u00c4PFEL"), ["gamma"]),
            (JobFilter(q="\u043e\u0422\u0447"), ["gamma"]),
            (JobFilter(q="%"), ["gamma"]),
            (JobFilter(external_key="a"), ["alpha"]),
            (JobFilter(external_key="a", tag="gpu"), []),
            (JobFilter(sort="-name"), ["gamma", "beta", "alpha"]),
            (JobFilter(sort="next_run_at"), ["gamma", "alpha", "beta"]),
        ],
    )
    async def test_jobs_are_filtered_and_sorted(
        self, service: JobService, filters: JobFilter, names: list[str]
    ) -> None:
        await service.create(ADMIN, definition(name="alpha", owner_id="math", schedule_expr="2h", external_key="a"))
        await service.create(ADMIN, definition(name="beta", owner_id="ops", tags=["gpu"], enabled=False))
        await service.create(
            ADMIN,
            definition(
                name="gamma",
                owner_id="math",
                tags=["gpu", "x"],
                description="of 100% \u00e4pfel \u041e\u0442\u0447\u0451\u0442",
            ),
        )
        assert [job.name for job in (await service.page(ADMIN, filters, Page())).items] == names

    async def test_page_has_its_jobs_and_the_total(self, service: JobService) -> None:
        made = [await service.create(ADMIN, definition(name=f"job {number}")) for number in range(5)]
        listing = await service.page(ADMIN, JobFilter(), Page(number=2, size=2))
        assert [job.id for job in listing.items] == [made[2].id, made[3].id]
        assert listing.total == 5


class TestExternalKey:
    """No two living jobs of an owner have the same key."""

    async def test_key_of_another_job_is_refused(self, service: JobService) -> None:
        await service.create(ADMIN, definition(owner_id="ann", external_key="etl"))
        other = await service.create(ADMIN, definition(owner_id="bob", external_key="etl"))
        message = "external_key: another job of this owner has this key"
        with pytest.raises(InvalidInputError, match=message):
            await service.create(ADMIN, definition(owner_id="ann", external_key="etl"))
        with pytest.raises(InvalidInputError, match=message):
            await service.patch(ADMIN, other.id, {"owner_id": "ann"})

    async def test_key_of_a_deleted_job_is_free(self, service: JobService) -> None:
        job = await service.create(ADMIN, definition(external_key="etl"))
        await service.delete(ADMIN, job.id)
        again = await service.create(ADMIN, definition(external_key="etl"))
        assert (await service.patch(ADMIN, again.id, {"external_key": None})).external_key is None


class TestServerLimits:
    """Limits that the operator sets for all jobs."""

    @pytest.fixture
    def service(self, database: Database, clock: FakeClock, broker: RecordingBroker, wakes: Wakes) -> JobService:
        resource_limits = ResourceLimits(timeout_seconds=600, memory_mb=256, network=False)
        return JobService(database, broker, clock, wakes, ServerLimits(resource_limits))

    WITHIN: ClassVar[dict[str, Any]] = {"memory_mb": 256, "network": False}

    @pytest.mark.parametrize(
        ("changes", "fields"),
        [
            ({"limits": {"memory_mb": 257}}, ["limits.memory_mb"]),
            ({"limits": {"memory_mb": 256, "network": True}}, ["limits.network"]),
            ({"limits": {"memory_mb": 999}, "timeout_seconds": 601}, ["timeout_seconds", "limits.memory_mb"]),
        ],
    )
    async def test_limits_beyond_the_server_limits_are_refused(
        self, service: JobService, changes: dict[str, Any], fields: list[str]
    ) -> None:
        job = await service.create(ADMIN, definition(limits=self.WITHIN))
        for call in (
            service.create(ADMIN, definition(**changes)),
            service.replace(ADMIN, job.id, document(**changes)),
            service.patch(ADMIN, job.id, changes),
        ):
            with pytest.raises(InvalidInputError) as caught:
                await call
            assert [problem.field for problem in caught.value.problems] == fields

    async def test_limits_within_the_server_limits_are_accepted(self, service: JobService) -> None:
        job = await service.create(ADMIN, definition(limits=self.WITHIN, timeout_seconds=600))
        assert job.limits["memory_mb"] == 256

    async def test_unknown_environment_is_refused_with_the_known_ones(
        self, database: Database, broker: RecordingBroker, clock: FakeClock, wakes: Wakes
    ) -> None:
        offered = frozenset({"default", "science"})
        service = JobService(database, broker, clock, wakes, ServerLimits(environments=offered))
        wanted: dict[str, Any] = {"type": "python_code", "code": "1", "environment": "sciense"}
        job = await service.create(ADMIN, definition(payload={**wanted, "environment": "science"}))
        for call in (
            service.create(ADMIN, definition(payload=wanted)),
            service.replace(ADMIN, job.id, document(payload=wanted)),
            service.patch(ADMIN, job.id, {"payload": wanted}),
        ):
            with pytest.raises(InvalidInputError) as caught:
                await call
            (problem,) = caught.value.problems
            assert (problem.field, problem.value) == ("payload.environment", "sciense")
            assert problem.message == 'unknown environment "sciense"; available: default, science'

    async def test_job_stored_before_a_limit_can_still_be_paused(
        self, service: JobService, database: Database, broker: RecordingBroker, clock: FakeClock, wakes: Wakes
    ) -> None:
        job = await JobService(database, broker, clock, wakes).create(ADMIN, definition())
        assert (await service.pause(ADMIN, job.id)).status is JobStatus.PAUSED
