"""Checks the quotas of owners, in the transactions that create jobs and queue runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.quotas import NO_QUOTAS, Quotas, rate_text, seconds_to_next_minute, shortest_interval
from scheduler_service.domain.records import Job, schedule_of
from scheduler_service.domain.schedules.schedule import Schedule, parse
from scheduler_service.errors import QuotaError, RateError
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.storage import quotas
from scheduler_service.storage.run_budget import RunBudget

Scheduled = Job | JobDefinition


@dataclass(frozen=True, slots=True)
class QuotaGate:
    """Refuses what exceeds a quota. `defaults` hold for owners that were given no others."""

    defaults: Quotas = NO_QUOTAS

    async def lock(self, connection: AsyncConnection, owners: Collection[str]) -> Mapping[str, Quotas]:
        """Make transactions that check jobs or environments of an owner wait for each other, so that not both pass.

        Return the quotas of the owners. A transaction that checks several times locks all owners at first, in the order
        of their ids. Otherwise two of them could wait for each other forever.
        """
        found = await quotas.find_all(connection, sorted(set(owners)), self.defaults) if owners else {}
        for owner_id, given in found.items():
            if given.jobs is not None or given.environments is not None:
                await quotas.lock(connection, owner_id)
        return found

    async def check_jobs(
        self,
        connection: AsyncConnection,
        added: Sequence[Scheduled],
        scheduled: Sequence[Scheduled],
        now: datetime,
        known: Mapping[str, Quotas] | None = None,
    ) -> None:
        """Check jobs that owners get, and jobs that get a schedule. Raise `QuotaError` for the first that is too much.

        The caller has locked their owners if it adds jobs. `known` are the quotas of all owners, if it has read them.
        """
        found = known
        if found is None:
            found = await quotas.find_all(connection, {job.owner_id for job in (*added, *scheduled)}, self.defaults)
        for owner_id in sorted({job.owner_id for job in added}):
            names = [job.name for job in added if job.owner_id == owner_id]
            await _check_count(connection, owner_id, names, found[owner_id].jobs)
        for job in scheduled:
            _check_interval(job, found[job.owner_id].min_interval_seconds, now)

    async def check_environments(self, connection: AsyncConnection, stored: Sequence[Job]) -> None:
        """Check jobs that were stored with another environment. Raise `QuotaError` if an owner now uses too many.

        The caller has locked their owners.
        """
        owners = sorted({job.owner_id for job in stored})
        for owner_id, given in (await quotas.find_all(connection, owners, self.defaults)).items() if owners else ():
            if given.environments is None:
                continue
            used = await quotas.count_environments(connection, owner_id)
            if used > given.environments:
                message = (
                    f"jobs of the owner would use {used} environments of packages, and its quota allows "
                    f"{given.environments}; use the requirements of another job, or ask an administrator"
                )
                raise QuotaError(message, quota="environments", used=used, allowed=given.environments)

    async def take_runs(self, connection: AsyncConnection, owner_id: str, now: datetime, count: int = 1) -> None:
        """Count runs that are queued now. Raise `RateError` if the quota of this minute does not allow them.

        Raise `QuotaError` if there is no room for logs and artifacts. The caller has locked the job of the runs.
        """
        budget = await RunBudget.open(connection, [owner_id], now, self.defaults)
        if owner_id in budget.full:
            used, allowed = budget.full[owner_id]
            message = (
                f"{budget.text(owner_id)}; old runs are deleted after SCHEDULER_RETENTION_DAYS, or ask an administrator"
            )
            raise QuotaError(message, quota="stored_mb", used=used, allowed=allowed)
        left = budget.left(owner_id)
        if left is not None and count > left:
            allowed = budget.allowed[owner_id]
            message = f"{rate_text(allowed)}; try again in the next minute" if not left else _too_many(count, left)
            raise RateError(message, allowed=allowed, retry_after_seconds=seconds_to_next_minute(now))
        budget.spend(owner_id, count)
        await budget.store(connection)


UNLIMITED = QuotaGate()


def changed_schedules(pairs: Collection[tuple[Job, Job]]) -> list[Job]:
    """Return the edited jobs whose schedules or owners differ from before."""
    names = ("schedule_expr", "timezone", "owner_id")
    return [after for job, after in pairs if any(getattr(job, name) != getattr(after, name) for name in names)]


def changed_environments(pairs: Collection[tuple[Job, Job]]) -> list[Job]:
    """Return the edited jobs that use an environment which their owner may not have used before."""
    names = ("environment_id", "owner_id")
    changed = [after for job, after in pairs if any(getattr(job, name) != getattr(after, name) for name in names)]
    return [job for job in changed if job.environment_id is not None]


def _too_many(count: int, left: int) -> str:
    return f"the request queues {count} runs, and the owner's quota runs_per_minute leaves {left}; lower max_runs"


async def _check_count(connection: AsyncConnection, owner_id: str, names: Sequence[str], allowed: int | None) -> None:
    if allowed is None:
        return
    used = await quotas.count_jobs(connection, owner_id)
    if used + len(names) > allowed:
        first = names[max(0, allowed - used)]
        message = (
            f"the job {first!r} exceeds a quota: the owner has {used} jobs, {len(names)} would be added, and {allowed} "
            "are allowed; delete one, or ask an administrator"
        )
        raise QuotaError(message, quota="jobs", used=used, allowed=allowed)


def _check_interval(job: Scheduled, allowed: int | None, now: datetime) -> None:
    schedule = None if allowed is None else _schedule(job, now)
    interval = None if schedule is None else shortest_interval(schedule, now)
    if allowed is not None and interval is not None and interval.total_seconds() < allowed:
        seconds = interval.total_seconds()
        message = (
            f"the schedule of {job.name!r} fires {seconds:g} s after another instant, and the owner's quota "
            f"min_interval_seconds is {allowed} s; write a rarer schedule_expr, or ask an administrator"
        )
        raise QuotaError(message, quota="min_interval_seconds", used=seconds, allowed=allowed)


def _schedule(job: Scheduled, now: datetime) -> Schedule | None:
    if job.schedule_expr is None:
        return None
    if isinstance(job, Job):
        return schedule_of(job)
    return parse(job.schedule_expr, timezone=job.timezone, dst=job.dst, anchor_at=now)
