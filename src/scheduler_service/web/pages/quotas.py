"""Quotas: owners see theirs, and administrators set those of every owner."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from scheduler_service.domain.caller import Scope
from scheduler_service.domain.quotas import NAMES
from scheduler_service.errors import InvalidInputError
from scheduler_service.features.quotas.definition import QuotaDefinition
from scheduler_service.features.quotas.service import QuotaService
from scheduler_service.web.forms import read_form, sentences_of
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.visit import Visit

pages = Pages()
MAX_OWNER_CHARACTERS = 128


@pages.get("/quotas")
async def show_quotas(visit: Visit) -> Response:
    """Show the quotas of the caller's owner, and to an administrator those of every owner that was given any."""
    service = visit.feature(QuotaService)
    own = await service.get(visit.caller)
    given = await service.list_given(visit.caller) if visit.caller.bound is None else []
    others = [use for use in given if use.owner_id != own.owner_id]
    return visit.show("quotas.html", rows=[own, *others], own=own)


@pages.get("/quotas/new")
async def ask_for_quotas(visit: Visit) -> Response:
    """Show the form, with the quotas that the owner has been given."""
    visit.caller.require(Scope.ADMIN)
    owner = visit.query.get("owner", "")
    given = (await visit.feature(QuotaService).get(visit.caller, owner)).own if owner else None
    return _form(visit, owner, {name: "" if value is None else value for name, value in (given or {}).items()})


@pages.post("/quotas/new")
async def set_quotas(visit: Visit) -> Response:
    """Set the quotas of an owner."""
    owner = visit.text_of("owner")
    fields = {name: visit.text_of(name) for name in NAMES}
    if not 0 < len(owner) <= MAX_OWNER_CHARACTERS:
        return _form(visit, owner, fields, [text("quotas.owner_needed")])
    document: dict[str, Any] = {name: _number(value) for name, value in fields.items() if value}
    try:
        await visit.feature(QuotaService).put(visit.caller, owner, read_form(QuotaDefinition, document))
    except InvalidInputError as error:
        return _form(visit, owner, fields, sentences_of(error))
    return visit.redirect("/ui/quotas", text("quotas.stored", name=owner))


@pages.post("/quotas/delete")
async def unset_quotas(visit: Visit) -> Response:
    """Remove the quotas of an owner."""
    owner = visit.text_of("owner")
    await visit.feature(QuotaService).delete(visit.caller, owner)
    return visit.redirect("/ui/quotas", text("quotas.removed", name=owner))


def _number(written: str) -> int | str:
    return int(written) if written.isascii() and written.isdigit() else written


def _form(visit: Visit, owner: str, fields: dict[str, Any], errors: list[str] | None = None) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return visit.show("quota_new.html", status=status, owner=owner, fields=fields, errors=errors, names=NAMES)
