"""API keys: who may do what."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from scheduler_service.domain.caller import Scope
from scheduler_service.errors import InvalidInputError
from scheduler_service.features.keys.definition import KeyDefinition, Rotation
from scheduler_service.features.keys.rules import is_valid_at
from scheduler_service.features.keys.service import CreatedKey, KeyService
from scheduler_service.web.forms import read_form, sentences_of
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.visit import Visit

pages = Pages()
DEFAULT_SCOPES = (Scope.READ, Scope.WRITE, Scope.RUN)


@pages.get("/keys")
async def show_keys(visit: Visit) -> Response:
    """List keys without their secrets."""
    return await _list(visit)


@pages.get("/keys/new")
async def ask_for_key(visit: Visit) -> Response:
    """Show the form of a new key."""
    visit.caller.require(Scope.ADMIN)
    return _form(visit, {"scopes": list(DEFAULT_SCOPES)})


@pages.post("/keys/new")
async def create_key(visit: Visit) -> Response:
    """Create a key and show it once: it is in this response and nowhere else."""
    document: dict[str, Any] = {"scopes": [str(scope) for scope in visit.form.getlist("scopes")]}
    for name in ("owner_id", "name"):
        if value := visit.text_of(name):
            document[name] = value
    if expires_at := visit.text_of("expires_at"):
        document["expires_at"] = f"{expires_at}:00Z"
    try:
        created = await visit.feature(KeyService).create(visit.caller, read_form(KeyDefinition, document))
    except InvalidInputError as error:
        return _form(visit, document, sentences_of(error))
    return await _list(visit, created)


@pages.post("/keys/{key_id}/rotate")
async def rotate_key(visit: Visit) -> Response:
    """Create a key with the same rights. The old one works for another hour."""
    return await _list(visit, await visit.feature(KeyService).rotate(visit.caller, _id(visit), Rotation()))


@pages.get("/keys/{key_id}/revoke")
async def ask_to_revoke(visit: Visit) -> Response:
    """Show which key would be revoked."""
    return visit.show("key_revoke.html", key=await visit.feature(KeyService).get(visit.caller, _id(visit)))


@pages.post("/keys/{key_id}/revoke")
async def revoke_key(visit: Visit) -> Response:
    """Revoke a key for good."""
    await visit.feature(KeyService).revoke(visit.caller, _id(visit))
    return visit.redirect("/ui/keys", text("keys.revoked"))


def _id(visit: Visit) -> str:
    return str(visit.request.path_params["key_id"])


async def _list(visit: Visit, created: CreatedKey | None = None) -> Response:
    now = datetime.now(UTC)
    keys = await visit.feature(KeyService).list_keys(visit.caller)
    rows = [(key, is_valid_at(key, now)) for key in reversed(keys)]
    return visit.show("keys.html", rows=rows, created=created)


def _form(visit: Visit, document: dict[str, Any], errors: list[str] | None = None) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return visit.show("key_new.html", status=status, document=document, errors=errors, scopes=tuple(Scope))
