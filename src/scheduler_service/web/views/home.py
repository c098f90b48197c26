"""What needs somebody, and what is going on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.outcomes import Outcome
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import Reason, RunStatus, Trigger
from scheduler_service.web.views.runs import run_seconds
from scheduler_service.web.views.status import Status, status_of_run

STUCK_SECONDS = 60.0
SKIPPING_FROM = 4
"""A job with fewer instants is not said to skip most of them."""


@dataclass(frozen=True, slots=True)
class Need:
    """A job that needs somebody. `kind` is a key of the texts; `count` is of its instants.

    `total` are the instants of which it is, `run_id` is the run that failed.
    """

    job_id: int
    job_name: str
    status: Status
    kind: str
    count: int
    at: datetime | None
    total: int | None = None
    reason: Reason | None = None
    run_id: int | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What the first sentence says of the service, and of the jobs that need somebody.

    Both are keys of the texts, and `needs` is None if no job needs anybody. `family` is the colour.
    """

    service: str
    needs: str | None
    jobs: int
    family: str


@dataclass(frozen=True, slots=True)
class Running:
    """An active run. `share` is how much of the expected duration has passed, in percent, or None if unknown."""

    run_id: int
    job_id: int
    job_name: str
    status: Status
    seconds: float | None
    expected: float | None
    share: int | None


def summary(needs: Sequence[Need], failing_total: int, *, is_well: bool, has_more_missed: bool) -> Summary:
    """Return the first sentence. `is_well` is of the service alone, and `failing_total` counts all failing jobs."""
    failing_ids = {need.job_id for need in needs if need.kind == "failed"}
    others = {need.job_id for need in needs} - failing_ids
    jobs = max(failing_total, len(failing_ids)) + len(others)
    if not jobs:
        return Summary("well", None, 0, "good") if is_well else Summary("service_not_well", None, 0, "bad")
    counted = "need_at_least" if has_more_missed else "need"
    return Summary("service_well" if is_well else "service_not_well", counted, jobs, "warn" if is_well else "bad")


def failing(jobs: Iterable[Job], newest: Mapping[int, Sequence[Outcome]]) -> list[Need]:
    """Return the jobs whose newest run failed, each with that run if it is among the newest rows of the job."""
    failed = status_of_run(RunStatus.FAILED)
    return [
        Need(
            job.id,
            job.name,
            failed,
            "failed",
            # Resuming a job sets its count back to 0.
            max(1, job.failures_in_a_row),
            job.last_run_at,
            run_id=next((row.run_id for row in newest.get(job.id, ()) if row.status is RunStatus.FAILED), None),
        )
        for job in jobs
    ]


def skipping(names: Mapping[int, str], newest: Mapping[int, Sequence[Outcome]], since: datetime) -> list[Need]:
    """Return the jobs that skipped most of their instants since then, as far as their newest rows tell.

    Days that a calendar excludes are skipped as the user wants it, and do not count.
    """
    found = []
    for job_id, name in names.items():
        rows = [row for row in newest.get(job_id, ()) if row.trigger is Trigger.SCHEDULE and row.scheduled_for >= since]
        owed = [row for row in rows if row.reason is not Reason.CALENDAR]
        skipped = [row for row in owed if row.status is RunStatus.SKIPPED]
        total = sum(row.missed_count or 1 for row in owed)
        if total >= SKIPPING_FROM and 2 * len(skipped) > total:
            status, last = status_of_run(RunStatus.SKIPPED), skipped[0]
            found.append(Need(job_id, name, status, "skipped", len(skipped), last.scheduled_for, total, last.reason))
    return found


def missed(rows: Sequence[tuple[Run, str]]) -> list[Need]:
    """Return the jobs of missed rows, which are given newest first, each with the number of its missed instants."""
    counts: Counter[int] = Counter()
    newest: dict[int, tuple[Run, str]] = {}
    for run, name in rows:
        counts[run.job_id] += run.missed_count or 1
        newest.setdefault(run.job_id, (run, name))
    status = status_of_run(RunStatus.MISSED)
    return [
        Need(job_id, name, status, "missed", counts[job_id], run.missed_until or run.scheduled_for)
        for job_id, (run, name) in newest.items()
    ]


def running(run: Run, job_name: str, expected: float | None, now: datetime) -> Running:
    """Return an active run with its progress against the median of its job."""
    seconds = run_seconds(run, now)
    share = None if not expected or seconds is None else min(100, round(100 * seconds / expected))
    return Running(run.id, run.job_id, job_name, status_of_run(run.status), seconds, expected, share)
