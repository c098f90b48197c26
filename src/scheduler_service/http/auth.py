"""Authenticates callers by their key. `Caller.require` checks what they may do."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from ipaddress import ip_address
from typing import Annotated, Protocol

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY, LOOPBACK_HOSTS
from scheduler_service.config.settings import Settings
from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.http import error_responses
from scheduler_service.http.client_address import named_by_proxies, peer_address
from scheduler_service.http.http_rules import HOST
from scheduler_service.http.request_gate import RequestGate

HEADER = "X-API-Key"
API_KEY_CALLER = Caller(owner_id=None, scopes=frozenset(Scope), key_id="API_KEY")
"""The caller whose key is the setting API_KEY."""

_scheme = APIKeyHeader(
    name=HEADER,
    scheme_name="ApiKey",
    description="The key in the setting API_KEY, or one of `POST /keys`.",
    auto_error=False,
)


class KeyCheck(Protocol):
    """Finds the caller of a key that is not the setting API_KEY."""

    async def caller_of(self, text: str) -> Caller | None:
        """Return the caller whose key this is, or None if there is no valid key of this text."""
        ...

    async def caller_with_id(self, public_id: str) -> Caller | None:
        """Return the caller of a key by its id, or None if there is no valid one."""
        ...

    def is_known(self, text: str) -> bool:
        """Return whether this process has read the key that a text names, without reading it now."""
        ...


async def authenticate(request: Request) -> None:
    """Check the key and store the caller for `current_caller`. Refuse those without a valid key, or above a limit."""
    gate: RequestGate = request.app.state.gate
    try:
        caller = await _caller_of(request)
    except HTTPException:
        if HEADER in request.headers:
            await gate.note_wrong_key(request)
        raise
    request.state.caller = replace(caller, address=gate.address_of(request))
    await gate.admit(request, caller)


async def _caller_of(request: Request) -> Caller:
    settings: Settings = request.app.state.settings
    given = request.headers.get(HEADER)
    if given is None:
        raise error_responses.unauthorized(f"send your key in the header {HEADER}")
    if not same_key(given, settings.api_key.get_secret_value()):
        return await _stored_caller(request, given)
    check_reach(request, settings)
    return API_KEY_CALLER


def check_reach(request: HTTPConnection, settings: Settings) -> None:
    """Raise a refusal if API_KEY is the development key and the request does not come from this machine."""
    if settings.api_key.get_secret_value() == DEVELOPMENT_API_KEY and not is_local(request, settings):
        raise error_responses.forbidden(
            "the development key is public, so it is accepted from this machine only, "
            "through localhost; set an API_KEY of your own"
        )


async def _stored_caller(request: Request, given: str) -> Caller:
    keys: KeyCheck = request.app.state.keys
    gate: RequestGate = request.app.state.gate
    caller = None if gate.is_suspect(request) and not keys.is_known(given) else await keys.caller_of(given)
    if caller is None:
        raise error_responses.unauthorized(f"the key in the header {HEADER} is not valid")
    return caller


def same_key(given: str, expected: str) -> bool:
    """Compare a header with a secret in constant time.

    The time reveals neither the position of a difference nor the length of the secret.
    """
    # Starlette decodes the bytes of headers as Latin-1.
    digests = (hashlib.sha256(text).digest() for text in (given.encode("latin-1"), expected.encode()))
    return hmac.compare_digest(*digests)


async def current_caller(request: Request, _key: Annotated[str | None, Security(_scheme)]) -> Caller:
    """Return the caller that the route authenticated. Fail if the route does not authenticate."""
    caller: Caller = request.state.caller
    return caller


CurrentCaller = Annotated[Caller, Depends(current_caller)]


def is_local(connection: HTTPConnection, settings: Settings) -> bool:
    """Return whether a request comes from this machine and addresses it by a local name.

    The name matters because of DNS rebinding: a foreign page whose name resolves to 127.0.0.1 counts as same-origin in
    this machine's browser. Such a page could send the well-known development key. A page also tells its own origin.

    Everybody can write headers that name clients, so none of them makes a request local. If one names another machine,
    a proxy here passes on what comes from there, whether it is trusted or not.
    """
    headers = connection.headers
    if _host_name(headers.get("host", "")) not in LOOPBACK_HOSTS or not _is_local_origin(headers.get("origin")):
        return False
    # Clients of a container that publishes its port on the loopback only appear as the gateway of its network.
    is_published_here = settings.published_host in LOOPBACK_HOSTS
    clients = list(named_by_proxies(headers))
    if (peer := peer_address(connection)) is not None:
        clients.append(peer)  # UNIX sockets have no client address; only this machine reaches them
    return all(_is_loopback(client) or (is_published_here and _is_private(client)) for client in clients)


def _is_local_origin(origin: str | None) -> bool:
    """Return whether a request comes from a page of this machine, or from none."""
    return origin is None or _host_name(origin.partition("://")[2]) in LOOPBACK_HOSTS


def _host_name(host: str) -> str | None:
    match = HOST.fullmatch(host)
    return match["name"].strip("[]").lower() if match else None


def _is_private(address: str) -> bool:
    try:
        return ip_address(address).is_private
    except ValueError:
        return False


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
