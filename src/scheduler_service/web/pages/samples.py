"""Sample jobs, created by one click and removed by one."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from scheduler_service.domain.caller import Scope
from scheduler_service.domain.listing import Count, JobFilter, Page
from scheduler_service.domain.records import Job
from scheduler_service.features.alerts.service import AlertService
from scheduler_service.features.grants.service import GrantService
from scheduler_service.web import samples
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.visit import Visit

pages = Pages()
_LISTED = 100


@pages.post("/samples")
async def create_samples(visit: Visit) -> Response:
    """Create the samples that do not exist and are allowed here, and run the first one now."""
    visit.caller.require(Scope.WRITE)
    has_network = visit.site.settings.allow_network
    known = {job.external_key: job for job in await _stored(visit)}
    report = known.get(samples.REPORT) or await _create(visit, samples.report())
    if samples.LOAD not in known:
        await _create(visit, samples.load(report.id))
    if samples.BACKUP not in known:
        await _create(visit, samples.backup(await _backup_grant(visit)))
    if samples.CHECK not in known and has_network:
        check = await _create(visit, samples.check())
        await visit.feature(AlertService).create(visit.caller, samples.alert(check.id))
    if samples.REPORT not in known and visit.can(Scope.RUN):
        await visit.service.jobs.run(visit.caller, report.id)
    return visit.redirect(
        f"/ui/jobs/{report.id}", text("samples.created" if has_network else "samples.created_without_check")
    )


@pages.get("/samples/remove")
async def ask_to_remove_samples(visit: Visit) -> Response:
    """Ask whether the samples are deleted, and name them."""
    visit.caller.require(Scope.WRITE)
    names = ", ".join(job.name for job in await _stored(visit))
    return visit.show("confirm.html", about="samples.delete_", name=names, fields={}, back="/ui/jobs")


@pages.post("/samples/remove")
async def remove_samples(visit: Visit) -> Response:
    """Delete the samples and their alert rule."""
    visit.caller.require(Scope.WRITE)
    found = {job.id: job for job in await _stored(visit)}
    for rule in await visit.feature(AlertService).list_rules(visit.caller):
        if rule.job_id in found:
            await visit.feature(AlertService).delete(visit.caller, rule.id)
    # A job that others run after cannot be deleted, so these go first.
    for job in sorted(found.values(), key=lambda job: not job.after):
        await visit.service.jobs.delete(visit.caller, job.id)
    return visit.redirect("/ui/jobs", text("samples.removed"))


async def _stored(visit: Visit) -> list[Job]:
    filters = JobFilter(tag=samples.TAG, owner_id=visit.caller.owner_id or "")
    listing = await visit.service.jobs.page(visit.caller, filters, Page(size=_LISTED, count=Count.NONE))
    return [job for job in listing.items if samples.is_sample(job)]


async def _create(visit: Visit, document: dict[str, Any]) -> Job:
    jobs = visit.service.jobs
    return await jobs.create_from(visit.caller, document)


async def _backup_grant(visit: Visit) -> list[str]:
    offered = await visit.feature(GrantService).offered(visit.caller)
    return [grant.name for grant in offered if grant.name == "backup"]
