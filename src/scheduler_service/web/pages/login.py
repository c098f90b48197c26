"""Logging in with a key."""

from __future__ import annotations

import math
from http import HTTPStatus

from starlette.responses import RedirectResponse, Response

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.domain.caller import Caller
from scheduler_service.features.audit.service import AuditService
from scheduler_service.features.keys.service import KeyService
from scheduler_service.http.auth import API_KEY_CALLER, check_reach, is_local, same_key
from scheduler_service.http.client_address import network_of
from scheduler_service.services.audit import Refusal
from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.visit import HOME, Visit

pages = Pages(is_public=True)


@pages.get("/login")
async def show_login(visit: Visit) -> Response:
    """Show the form for a key."""
    if visit.session is not None:
        return RedirectResponse(_target(visit.query.get("next", HOME)), HTTPStatus.SEE_OTHER)
    return _form(visit)


@pages.post("/login")
async def log_in(visit: Visit) -> Response:
    """Begin a session of the key in the form."""
    address = visit.site.gate.address_of(visit.request)
    network = network_of(address)
    if (seconds := visit.site.logins.wait_seconds(network)) > 0:
        wait = math.ceil(seconds)
        response = _form(visit, HTTPStatus.TOO_MANY_REQUESTS, text("login.wait", seconds=wait))
        response.headers["Retry-After"] = str(wait)
        return response
    caller = await _caller_of(visit, visit.text_of("key"))
    if caller is None:
        visit.site.logins.note_wrong(network)
        await _note_refusal(visit, address)
        return _form(visit, HTTPStatus.UNAUTHORIZED, text("login.wrong"))
    return await _begin(visit, caller)


@pages.post("/login/development")
async def log_in_as_developer(visit: Visit) -> Response:
    """Begin a session of the development key, for a browser on this machine."""
    if not _offers_development(visit):
        return _form(visit, HTTPStatus.FORBIDDEN, text("login.not_local"))
    return await _begin(visit, API_KEY_CALLER)


async def _caller_of(visit: Visit, key: str) -> Caller | None:
    try:
        key.encode("latin-1")
    except UnicodeEncodeError:
        return None
    if same_key(key, visit.site.settings.api_key.get_secret_value()):
        check_reach(visit.request, visit.site.settings)
        return API_KEY_CALLER
    return await visit.feature(KeyService).caller_of(key)


async def _begin(visit: Visit, caller: Caller) -> Response:
    assert caller.key_id is not None  # noqa: S101 (callers of keys have it)
    response = RedirectResponse(_target(visit.text_of("next")), HTTPStatus.SEE_OTHER)
    visit.site.sessions.store(visit.request, response, visit.site.sessions.begin(caller.key_id))
    await visit.feature(AuditService).note_login(caller)
    return response


async def _note_refusal(visit: Visit, address: str | None) -> None:
    path, status = visit.request.url.path, HTTPStatus.UNAUTHORIZED
    refusal = Refusal(operation="logIn", path=path, status=status, address=address, caller=None)
    await visit.feature(AuditService).note(refusal)


def _form(visit: Visit, status: int = HTTPStatus.OK, error: str | None = None) -> Response:
    target = _target(visit.text_of("next") or visit.query.get("next", HOME))
    return visit.show(
        "login.html", status=status, target=target, error=error, offers_development=_offers_development(visit)
    )


def _offers_development(visit: Visit) -> bool:
    is_development = visit.site.settings.api_key.get_secret_value() == DEVELOPMENT_API_KEY
    return is_development and is_local(visit.request, visit.site.settings)


def _target(path: str) -> str:
    """Return a path of this interface, so that a link to the login cannot lead to another site."""
    is_ours = path.startswith(HOME) and not path.startswith(f"{HOME}login") and "\\" not in path and path.isprintable()
    return path if is_ours else HOME
