"""What helps where a run is held back, or an instant became no run: links that stand beside the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.blockers import Blocker, Code
from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.records import Job, Run
from scheduler_service.domain.run_state import Reason, RunStatus

_ID = re.compile(r"\b\d+\b")
_FIELDS: Mapping[Code | Reason, str] = {
    Code.SCHEDULE: "schedule_expr",
    Code.CALENDAR: "calendars",
    Code.DEPENDENCY: "after",
    Code.OVERLAP: "overlap_policy",
    Code.CONCURRENCY_KEY: "concurrency_key",
    Code.GRANTS: "grants",
    Code.ENVIRONMENT: "payload-requirements",
    Code.START_DEADLINE: "start_deadline_seconds",
    Reason.OVERLAP: "overlap_policy",
    Reason.MISFIRE: "misfire_policy",
    Reason.CATCHUP_LIMIT: "catchup_limit",
    Reason.START_DEADLINE: "start_deadline_seconds",
    Reason.CALENDAR: "calendars",
    Reason.DEPENDENCY: "after",
    Reason.TIMEOUT: "timeout_seconds",
    Reason.OUT_OF_MEMORY: "limits-memory_mb",
    Reason.CPU_LIMIT: "limits-cpu_seconds",
    Reason.OUTPUT_LIMIT: "limits-output_kb",
}
_PAGES: Mapping[Code, str] = {
    Code.OVERLAP: "/ui/runs?job={id}&status=running&status=queued&status=retrying",
    Code.WORKERS: "/ui/workers",
    Code.SANDBOX: "/ui/system",
    Code.GRANTS: "/ui/grants",
    Code.ENVIRONMENT: "/ui/environments/{environment}",
}
HELPED_BY_THE_FORM = frozenset(
    {Code.SCHEDULE, Code.CALENDAR, Code.OVERLAP, Code.CONCURRENCY_KEY, Code.START_DEADLINE},
)
"""Conditions whose remedy names fields of the API; pages name them as the form does."""
NOT_RUN = frozenset({RunStatus.MISSED, RunStatus.SKIPPED})


@dataclass(frozen=True, slots=True)
class Remedy:
    """A link that helps. `name` is a key of the texts. `is_change`: it leads to the editor."""

    name: str
    href: str
    is_change: bool = False


def status_of_blocker(blocker: Blocker, job: Job) -> RunStatus:
    """Return the status whose sign stands beside a condition that is not met.

    A job without a schedule, or one that waits for others, works as it was made to. An active run is no fault yet.
    """
    if blocker.code is Code.DEPENDENCY or (blocker.code is Code.SCHEDULE and job.schedule_expr is None):
        return RunStatus.QUEUED
    return RunStatus.SKIPPED if blocker.code is Code.OVERLAP else RunStatus.FAILED


def remedies_of_blocker(blocker: Blocker, job: Job) -> tuple[Remedy, ...]:
    """Return the links beside a condition of a job's next run that is not met."""
    page = _PAGES.get(blocker.code)
    found = []
    if page is not None:
        found.append(Remedy(f"page_{blocker.code}", page.format(id=job.id, environment=job.environment_id)))
    if field := _FIELDS.get(blocker.code):
        found.append(_edit(job.id, field))
    return tuple(found)


def remedies_of_run(run: Run) -> tuple[Remedy, ...]:
    """Return the links beside the reason of a run that did not succeed, or of an instant that became no run."""
    found = []
    if run.reason is not None and (field := _FIELDS.get(run.reason)):
        found.append(_edit(run.job_id, field))
    if run.status in NOT_RUN:
        found.append(Remedy("simulate", f"/ui/simulate?job={run.job_id}"))
    return tuple(found)


def backfill_link(run: Run) -> str | None:
    """Return the address that runs the missed instants of a row after all. None: it stands for a run."""
    if run.status not in NOT_RUN:
        return None
    return backfill_path(run.job_id, run.scheduled_for, run.missed_until)


def backfill_path(job_id: int, first: datetime, last: datetime | None) -> str:
    """Return the address that backfills a job from an instant to another. None: only the first."""
    return f"/ui/jobs/{job_id}/backfill?from={iso8601(first)}&to={iso8601(last or first)}"


def _edit(job_id: int, field: str) -> Remedy:
    return Remedy("edit_" + field.replace("-", "_"), f"/ui/jobs/{job_id}/edit#f-{field}", is_change=True)


def with_names(sentence: str, names: Mapping[int, str]) -> str:
    """Return a sentence about jobs with their names in place of their ids."""
    return _ID.sub(lambda found: names.get(int(found[0]), found[0]), sentence)
