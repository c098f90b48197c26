"""Error pages."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote, urlsplit

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ExceptionHandler

from scheduler_service.domain.caller import Caller
from scheduler_service.errors import SchedulerError
from scheduler_service.features.audit.service import AuditService
from scheduler_service.http import error_responses
from scheduler_service.services.audit import Refusal
from scheduler_service.telemetry import logging_config
from scheduler_service.web.admission import LoginNeeded
from scheduler_service.web.headers import new_nonce, page_headers
from scheduler_service.web.rendering import render
from scheduler_service.web.site import site_of

_REFUSALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})

log = structlog.get_logger(__name__)


async def _ask_for_login(request: Request, _error: Exception) -> Response:
    if request.headers.get("sec-fetch-site") == "cross-site" and request.method == "GET":
        # Strict cookies are missing on links from other sites; a reload from this page sends them.
        return _page(request, HTTPStatus.OK, "reload.html")
    is_script = request.headers.get("hx-request") == "true"
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if is_script or request.method != "GET":  # back to the page that asks or sends, not to what it asks for
        target = _path_in(request.headers.get("hx-current-url") or request.headers.get("referer", ""))
    location = f"/ui/login?next={quote(target, safe='')}"
    if is_script:
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": location})
    if request.method != "GET":
        return _page(request, HTTPStatus.UNAUTHORIZED, "login_ended.html", location=location)
    return RedirectResponse(location, HTTPStatus.SEE_OTHER)


def _path_in(address: str) -> str:
    """Return the path and query of an address. The login leads to no other site, whatever they are."""
    parts = urlsplit(address)
    return parts.path + (f"?{parts.query}" if parts.query else "")


async def _show_service_error(request: Request, error: Exception) -> Response:
    status = next(code for kind, code in error_responses.STATUS.items() if isinstance(error, kind))
    detail = str(error)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        log.warning("request_refused", error=detail)
        detail = "the database or the broker does not answer; try again"
    return await _show(request, status, detail)


async def _show_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (the handler is registered for it alone)
    detail = error.detail if error.status_code != HTTPStatus.NOT_FOUND else f"there is no page {request.url.path}"
    response = await _show(request, error.status_code, detail)
    response.headers.update(error.headers or {})
    return response


async def _show_unforeseen(request: Request, _error: Exception) -> Response:
    return await _show(request, HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; the log has the details")


HANDLERS: dict[type[Exception], ExceptionHandler] = {
    LoginNeeded: _ask_for_login,
    SchedulerError: _show_service_error,
    HTTPException: _show_http_error,
    Exception: _show_unforeseen,
}


async def _show(request: Request, status: int, detail: str) -> Response:
    visit = getattr(request.state, "visit", None)
    if status in _REFUSALS:
        await _note_refusal(request, status, None if visit is None else visit.caller)
    return _page(
        request,
        status,
        "error.html",
        code=int(status),
        title=error_responses.title(status),
        detail=detail[:1].upper() + detail[1:],
        correlation_id=logging_config.current_correlation_id(),
    )


async def _note_refusal(request: Request, status: int, caller: Caller | None) -> None:
    site = site_of(request)
    refusal = Refusal(
        operation=f"{request.method} page",
        path=request.url.path,
        status=status,
        address=site.gate.address_of(request),
        caller=caller,
    )
    await site.service.feature(AuditService).note(refusal)


def _page(request: Request, status: int, template: str, **context: object) -> Response:
    nonce = new_nonce()
    is_secure = site_of(request).sessions.is_secure(request)
    return HTMLResponse(
        render(template, nonce=nonce, **context), int(status), headers=page_headers(nonce, is_secure=is_secure)
    )
