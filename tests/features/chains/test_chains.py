"""Jobs that run after other jobs, on each database."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from testkit.callers import ADMIN, ANN, BOB
from testkit.databases import NOON
from testkit.doubles import FakeClock, RecordingBroker
from tests.storage.stored_runs import put

from scheduler_service.domain.listing import Page, RunFilter
from scheduler_service.domain.quotas import Quotas
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import Reason, RunStatus, Trigger
from scheduler_service.errors import ConflictError, InvalidInputError, NotFoundError
from scheduler_service.features.chains.follower import IDLE_SECONDS, REST_SECONDS, ChainFollower
from scheduler_service.features.chains.service import ChainService
from scheduler_service.services.explanations import ExplanationService
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.jobs import JobService
from scheduler_service.services.quota_gate import QuotaGate
from scheduler_service.services.runs import RunService
from scheduler_service.storage import dependencies, run_lists, stored_bytes
from scheduler_service.storage.database import Database
from scheduler_service.storage.dependency_tables import ended_upstreams

SUCCESS, FAILED, CANCELLED = RunStatus.SUCCESS, RunStatus.FAILED, RunStatus.CANCELLED
SKIPPED, MISSED, QUEUED = RunStatus.SKIPPED, RunStatus.MISSED, RunStatus.QUEUED


class Chains:
    """Jobs, ended runs of them, and what follows."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.database = database
        self.jobs = JobService(database, RecordingBroker(), clock, lambda: None)
        self.runs = RunService(database, RecordingBroker(), clock)
        self.chains = ChainService(database)
        self.explanations = ExplanationService(database, clock, heartbeat_seconds=5)
        self.follower = ChainFollower(database, clock)

    async def job(self, *after: Job | dict[str, Any], **changes: Any) -> Job:
        upstream = [{"job": each.id} if isinstance(each, Job) else each for each in after]
        payload = {"type": "shell_script", "script": "true"}
        document = {"name": "a job", "schedule_expr": None, "payload": payload, "after": upstream, **changes}
        return await self.jobs.create(ANN, JobDefinition.model_validate(document))

    async def end(self, job: Job, status: RunStatus = SUCCESS, **changes: Any) -> Run:
        """Store an ended run, and let the jobs below follow."""
        run = await put(self.database, job, status, **changes)
        await self.follower.follow()
        return run

    async def rows(self, job: Job) -> list[Run]:
        async with self.database.read() as connection:
            listed = await run_lists.page(connection, RunFilter(job_id=job.id), Page(size=100))
        return list(reversed(listed.items))

    async def states(self, job: Job) -> list[tuple[RunStatus, Reason | None]]:
        return [(run.status, run.reason) for run in await self.rows(job)]


@pytest.fixture
def chains(database: Database, clock: FakeClock) -> Chains:
    return Chains(database, clock)


async def test_follower_above_the_quota_of_its_owner_is_skipped(chains: Chains, database: Database) -> None:
    upstream = await chains.job()
    below = await chains.job(upstream, overlap_policy="allow")
    chains.follower = ChainFollower(database, FakeClock(), QuotaGate(Quotas(runs_per_minute=1)))
    for _ in range(2):
        await chains.end(upstream)

    assert await chains.states(below) == [(QUEUED, None), (SKIPPED, Reason.QUOTA)]


async def test_follower_without_room_for_its_log_is_skipped(chains: Chains, database: Database) -> None:
    upstream = await chains.job()
    below = await chains.job(upstream)
    async with database.write() as connection:
        await stored_bytes.replace(connection, {upstream.owner_id: 2**20}, NOON)
    chains.follower = ChainFollower(database, FakeClock(), QuotaGate(Quotas(stored_mb=1)))
    await chains.end(upstream)

    assert await chains.states(below) == [(SKIPPED, Reason.QUOTA)]


NOT_OWED = [(SKIPPED, Reason.DEPENDENCY)]
OWED = [(QUEUED, None)]


@pytest.mark.parametrize(
    ("on", "status", "rows"),
    [
        ("success", SUCCESS, OWED),
        ("success", FAILED, NOT_OWED),
        ("success", CANCELLED, NOT_OWED),
        ("success", SKIPPED, NOT_OWED),
        ("success", MISSED, NOT_OWED),
        ("failure", FAILED, OWED),
        ("failure", SUCCESS, []),
        ("failure", SKIPPED, []),
        ("end", SUCCESS, OWED),
        ("end", FAILED, OWED),
        ("end", CANCELLED, OWED),
        ("end", MISSED, NOT_OWED),
    ],
)
async def test_job_follows_the_end_that_it_awaits(
    chains: Chains, on: str, status: RunStatus, rows: list[tuple[RunStatus, Reason | None]]
) -> None:
    upstream = await chains.job()
    job = await chains.job({"job": upstream.id, "on": on})
    await chains.end(upstream, status)
    assert await chains.states(job) == rows


