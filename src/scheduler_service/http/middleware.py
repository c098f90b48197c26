"""ASGI middleware around every request.

These classes are plain ASGI, because Starlette's `BaseHTTPMiddleware` would run each request in a separate task.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scheduler_service.errors import SchedulerError
from scheduler_service.http import error_responses, http_metrics
from scheduler_service.http.request_gate import rate_headers
from scheduler_service.telemetry import logging_config

REQUEST_ID = "X-Request-ID"
_VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

SECURITY_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

log = structlog.get_logger(__name__)


class RequestContext:
    """The outermost middleware: assigns the correlation id, adds response headers, and writes the access log."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and log its outcome."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        # Stays bound afterwards: the server logs unexpected errors later, and that line needs the id.
        logging_config.bind_correlation(request_id)
        method, status, is_stream = scope["method"], None, False

        async def send_with_headers(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = int(message["status"])  # starlette passes on members of HTTPStatus, which logs would show
                # The duration of a stream depends on the client, not on the service.
                is_stream = Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream")
                headers = MutableHeaders(scope=message)
                headers.update(rate_headers(inner.get("state")))
                _complete(headers, request_id)
            await send(message)

        began = time.perf_counter()
        inner = {**scope, "headers": _trimmed(scope)}
        try:
            await self._app(inner, receive, send_with_headers)
        finally:
            seconds = time.perf_counter() - began
            _log(inner, method, status, seconds)
            if not is_stream:
                histogram = scope["app"].state.request_histogram
                http_metrics.observe(histogram, method, _route(inner), status, seconds)


@dataclass(frozen=True, slots=True)
class BodySize:
    """The largest body, and the setting that says so."""

    limit_bytes: int
    setting: str


class BodyLimit:
    """Refuses bodies above the limit, by their declared length and by the bytes received."""

    def __init__(
        self, app: ASGIApp, limit: BodySize, limits_by_path: Mapping[str, BodySize] = MappingProxyType({})
    ) -> None:
        """Accept bodies of up to `limit`, and up to another limit on some paths."""
        self._app = app
        self._limit = limit
        self._limits_by_path = limits_by_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on. Reading a body beyond the limit raises an exception."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        limit = self._limits_by_path.get(scope["path"], self._limit)
        received_bytes = 0

        async def receive_within_limit() -> Message:
            nonlocal received_bytes
            if declared.isdecimal() and int(declared) > limit.limit_bytes:
                raise error_responses.too_large(limit.limit_bytes, limit.setting)
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > limit.limit_bytes:
                raise error_responses.too_large(limit.limit_bytes, limit.setting)
            return message

        await self._app(scope, receive_within_limit, send)


class PlainStart:
    """Logs one line instead of a traceback if the start fails for a reason that the user can fix."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, but replace the traceback of a `SchedulerError` at the start with one line."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failure: Message | None = None

        async def hold_failure(message: Message) -> None:
            nonlocal failure
            if message["type"] == "lifespan.startup.failed":
                failure = message
            else:
                await send(message)

        try:
            await self._app(scope, receive, hold_failure)
        except SchedulerError as error:
            if failure is None:
                raise
            failure["message"] = str(error)
        finally:
            if failure is not None:
                await send(failure)


def _request_id(scope: Scope) -> str:
    """Return the client's request id if it is valid, else a new id."""
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return given if _VALID_REQUEST_ID.fullmatch(given) else logging_config.new_correlation_id()


def _trimmed(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return the headers without whitespace around their values, which is not part of them (RFC 9110, section 5.5)."""
    return [(name, value.strip(b" \t")) for name, value in scope["headers"]]


def _complete(headers: MutableHeaders, request_id: str) -> None:
    headers[REQUEST_ID] = request_id
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)


def _route(scope: Scope) -> str | None:
    return getattr(scope.get("route"), "path", None)


def _log(scope: Scope, method: str, status: int | None, seconds: float) -> None:
    """Write the access log line. `status` None means that the client disconnected before the response."""
    # Health checks arrive every few seconds and would hide other lines.
    write = log.debug if "/health" in scope["path"] else log.info
    write(
        "request_finished",
        method=method,
        route=_route(scope),
        path=scope["path"],
        status=status,
        duration_ms=round(seconds * 1e3, 2),
    )
