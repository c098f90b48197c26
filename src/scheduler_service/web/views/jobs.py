"""Jobs, as a list shows them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.outcomes import Outcome
from scheduler_service.domain.records import Job
from scheduler_service.domain.run_state import JobStatus
from scheduler_service.web.views.status import Status, status_of_job, status_of_run
from scheduler_service.web.views.strip import StripCell, strip

MAX_TAGS = 3
# The anchor of an interval, which the page of the job shows.
_ANCHOR = re.compile(r", counted from \S+ \S+ UTC")


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job of a list. `more_tags` counts those that are not shown. `running_id` is the run that executes now."""

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
    can_pause: bool
    can_resume: bool
    strip: tuple[StripCell, ...]
    running_id: int | None


def job_row(job: Job, sentence: str, outcomes: Sequence[Outcome], running_id: int | None = None) -> JobRow:
    """Return the row of a job whose schedule a sentence describes. Its newest outcomes become a strip."""
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
        can_pause=job.status is JobStatus.ACTIVE and job.schedule_expr is not None,
        can_resume=job.status is JobStatus.PAUSED,
        strip=strip(outcomes),
        running_id=running_id,
    )
