"""Objects that a page shows if they exist."""

from __future__ import annotations

from scheduler_service.domain.records import Job
from scheduler_service.errors import NotFoundError
from scheduler_service.web.visit import Visit


async def find_job(visit: Visit, job_id: int | None) -> Job | None:
    """Return a job, or None if there is none that the caller reaches: it was deleted, for example."""
    if job_id is None:
        return None
    try:
        return await visit.service.jobs.get(visit.caller, job_id)
    except NotFoundError:
        return None