async def test_run_shares_the_correlation_and_names_its_trigger(chains: Chains) -> None:
    upstream = await chains.job()
    job = await chains.job(upstream)
    ended = await chains.end(upstream, correlation_id="the-chain")
    (run,) = await chains.rows(job)
    assert (run.trigger, run.correlation_id, run.notified_at) == (Trigger.DEPENDENCY, "the-chain", None)
    assert run.job_version == job.version
    links = await chains.chains.of_run(ANN, run.id)
    assert [(link.run.id, link.upstream_run_id) for link in links] == [(ended.id, None), (run.id, ended.id)]


async def test_skipped_row_says_which_run_was_in_the_way(chains: Chains) -> None:
    upstream = await chains.job()
    job = await chains.job(upstream)
    ended = await chains.end(upstream, FAILED)
    (row,) = await chains.rows(job)
    assert row.message == f"run {ended.id} of job {upstream.id} is failed, and the job runs after its success"


async def test_skipped_row_skips_the_jobs_below(chains: Chains) -> None:
    first = await chains.job()
    second = await chains.job(first)
    third = await chains.job(second)
    cleaner = await chains.job({"job": second.id, "on": "failure"})
    await chains.end(first, FAILED)
    assert await chains.states(third) == NOT_OWED
    assert await chains.states(cleaner) == []


async def test_all_waits_for_an_end_of_each_job(chains: Chains) -> None:
    left, right = await chains.job(), await chains.job()
    job = await chains.job(left, right)
    await chains.end(left, FAILED)
    await chains.end(left)  # the later end replaces the earlier one
    assert await chains.states(job) == []
    await chains.end(right)
    assert await chains.states(job) == OWED
    await chains.end(right)  # the next round
    assert await chains.states(job) == OWED


async def test_failure_of_one_skips_the_round_of_all(chains: Chains) -> None:
    left, right = await chains.job(), await chains.job()
    job = await chains.job(left, right, overlap_policy="queue")
    for status in (FAILED, SUCCESS):
        await chains.end(left, status)
        await chains.end(right)
    assert await chains.states(job) == NOT_OWED + OWED


async def test_any_runs_after_each_awaited_end(chains: Chains) -> None:
    left, right = await chains.job(), await chains.job()
    job = await chains.job(left, right, after_mode="any", overlap_policy="queue")
    await chains.end(left)
    await chains.end(right, FAILED)
    await chains.end(right)
    assert await chains.states(job) == OWED + OWED


@pytest.mark.parametrize(
    ("policy", "states"),
    [
        ("skip", [(QUEUED, None), (SKIPPED, Reason.OVERLAP)]),
        ("queue", [(QUEUED, None), (QUEUED, None)]),
        ("cancel_running", [(CANCELLED, Reason.OVERLAP), (QUEUED, None)]),
    ],
)
async def test_overlap_policy_applies(
    chains: Chains, policy: str, states: list[tuple[RunStatus, Reason | None]]
) -> None:
    upstream = await chains.job()
    job = await chains.job(upstream, overlap_policy=policy)
    await chains.end(upstream)
    await chains.end(upstream)
    assert await chains.states(job) == states


async def test_paused_job_owes_nothing(chains: Chains) -> None:
    upstream = await chains.job()
    job = await chains.job(upstream, enabled=False)
    await chains.end(upstream)
    assert await chains.states(job) == []


async def test_results_are_handed_on(chains: Chains) -> None:
    left, right = await chains.job(), await chains.job()
    one, both = await chains.job(left, overlap_policy="queue"), await chains.job(left, right)
    await chains.end(left, result={"rows": 3})
    await chains.end(right, result=[1])
    async with chains.database.read() as connection:
        origins = [await dependencies.find_origin(connection, (await chains.rows(job))[0].id) for job in (one, both)]
    assert [origin.input for origin in origins if origin] == [
        {"rows": 3},
        {str(left.id): {"rows": 3}, str(right.id): [1]},
    ]


async def test_results_that_are_too_large_skip_the_run(chains: Chains) -> None:
    upstream = [await chains.job() for _ in range(2)]
    job = await chains.job(*upstream)
    for each in upstream:
        await chains.end(each, result="x" * 40_000)
    (row,) = await chains.rows(job)
    assert (row.reason, row.message) == (Reason.DEPENDENCY, "the results of its upstream runs exceed 65536 bytes")


async def test_results_are_measured_as_the_run_receives_them(chains: Chains) -> None:
    upstream = await chains.job()
    job = await chains.job(upstream)
    await chains.end(upstream, result="ü" * 30_000)  # 60,002 bytes of UTF-8
    assert await chains.states(job) == OWED


async def test_retry_by_hand_has_the_same_origin(chains: Chains) -> None:
    upstream = await chains.job()
    job = await chains.job(upstream)
    ended = await chains.end(upstream, result=7)
    (run,) = await chains.rows(job)
    await chains.runs.cancel(ANN, run.id)
    again = await chains.runs.retry(ANN, run.id)
    async with chains.database.read() as connection:
        assert await dependencies.find_origin(connection, again.id) == dependencies.Origin(ended.id, 7)


