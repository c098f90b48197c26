"""Jobs, as a list shows them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.records import Job
from scheduler_service.web.views.status import Status, status_of_job, status_of_run

MAX_TAGS = 3
# The anchor of an interval, which the page of the job shows.
_ANCHOR = re.compile(r", counted from \S+ \S+ UTC")


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job of a list. `more_tags` counts those that are not shown."""

    id: int
    name: str
    tags: tuple[str, ...]
    more_tags: int
    status: Status
    schedule: str
    next_at: datetime | None
    last_at: datetime | None
    last_status: Status | None
    owner: str
    type: str
    is_paused: bool
    is_finished: bool


def job_row(job: Job, sentence: str) -> JobRow:
    """Return the row of a job whose schedule is described by a sentence."""
    return JobRow(
        id=job.id,
        name=job.name,
        tags=tuple(job.tags[:MAX_TAGS]),
        more_tags=max(0, len(job.tags) - MAX_TAGS),
        status=status_of_job(job.status),
        schedule=_ANCHOR.sub("", sentence),
        next_at=job.next_run_at,
        last_at=job.last_run_at,
        last_status=None if job.last_run_status is None else status_of_run(job.last_run_status),
        owner=job.owner_id,
        type=str(job.payload.get("type", "")),
        is_paused=job.status == "paused",
        is_finished=job.status == "finished",
    )
