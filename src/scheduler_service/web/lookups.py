"""Objects that a page shows if they exist."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler_service.domain.records import Job
from scheduler_service.errors import NotFoundError
from scheduler_service.web.texts import text
from scheduler_service.web.visit import Visit


async def find_job(visit: Visit, job_id: int | None) -> Job | None:
    """Return a job, or None if there is none that the caller reaches: it was deleted, for example."""
    if job_id is None:
        return None
    try:
        return await visit.service.jobs.get(visit.caller, job_id)
    except NotFoundError:
        return None


async def upstream_names(visit: Visit, jobs: Iterable[Job]) -> dict[int, str]:
    """Return the names of the jobs that others run after, by their ids. Most pages have none and ask for nothing."""
    ids = {int(each["job"]) for job in jobs for each in job.after}
    return await visit.service.listing.names(visit.caller, sorted(ids)) if ids else {}


def sentence_of(visit: Visit, job: Job, names: dict[int, str]) -> str:
    """Return when a job runs, in words. `names` are those of the jobs that it runs after."""
    if job.schedule_expr is not None or not job.after:
        return visit.service.schedules.describe(job).sentence
    found = [names.get(int(each["job"]), f"{each['job']}") for each in job.after]
    mode = "one" if len(found) == 1 else str(job.after_mode)
    return text(f"jobs.after_{mode}", names=", ".join(found))
