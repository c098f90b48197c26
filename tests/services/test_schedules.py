"""Previews, descriptions and warnings of schedules."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest
from testkit.callers import ADMIN
from testkit.databases import add_job
from testkit.doubles import FakeClock, RecordingBroker
from testkit.records import job_record

from scheduler_service.domain.schedules import calendar_dst
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.jobs import JobService
from scheduler_service.services.preview_request import PreviewRequest
from scheduler_service.services.schedules import ScheduleService, next_instants
from scheduler_service.storage.database import Database

RARE = {"schedule_expr": "3 4 29 2 *", "timezone": "Europe/Madrid"}


@pytest.fixture(autouse=True)
def forgotten_calendars() -> None:
    """Clear the cache, because a cached calendar would be quick."""
    calendar_dst.clock_changes.cache_clear()
    calendar_dst.stretches.cache_clear()


async def turns_during(computing: Awaitable[object]) -> int:
    """Count the turns of the event loop meanwhile. One turn means that the computation blocked it."""
    task, turns = asyncio.ensure_future(computing), 0
    while not task.done():
        await asyncio.sleep(0.001)
        turns += 1
    await task
    return turns


async def test_long_preview_does_not_block_the_event_loop(clock: FakeClock) -> None:
    request = PreviewRequest.model_validate({**RARE, "count": 300})

    assert await turns_during(ScheduleService(clock).preview(ADMIN, request)) > 3


@pytest.mark.parametrize(("expression", "count"), [("*/5 * * * *", 288), ("1s", 288), ("0 */6 * * *", 4)])
async def test_dense_day_has_an_instant_each_five_minutes(clock: FakeClock, expression: str, count: int) -> None:
    now = clock.now()
    job = job_record(schedule_expr=expression, anchor_at=now, next_run_at=now)
    assert len(await ScheduleService(clock).next_day(job)) == count


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        (
            {"retry_policy": {"retry_delay": 60, "max_delay": 10, "max_retries": 3}},
            "retry_policy.max_delay (10 s) is below retry_policy.retry_delay (60 s): each retry waits 10 s.",
        ),
        (
            {"overlap_policy": "allow", "max_concurrency": 5},
            "max_concurrency (5) has no effect, because overlap_policy is allow: any number may execute at once.",
        ),
        (
            {"retry_policy": {"retry_delay": 5, "max_delay": 10, "max_retries": 0}},
            (
                "retry_policy.max_retries is 0, so a failed run is not retried and retry_policy.retry_delay, "
                "retry_policy.max_delay have no effect; set max_retries to retry failed runs."
            ),
        ),
        (
            {
                "env": {"PYTHONHASHSEED": "0", "OTHER": "1", "LC_ALL": "C"},
                "payload": {"type": "python_code", "code": "pass"},
            },
            (
                "Python and its libraries read env.LC_ALL, env.PYTHONHASHSEED only when they start: each run starts a "
                "new interpreter instead of a preloaded one, which takes a tenth of a second or more."
            ),
        ),
        (
            {"misfire_policy": "fire_all", "overlap_policy": "skip"},
            (
                "misfire_policy is fire_all and overlap_policy is skip: after an outage all missed instants are due at "
                "once, and only the oldest run can start while the others are skipped; to run them all, set "
                "overlap_policy to queue."
            ),
        ),
        (
            {"misfire_policy": "fire_all", "overlap_policy": "skip", "max_concurrency": 3},
            (
                "misfire_policy is fire_all and overlap_policy is skip: after an outage all missed instants are due at "
                "once, and only the oldest 3 runs can start while the others are skipped; to run them all, set "
                "overlap_policy to queue."
            ),
        ),
        (
            {"misfire_policy": "fire_all", "overlap_policy": "cancel_running"},
            (
                "misfire_policy is fire_all and overlap_policy is cancel_running: after an outage all missed instants "
                "are due at once, and only the newest starts while the others are skipped; to run them all, set "
                "overlap_policy to queue."
            ),
        ),
        ({"misfire_policy": "fire_all", "overlap_policy": "queue"}, None),
        ({"retry_policy": {}}, None),
        ({"overlap_policy": "skip", "max_concurrency": 5}, None),
        ({"overlap_policy": "allow"}, None),
        ({"env": {"PYTHONHASHSEED": "0"}}, None),
    ],
)
async def test_job_has_warnings_for_settings_without_effect(
    database: Database, clock: FakeClock, fields: dict[str, object], warning: str | None
) -> None:
    definition = {
        "name": "a job",
        "schedule_expr": "5m",
        "payload": {"type": "shell_script", "script": "true"},
        **fields,
    }
    service = JobService(database, RecordingBroker(), clock, lambda: None)

    job = await service.create(ADMIN, JobDefinition.model_validate(definition))

    assert ScheduleService(clock).describe(job).warnings == ((warning,) if warning else ())


async def test_upcoming_instants_do_not_block_the_event_loop(database: Database, clock: FakeClock) -> None:
    definition = {"name": "a job", **RARE, "payload": {"type": "shell_script", "script": "true"}}
    service = JobService(database, RecordingBroker(), clock, lambda: None)
    job = await service.create(ADMIN, JobDefinition.model_validate(definition))

    assert await turns_during(next_instants(job, 300)) > 3


@pytest.mark.parametrize(("environment", "is_told"), [("science", False), ("sciense", True)])
async def test_job_has_a_warning_for_an_unknown_environment(
    database: Database, clock: FakeClock, environment: str, *, is_told: bool
) -> None:
    payload = {"type": "python_code", "code": "1", "environment": environment}
    job = await add_job(database, payload=payload)

    described = ScheduleService(clock, frozenset({"default", "science"})).describe(job)

    warning = (
        "payload.environment is sciense, and this server knows default, science: a worker that does not know it "
        "either fails each run."
    )
    assert described.warnings == ((warning,) if is_told else ())


async def test_job_has_a_warning_for_jitter_beyond_its_interval(database: Database, clock: FakeClock) -> None:
    job = await add_job(database, schedule_expr="10s", jitter_seconds=60.0, overlap_policy="skip")

    (warning,) = ScheduleService(clock).describe(job).warnings

    assert "is skipped (overlap_policy is skip)" in warning