async def test_note_survives_until_the_rows_are_committed(chains: Chains, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = await chains.job()
    job = await chains.job(upstream)
    with monkeypatch.context() as patched:
        patched.setattr(dependencies, "store_origin", _crash)
        with pytest.raises(RuntimeError):
            await chains.end(upstream)
    assert await chains.states(job) == []
    await chains.follower.follow()
    assert await chains.states(job) == OWED


async def _crash(*_: object) -> None:
    raise RuntimeError


async def test_note_of_a_deleted_run_is_dropped(chains: Chains) -> None:
    async with chains.database.write() as connection:
        await connection.execute(ended_upstreams.insert(), {"run_id": 999, "job_id": 999})
    await chains.follower.follow()
    async with chains.database.read() as connection:
        assert (await connection.execute(select(ended_upstreams))).all() == []


async def test_loop_rests_longer_without_dependencies(chains: Chains) -> None:
    upstream = await chains.job()
    assert await chains.follower.follow() == IDLE_SECONDS
    await chains.job(upstream)
    assert await chains.follower.follow() == REST_SECONDS


async def test_job_of_another_owner_cannot_be_followed(chains: Chains) -> None:
    theirs = await chains.jobs.create(BOB, JobDefinition.model_validate(_document()))
    with pytest.raises(InvalidInputError, match=r"after\.0\.job: there is no such job of the owner"):
        await chains.job(theirs)
    with pytest.raises(InvalidInputError, match=r"after\.1\.job"):
        await chains.job(await chains.job(), {"job": 10**12})


def _document() -> dict[str, Any]:
    return {"name": "b", "schedule_expr": "@hourly", "payload": {"type": "shell_script", "script": "true"}}


async def test_cycle_is_refused_with_its_path(chains: Chains) -> None:
    first = await chains.job()
    second = await chains.job(first)
    third = await chains.job(second)
    path = f"{first.id} after {third.id} after {second.id} after {first.id}"
    with pytest.raises(InvalidInputError, match=path):
        await chains.jobs.patch(ANN, first.id, {"after": [{"job": third.id}]})
    with pytest.raises(InvalidInputError, match="would run after itself"):
        await chains.jobs.patch(ANN, first.id, {"after": [{"job": first.id}]})
    assert (await chains.jobs.get(ANN, first.id)).after == []


async def test_job_that_others_follow_cannot_be_deleted(chains: Chains) -> None:
    upstream = await chains.job()
    job = await chains.job(upstream)
    with pytest.raises(ConflictError, match=rf"jobs run after job {upstream.id} \({job.id}\)"):
        await chains.jobs.delete(ANN, upstream.id)
    with pytest.raises(ConflictError):
        await chains.jobs.patch(ADMIN, upstream.id, {"owner_id": "bob"})
    await chains.jobs.delete(ANN, job.id)
    await chains.jobs.delete(ANN, upstream.id)


async def test_edit_begins_a_new_round(chains: Chains) -> None:
    left, right = await chains.job(), await chains.job()
    job = await chains.job(left, right)
    await chains.end(left)
    await chains.jobs.patch(ANN, job.id, {"after": [{"job": right.id}, {"job": left.id}]})
    await chains.end(right)
    assert await chains.states(job) == []


async def test_chain_of_another_owner_is_not_found(chains: Chains) -> None:
    run = await chains.end(await chains.job())
    with pytest.raises(NotFoundError):
        await chains.chains.of_run(BOB, run.id)


async def test_explanation_names_the_awaited_jobs(chains: Chains) -> None:
    left, right = await chains.job(), await chains.job()
    job = await chains.job(left, right)
    await chains.end(left)
    found = (await chains.explanations.explain(ANN, job, None, 5)).blockers
    (waiting,) = [blocker for blocker in found if blocker.code == "dependency"]
    assert (waiting.met, waiting.sentence) == (False, f"The job waits for an end of job {right.id}.")
    assert not [blocker for blocker in found if blocker.code == "schedule"]


async def test_runs_that_ended_before_a_job_are_no_ends_for_it(chains: Chains) -> None:
    """An end that no dispatcher has handled yet is one for the jobs that ran after it when it came."""
    upstream = await chains.job()
    first = await chains.job(upstream)
    await put(chains.database, upstream, SUCCESS)
    second = await chains.job(upstream)
    await chains.follower.follow()
    assert (await chains.states(first), await chains.states(second)) == (OWED, [])
    await chains.end(upstream)
    assert await chains.states(second) == OWED


async def test_edit_of_after_keeps_ends_that_are_noted(chains: Chains) -> None:
    upstream, other = await chains.job(), await chains.job()
    below = await chains.job(upstream, after_mode="any")
    await put(chains.database, upstream, SUCCESS)
    await chains.jobs.patch(ANN, below.id, {"after": [{"job": upstream.id}, {"job": other.id}]})
    await chains.follower.follow()
    assert await chains.states(below) == OWED
