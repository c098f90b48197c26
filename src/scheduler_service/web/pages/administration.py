"""What the service offers and what people did with it: grants, environments, the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from scheduler_service.domain.audit import AuditEntry, AuditFilter
from scheduler_service.features.audit.service import AuditService
from scheduler_service.features.environments.service import EnvironmentService
from scheduler_service.features.grants.service import GrantService
from scheduler_service.web.queries import whole
from scheduler_service.web.routes import Pages
from scheduler_service.web.views.changes import Change, changes_in
from scheduler_service.web.views.paging import PAGE_SIZE
from scheduler_service.web.visit import Visit

pages = Pages()
AUDIT_FILTERS = ("key_id", "owner_id", "operation", "object", "outcome")


@pages.get("/grants")
async def show_grants(visit: Visit) -> Response:
    """List what jobs may be granted."""
    return visit.show("grants.html", rows=await visit.feature(GrantService).offered(visit.caller))


@pages.get("/environments")
async def show_environments(visit: Visit) -> Response:
    """List the environments of packages."""
    return visit.show("environments.html", rows=await visit.feature(EnvironmentService).list_all(visit.caller))


@pages.get("/environments/{environment_id}")
async def show_environment(visit: Visit) -> Response:
    """Show an environment, with its lock and the log of its build."""
    name = str(visit.request.path_params["environment_id"])
    return visit.show("environment.html", row=await visit.feature(EnvironmentService).get(visit.caller, name))


@pages.get("/audit")
async def show_audit(visit: Visit) -> Response:
    """Show who did what, the newest first."""
    query = visit.request.query_params
    given: dict[str, Any] = {name: query.get(name) or None for name in AUDIT_FILTERS}
    filters = replace(AuditFilter(before=whole(query, "before")), **given)
    entries = await visit.feature(AuditService).page(visit.caller, filters, PAGE_SIZE + 1)
    return visit.show(
        "audit.html",
        rows=[(entry, _compared(entry)) for entry in entries[:PAGE_SIZE]],
        older=entries[PAGE_SIZE - 1].id if len(entries) > PAGE_SIZE else None,
        given=given,
        api_query="?" + urlencode({name: value for name, value in {**given, "size": PAGE_SIZE}.items() if value}),
        names=AUDIT_FILTERS,
        is_filtered=any(given.values()),
    )


def _compared(entry: AuditEntry) -> tuple[Change, ...]:
    """Return the fields that an entry changed, or nothing if it tells something else, such as why it was refused."""
    sides = (entry.changes or {}).values()
    return changes_in(entry.changes or {}) if all(isinstance(each, Mapping) for each in sides) else ()
