"""The page of a job: what it does, how it is, and why it runs or does not run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from scheduler_service.domain.blockers import Code
from scheduler_service.domain.listing import Count, Page, RunFilter
from scheduler_service.features.environments.service import EnvironmentService
from scheduler_service.web.lookups import sentence_of, upstream_names
from scheduler_service.web.routes import Pages
from scheduler_service.web.views.job import definition_of, retry_waits
from scheduler_service.web.views.remedies import (
    HELPED_BY_THE_FORM,
    NOT_RUN,
    remedies_of_blocker,
    status_of_blocker,
    with_names,
)
from scheduler_service.web.views.runs import run_row
from scheduler_service.web.views.strip import strip
from scheduler_service.web.visit import Visit

pages = Pages()
NEXT, RECENT, EXPLAINED = 10, 10, 10
STRIP = 40
LEFT_OUT = 3
DAYS = (7, 30)


@pages.get("/jobs/{job_id:int}/figures")
async def show_figures(visit: Visit) -> Response:
    """Show figures of days, which the page of the job loads after itself: they may take longer than all the rest."""
    job = await visit.service.jobs.get(visit.caller, visit.path_id("job_id"))
    figures = {days: await visit.service.stats.of_job(visit.caller, job.id, timedelta(days=days)) for days in DAYS}
    return visit.show("job_figures.html", job=job, figures=figures)


@pages.get("/jobs/{job_id:int}")
async def show_job(visit: Visit) -> Response:
    """Show a job."""
    service, caller = visit.service, visit.caller
    job = await service.jobs.get(caller, visit.path_id("job_id"))
    states = await visit.feature(EnvironmentService).states([job.environment_id])
    environment = states.get(job.environment_id or "")
    page = Page(size=RECENT, count=Count.NONE)
    listing = await service.runs.page(caller, RunFilter(job_id=job.id), page, has_logs=False)
    now = datetime.now(UTC)
    recent = await service.runs.recent(caller, [job.id], STRIP)
    rows = [run_row(view.run, view.job_name, now) for view in listing.items]
    explained = await service.explanations.explain(caller, job, environment, EXPLAINED)
    names = await upstream_names(visit, (job,))
    return visit.show(
        "job.html",
        job=job,
        helped_by_form=HELPED_BY_THE_FORM,
        signs={each.code: status_of_blocker(each, job) for each in explained.blockers if not each.met},
        blocker_remedies={each.code: remedies_of_blocker(each, job) for each in explained.blockers if not each.met},
        not_run=[run_row(run, job.name, now) for run in explained.last if run.status in NOT_RUN][:LEFT_OUT],
        described=service.schedules.describe(job),
        sentence=sentence_of(visit, job, names),
        upstreams=names,
        said={
            each.code: with_names(each.sentence, names) for each in explained.blockers if each.code is Code.DEPENDENCY
        },
        explained=explained,
        upcoming=await service.jobs.next_instants(caller, job.id, NEXT),
        rows=rows,
        strip=strip(recent.get(job.id, ())),
        definition=definition_of(job),
        waits=retry_waits(job),
        has_more=listing.next is not None,
    )
