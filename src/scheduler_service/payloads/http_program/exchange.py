"""Sends a request, follows its redirects, and reads the response."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from scheduler_service.payloads.http_program.connection import Steps, open_connection
from scheduler_service.payloads.http_program.failure import RequestFailedError
from scheduler_service.payloads.http_program.target import Target

MAX_BODY_BYTES = 1024 * 1024
MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
_BECOMES_GET = (301, 302, 303)
_ABOUT_THE_BODY = ("content-type", "content-encoding", "content-language", "content-location")


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a chain of redirects. `headers` are the user's, `own_headers` those of the service."""

    method: str
    target: Target
    headers: Mapping[str, str]
    own_headers: Mapping[str, str]
    body: bytes | None

    def redirected(self, status: int, location: str) -> Request:
        """Return the request that a redirect asks for.

        Another server gets none of the user's headers, which may hold secrets, except for those about the body.
        """
        target = self.target.redirected(location)
        headers, method, body = dict(self.headers), self.method, self.body
        if target.origin != self.target.origin:
            headers = {name: value for name, value in headers.items() if name.lower() in _ABOUT_THE_BODY}
        if status in _BECOMES_GET and method not in {"GET", "HEAD"}:
            method, body = "GET", None
            headers = {name: value for name, value in headers.items() if name.lower() not in _ABOUT_THE_BODY}
        return replace(self, method=method, target=target, headers=headers, body=body)


@dataclass(frozen=True, slots=True)
class Response:
    """The last response. `body` has at most MAX_BODY_BYTES; `is_cut` says that there was more."""

    url: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_cut: bool
    redirects: tuple[str, ...] = ()

    @property
    def location(self) -> str | None:
        """Where a redirect leads, or None."""
        if self.status not in REDIRECTS:
            return None
        return next((value for name, value in self.headers if name.lower() == "location"), None)

    @property
    def shown_status(self) -> str:
        """The status with its usual name."""
        names = {each.value: each.phrase for each in HTTPStatus}
        return f"{self.status} {names.get(self.status, '')}".rstrip()


def exchange(request: Request, steps: Steps, seconds_left: Callable[[], float], *, follow_redirects: bool) -> Response:
    """Return the response. Raise `RequestFailedError` if there is none, or if there are too many redirects."""
    passed: list[str] = []
    while True:
        response = _exchange_once(request, steps, seconds_left)
        if not follow_redirects or response.location is None:
            return replace(response, redirects=tuple(passed))
        if len(passed) == MAX_REDIRECTS:
            raise RequestFailedError(f"more than {MAX_REDIRECTS} redirects; the last came from {request.target.shown}")
        passed.append(request.target.shown)
        request = request.redirected(response.status, response.location)


def _exchange_once(request: Request, steps: Steps, seconds_left: Callable[[], float]) -> Response:
    server = request.target.server
    steps.say(f"{request.method} {request.target.shown}")
    connection = open_connection(request.target, steps, seconds_left)
    steps.begin(f"waiting for the response of {server}")
    sent_at = time.monotonic()
    try:
        connection.request(
            request.method, request.target.path, request.body, {**request.own_headers, **request.headers}
        )
        answer = connection.getresponse()
        steps.timing.first_byte_seconds = time.monotonic() - sent_at
        response = _read(request, answer, steps)
    except http.client.RemoteDisconnected:
        raise RequestFailedError(f"{server} closed the connection without a response") from None
    except http.client.IncompleteRead as error:
        size = len(error.partial)
        raise RequestFailedError(f"{server} closed the connection after {size} bytes of the body") from None
    except http.client.HTTPException as error:
        raise RequestFailedError(f"{server} did not answer in HTTP: {type(error).__name__} {error}".rstrip()) from None
    except OSError as error:
        raise RequestFailedError(
            f"{server} broke the connection while {steps.current}: {error.strerror or error}"
        ) from None
    finally:
        connection.close()
    steps.finish(f"{response.shown_status}, {len(response.body)} bytes")
    return response


def _read(request: Request, answer: http.client.HTTPResponse, steps: Steps) -> Response:
    steps.current = f"reading the body from {request.target.server}"
    body = answer.read(MAX_BODY_BYTES + 1)
    if answer.length and len(body) <= MAX_BODY_BYTES:  # with a size given, `read` takes an early end for the end
        raise http.client.IncompleteRead(body, answer.length)
    return Response(
        url=request.target.shown,
        status=answer.status,
        reason=answer.reason,
        headers=tuple(answer.getheaders()),
        body=body[:MAX_BODY_BYTES],
        is_cut=len(body) > MAX_BODY_BYTES,
    )
