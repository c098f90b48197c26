"""Authenticates callers by their key. `Caller.require` checks what they may do."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from typing import Annotated, Protocol

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY, LOOPBACK_HOSTS
from scheduler_service.config.settings import Settings
from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.http import error_responses
from scheduler_service.http.http_rules import HOST

HEADER = "X-API-Key"
API_KEY_CALLER = Caller(owner_id=None, scopes=frozenset(Scope), key_id="API_KEY")
"""The caller whose key is the setting API_KEY."""

_scheme = APIKeyHeader(
    name=HEADER,
    scheme_name="ApiKey",
    description="The key in the setting API_KEY, or one of `POST /keys`.",
    auto_error=False,
)


# A node of RFC 7239: an address with an optional port; an address in brackets before a port.
_FOR = re.compile(r'(?:^|;)\s*for=(?:"?(\[[^\]"]*\])(?::\d+)?"?|"?([^";:]*)(?::\d+)?"?)', re.IGNORECASE)


class KeyCheck(Protocol):
    """Finds the caller of a key that is not the bootstrap key."""

    async def caller_of(self, text: str) -> Caller | None:
        """Return the caller whose key this is, or None if there is no valid key of this text."""
        ...


async def authenticate(request: Request) -> None:
    """Check the key and store the caller for `current_caller`. Refuse requests without a valid key."""
    settings: Settings = request.app.state.settings
    given = request.headers.get(HEADER)
    if given is None:
        raise error_responses.unauthorized(f"send your key in the header {HEADER}")
    expected = settings.api_key.get_secret_value()
    if not same_key(given, expected):
        request.state.caller = _at_address(request, await _stored_caller(request, given))
        return
    if expected == DEVELOPMENT_API_KEY and not _is_local(request, settings):
        raise error_responses.forbidden(
            "the development key is public, so it is accepted from this machine only, "
            "through localhost; set an API_KEY of your own"
        )
    request.state.caller = _at_address(request, API_KEY_CALLER)


def _at_address(request: Request, caller: Caller) -> Caller:
    return replace(caller, address=client_address(request))


def client_address(request: Request) -> str | None:
    """Return the address that the connection comes from, or None if it has none."""
    return request.client.host if request.client is not None and request.client.host else None


async def _stored_caller(request: Request, given: str) -> Caller:
    keys: KeyCheck = request.app.state.keys
    caller = await keys.caller_of(given)
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


def _is_local(connection: HTTPConnection, settings: Settings) -> bool:
    """Return whether a request comes from this machine and addresses it by a local name.

    The name matters because of DNS rebinding: a foreign page whose name resolves to 127.0.0.1 counts as same-origin in
    this machine's browser. Such a page could send the well-known development key.
    """
    if _host_name(connection.headers.get("host", "")) not in LOOPBACK_HOSTS:
        return False
    # Clients of a container that publishes its port on the loopback only appear as the gateway of its network.
    is_published_here = settings.published_host in LOOPBACK_HOSTS
    clients = list(_forwarded_for(connection.headers))
    if connection.client is not None and connection.client.host:
        clients.append(connection.client.host)  # UNIX sockets have no client address; only this machine reaches them
    return all(_is_loopback(client) or (is_published_here and _is_private(client)) for client in clients)


def _forwarded_for(headers: Headers) -> Iterator[str]:
    """Yield the client addresses in the proxy headers, including unknown ones."""
    for name in ("x-forwarded-for", "x-real-ip"):
        for value in headers.getlist(name):
            yield from (client.strip() for client in value.split(","))
    for value in headers.getlist("forwarded"):  # RFC 7239
        for hop in value.split(","):
            found = _FOR.search(hop)
            yield (found[1] or found[2]).strip("[]") if found else ""


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
