"""Enforces rules of HTTP that the server's parser leaves to the application (RFC 9110, RFC 9112).

Programs that read one request differently can be exploited (request smuggling). Ambiguous requests are therefore
refused instead of interpreted.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scheduler_service.http import error_responses
from scheduler_service.http.problems import ProblemResponse

# A name or an IPv4 address, or an IPv6 address in brackets, with an optional port (RFC 3986, 3.2.2 and 3.2.3).
HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::(?P<port>[0-9]{0,5}))?")
VERSIONS = frozenset({"1.0", "1.1", "2", "3"})
# The amount that a connection buffers before it waits for its client.
PIECE_BYTES = 64 * 1024


class HttpRules:
    """Refuses invalid HTTP before other code reads the request."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass valid requests on. Refuse invalid ones and close their connection."""
        found = _fault(scope) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        status, detail = found
        refusal = ProblemResponse(error_responses.problem(Request(scope), status, detail), {"Connection": "close"})
        await refusal(scope, receive, send)


class BoundedAnswer:
    """Sends responses in pieces that wait for the client, and answers HEAD without content."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on. HEAD is handled as GET, whose headers it returns (RFC 9110, 9.3.2)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] == "HEAD":
            await _Head(receive, send).answer(self._app, scope)
        else:
            await self._app(scope, receive, lambda message: _send_in_pieces(send, message))


class _Head:
    """A response of which only the headers are sent."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_over = False

    async def answer(self, app: ASGIApp, scope: Scope) -> None:
        scope["method"] = "GET"  # in place: the router writes into the scope that the access log reads
        await app(scope, self._receive_until_over, self._send_headers)

    async def _receive_until_over(self) -> Message:
        # Signals to an endless stream that the client is gone.
        return {"type": "http.disconnect"} if self._is_over else await self._receive()

    async def _send_headers(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send(message)
        elif not self._is_over:
            self._is_over = True
            await self._send({"type": "http.response.body", "body": b""})


async def _send_in_pieces(send: Send, message: Message) -> None:
    body = message.get("body", b"")
    if len(body) <= PIECE_BYTES:
        await send(message)
        return
    last = len(body) - PIECE_BYTES
    for start in range(0, len(body), PIECE_BYTES):
        more_body = start < last or message.get("more_body", False)
        await send({"type": message["type"], "body": bytes(body[start : start + PIECE_BYTES]), "more_body": more_body})


def _fault(scope: Scope) -> tuple[int, str] | None:
    headers, version = Headers(scope=scope), scope.get("http_version", "1.1")
    if version not in VERSIONS:
        return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, f"HTTP/{version} is not supported; use HTTP/1.1"
    if "\0" in scope["path"]:  # PostgreSQL refuses it in texts, such as the path of a refused attempt
        return HTTPStatus.BAD_REQUEST, "the path contains the character U+0000; remove it"
    return _fault_of_host(headers.getlist("host"), version) or _fault_of_coding(headers, version)


def _fault_of_host(hosts: list[str], version: str) -> tuple[int, str] | None:
    if len(hosts) > 1:
        return HTTPStatus.BAD_REQUEST, "the header Host appears more than once; send one"
    if not hosts:
        return (HTTPStatus.BAD_REQUEST, "the header Host is missing; send one") if version == "1.1" else None
    if not HOST.fullmatch(hosts[0].strip(" \t")):
        return HTTPStatus.BAD_REQUEST, "the header Host is not a host; write it as example.org:8000 or [::1]:8000"
    return None


def _fault_of_coding(headers: Headers, version: str) -> tuple[int, str] | None:
    """Return what is wrong with the transfer coding of a request, or None (RFC 9112, 6.1)."""
    values = headers.getlist("transfer-encoding")
    if not values:
        return None
    if version == "1.0":
        return HTTPStatus.BAD_REQUEST, "HTTP/1.0 does not support Transfer-Encoding; use HTTP/1.1"
    codings = [coding.strip().lower() for value in values for coding in value.split(",")]
    if codings == ["chunked"]:
        return None
    unknown = [coding for coding in codings if coding != "chunked"]
    if unknown:
        return HTTPStatus.NOT_IMPLEMENTED, "unsupported Transfer-Encoding; only chunked is supported"
    return HTTPStatus.BAD_REQUEST, "Transfer-Encoding names chunked more than once; send it once"
