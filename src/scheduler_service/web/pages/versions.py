"""The versions of a job: who changed what and when, and going back to one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from starlette.responses import Response

from scheduler_service.domain.caller import Scope
from scheduler_service.domain.records import JobVersion
from scheduler_service.services.job_versions import VersionView
from scheduler_service.web.queries import whole
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.views.changes import Change, changes_in, fields_in
from scheduler_service.web.visit import Visit

pages = Pages()
SHOWN = 20
VERSIONS = "/jobs/{job_id:int}/versions"
VERSION = VERSIONS + "/{version:int}"
RESTORE = "restoreJobVersion"
NAMED = frozenset({
    "createJob", "replaceJob", "patchJob", "applyJobs", "pauseJob", "resumeJob", "tagJob", "relockJob", RESTORE
})  # fmt: skip
"""The operations that the texts have a word for."""
PAUSING = frozenset({"pauseJob", "resumeJob"})


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version with what it changed, and the operation in words. `changes` None: the one before is not kept."""

    version: JobVersion
    done: str | None
    changes: tuple[Change, ...] | None

    @property
    def is_definition(self) -> bool:
        """Return whether it is the current version, or more than a pause or a resume."""
        return self.version.operation not in PAUSING or self.version.replaced_at is None


@pages.get(VERSIONS)
async def show_versions(visit: Visit) -> Response:
    """Show the versions of a job, the newest first, each with what it changed."""
    job = await visit.service.jobs.get(visit.caller, visit.path_id("job_id"))
    service, before = visit.service.versions, whole(visit.request.query_params, "before")
    views, following = await service.newest_views(visit.caller, job.id, before, SHOWN)
    rows = await asyncio.to_thread(_rows, views)
    groups = [(shown, list(group)) for shown, group in groupby(rows, key=lambda row: row.is_definition)]
    return visit.show("versions.html", job=job, groups=groups, following=following)


@pages.get(VERSION)
async def show_version(visit: Visit) -> Response:
    """Show the definition of one version."""
    job = await visit.service.jobs.get(visit.caller, visit.path_id("job_id"))
    view = await visit.service.versions.get(visit.caller, job.id, visit.path_id("version"))
    return visit.show("version.html", job=job, kept=view.version, fields=fields_in(view.definition))


@pages.get(VERSION + "/restore")
async def ask_to_restore(visit: Visit) -> Response:
    """Show what would change if a version became the current one."""
    visit.caller.require(Scope.WRITE)
    job, version = await visit.service.jobs.get(visit.caller, visit.path_id("job_id")), visit.path_id("version")
    differences = await visit.service.versions.changes(visit.caller, job.id, job.version, version)
    changes = await asyncio.to_thread(changes_in, differences)
    return visit.show("version_restore.html", job=job, number=version, changes=changes)


@pages.post(VERSION + "/restore")
async def restore_version(visit: Visit) -> Response:
    """Make the definition of a version the current one, as a new version."""
    job = await visit.service.jobs.restore(visit.caller, visit.path_id("job_id"), visit.path_id("version"))
    done = text("versions.restored", version=visit.path_id("version"), current=job.version)
    return visit.redirect(f"/ui/jobs/{job.id}/versions", done)


def _rows(views: Sequence[VersionView]) -> list[VersionRow]:
    versions = [view.version for view in views]
    return [
        VersionRow(
            view.version,
            _done(view.version, versions[place + 1 :]),
            None if view.changes is None else changes_in(view.changes),
        )
        for place, view in enumerate(views)
    ]


def _done(version: JobVersion, earlier: Sequence[JobVersion]) -> str | None:
    """Return what made a version, or None if that is not known."""
    if version.operation is None:
        return None
    if version.operation == RESTORE:
        same = (each.version for each in earlier if each.definition == version.definition)
        if (restored := next(same, None)) is not None:
            return text("versions.restored_from", version=restored)
    return text(f"versions.did.{version.operation}") if version.operation in NAMED else version.operation
