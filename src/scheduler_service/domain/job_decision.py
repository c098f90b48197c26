"""What a stored job's due instants become. The ledger fires by it, and simulations compute by it."""

from __future__ import annotations

from datetime import datetime, timedelta

from scheduler_service.domain.calendars import JobCalendar
from scheduler_service.domain.firing import Decision, Fire, FiringRules, decide
from scheduler_service.domain.jitter import jittered
from scheduler_service.domain.records import DueJob, schedule_of


def decide_for(
    job: DueJob, now: datetime, active: int, calendar: JobCalendar | None = None, quota_left: int | None = None
) -> Decision:
    """Return the decision of `firing` about a job. `calendar` holds the days of the job's calendars.

    `quota_left` is how many runs the quota of the owner still allows in this minute; None: any number.
    """
    rules = FiringRules(
        misfire_policy=job.misfire_policy,
        misfire_grace_seconds=job.misfire_grace_seconds,
        catchup_limit=job.catchup_limit,
        overlap_policy=job.overlap_policy,
        max_concurrency=job.max_concurrency,
        start_deadline_seconds=_deadline_seconds(job),
        runs_left=None if job.max_runs is None else job.max_runs - job.scheduled_runs,
        quota_left=quota_left,
    )
    return decide(
        schedule_of(job),
        rules,
        next_run_at=job.next_run_at,
        now=now,
        active=active,
        end_at=job.end_at,
        calendar=calendar,
    )


def start_window(job: DueJob, fire: Fire) -> tuple[datetime, datetime | None]:
    """Return when a run may start, after its jitter and closed days, and by when it must. None: at any time."""
    available_at = jittered(job.id, fire.not_before or fire.scheduled_for, job.jitter_seconds)
    if job.start_deadline_seconds is None:
        return available_at, None
    return available_at, available_at + timedelta(seconds=job.start_deadline_seconds)


def _deadline_seconds(job: DueJob) -> float | None:
    # A run may wait out its jitter first; see `start_window`.
    return None if job.start_deadline_seconds is None else job.start_deadline_seconds + job.jitter_seconds
