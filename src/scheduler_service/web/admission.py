"""Finds the caller of a page, and refuses forms that do not come from a page of this session."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.features.keys.service import KeyService
from scheduler_service.http.auth import API_KEY_CALLER, check_reach
from scheduler_service.web.csrf import TOKEN_FIELD, is_same_origin, is_valid_token
from scheduler_service.web.headers import new_nonce
from scheduler_service.web.session import Session
from scheduler_service.web.site import Site, site_of
from scheduler_service.web.visit import Visit

_NOBODY = Caller(owner_id=None, scopes=frozenset())
_MAX_FIELDS, _MAX_FIELD_BYTES = 1000, 1024 * 1024


class LoginNeeded(Exception):  # noqa: N818 (not an error of the visitor)
    """Raised if a page needs a session and the request has none."""


async def admit(request: Request, *, is_public: bool) -> Visit:
    """Return the visit of a request. Raise `LoginNeeded` without a session, and refuse a forged form."""
    _check_address(request)
    site = site_of(request)
    session = site.sessions.find(request)
    caller = None if session is None else await _caller_of(request, session, site)
    if caller is None:
        if not is_public:
            raise LoginNeeded
        session = None
    return Visit(
        request=request,
        site=site,
        session=session,
        caller=caller or _NOBODY,
        nonce=new_nonce(),
        form=await _read_form(request, session),
    )


def _check_address(request: Request) -> None:
    if any("\0" in value for value in request.query_params.values()):
        raise HTTPException(HTTPStatus.BAD_REQUEST, "the address contains the character U+0000; remove it")


async def _caller_of(request: Request, session: Session, site: Site) -> Caller | None:
    caller: Caller | None = API_KEY_CALLER
    if session.key_id == API_KEY_CALLER.key_id:
        check_reach(request, site.settings)
    else:
        caller = await site.service.feature(KeyService).caller_with_id(session.key_id)
    if caller is None:
        return None
    await site.gate.admit(request, caller)
    is_read_only = session.is_read_only or site.settings.ui == "read_only"
    scopes = caller.scopes & {Scope.READ} if is_read_only else caller.scopes
    return replace(caller, scopes=scopes, address=site.gate.address_of(request))


async def _read_form(request: Request, session: Session | None) -> FormData:
    if request.method != "POST":
        return FormData()
    if not is_same_origin(request):
        raise HTTPException(HTTPStatus.FORBIDDEN, "the form was sent by another site; open the page here and try again")
    form = await request.form(max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES)
    token = form.get(TOKEN_FIELD, "")
    if session is not None and not (isinstance(token, str) and is_valid_token(token, session.seed)):
        raise HTTPException(HTTPStatus.FORBIDDEN, "the form is of another session; reload the page and try again")
    return form
