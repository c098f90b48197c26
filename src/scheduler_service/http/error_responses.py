"""Maps errors to responses. Only this module knows the HTTP codes of errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, compile_path

from scheduler_service.errors import (
    ConflictError,
    FieldProblem,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    PreconditionFailedError,
    QuotaError,
    RateError,
    SchedulerError,
    UnavailableError,
)
from scheduler_service.http.problems import FieldError, Problem, ProblemResponse, clean, field_error, summary
from scheduler_service.http.validation import MAX_ERRORS, Found, errors_in_body, errors_of_request
from scheduler_service.services.inspection import RejectedError
from scheduler_service.telemetry import logging_config

STATUS: Mapping[type[SchedulerError], int] = {
    InvalidInputError: HTTPStatus.UNPROCESSABLE_ENTITY,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    RateError: HTTPStatus.TOO_MANY_REQUESTS,
    QuotaError: HTTPStatus.FORBIDDEN,
    NotFoundError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    PreconditionFailedError: HTTPStatus.PRECONDITION_FAILED,
    UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}
CAUSES: Mapping[type[SchedulerError], str] = {
    InvalidInputError: "A field, parameter or header is wrong; `errors` names each.",
    NotFoundError: "The job, run or other object does not exist.",
    ConflictError: "The state of the object does not allow this request.",
    PreconditionFailedError: "`If-Match` names a version that is no longer the current one.",
}
CAUSES_OF_EVERY_CALL: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "The key is missing or not valid.",
    STATUS[
        ForbiddenError
    ]: "The key lacks the scope that the call needs, a quota of the owner is used up (`quota`, `used` and `allowed`), "
    "or the development key was sent from another machine.",
    STATUS[InvalidInputError]: CAUSES[InvalidInputError],
    HTTPStatus.TOO_MANY_REQUESTS: "The key, or the address, sent too many requests, or the owner has queued its runs "
    "of this minute; wait for `Retry-After`.",
    STATUS[
        UnavailableError
    ]: "Too many requests are being worked on, or the database or the package index does not answer; try again.",
}
CAUSES_OF_A_BODY: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "The body is not valid JSON.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too long.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not declared as JSON in UTF-8, or is compressed.",
}
# RFC 9110 renamed these; `http.HTTPStatus` has the new names from Python 3.13.
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
RETRY_AFTER_SECONDS = 1

log = structlog.get_logger(__name__)


def install(app: FastAPI) -> None:
    """Register handlers that answer every error with a problem document."""
    for kind in STATUS:
        app.add_exception_handler(kind, _answer_scheduler_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_exception_handler(Exception, _answer_unforeseen)


def unauthorized(detail: str) -> HTTPException:
    """Return the error for an unauthenticated caller."""
    # RFC 9110 requires a challenge, and no scheme is registered for keys in a header.
    return HTTPException(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "APIKey"})


def forbidden(detail: str) -> HTTPException:
    """Return the error for a caller without permission."""
    return HTTPException(HTTPStatus.FORBIDDEN, detail)


def too_many_requests(detail: str, retry_after_seconds: int) -> HTTPException:
    """Return the error for a caller that must wait (RFC 6585, section 4)."""
    return HTTPException(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": str(retry_after_seconds)})


def overloaded() -> HTTPException:
    """Return the error for a request that comes while too many others are being worked on."""
    detail = "too many requests are being worked on; try again"
    return HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(RETRY_AFTER_SECONDS)})


def malformed(detail: str) -> HTTPException:
    """Return the error for a request that cannot be parsed."""
    return HTTPException(HTTPStatus.BAD_REQUEST, detail)


def too_large(limit_bytes: int, setting: str) -> HTTPException:
    """Return the error for a body above the size limit of a setting."""
    detail = f"the body exceeds the limit of {limit_bytes // 1024} KiB ({setting})"
    return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


def unsupported_media_type(accepted: str) -> HTTPException:
    """Return the error for a body of another media type."""
    detail = f"send the body as JSON, with the header Content-Type: {accepted}"
    return HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"Accept": accepted})


def unsupported_coding() -> HTTPException:
    """Return the error for a compressed body (RFC 9110, section 15.5.16)."""
    detail = "send the body uncompressed, without Content-Encoding"
    return HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"Accept-Encoding": "identity"})


def unsupported_charset() -> HTTPException:
    """Return the error for a body in an encoding other than UTF-8."""
    return HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body in UTF-8, as JSON is (RFC 8259)")


def title(status: int) -> str:
    """Return the standard phrase of a status code."""
    return _TITLES.get(status) or HTTPStatus(status).phrase


def problem(request: Request, status: int, detail: str, errors: list[FieldError] | None = None) -> Problem:
    """Build the problem document for a request."""
    # Only fields that are set are sent, so `errors` is set only if there are any.
    named = {} if errors is None else {"errors": errors}
    return Problem(
        type="about:blank",
        title=title(status),
        status=status,
        detail=clean(detail),
        instance=clean(request.url.path),
        correlation_id=logging_config.current_correlation_id(),
        **named,
    )


async def _answer_scheduler_error(request: Request, error: Exception) -> Response:
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    if isinstance(error, RejectedError):
        found = errors_in_body(request, error.items, getattr(request.state, "body", None))
        of_services = _described_each(request, error.service_problems)
        return _invalid(
            request, Found([*found.errors, *of_services.errors], found.further + of_services.further + error.further)
        )
    if isinstance(error, InvalidInputError):
        return _invalid(request, _described_each(request, error.problems))
    if isinstance(error, UnavailableError):
        log.warning("request_refused", error=str(error))
        detail = "the database or the broker does not answer; try again"
        return ProblemResponse(problem(request, status, detail), {"Retry-After": str(RETRY_AFTER_SECONDS)})
    if isinstance(error, QuotaError):
        return _over_quota(request, status, error)
    return ProblemResponse(problem(request, status, str(error)))


def _over_quota(request: Request, status: int, error: QuotaError) -> Response:
    known = problem(request, status, str(error)).model_dump(exclude_unset=True)
    document = Problem(**known, quota=error.quota, used=error.used, allowed=error.allowed)
    headers = {"Retry-After": str(error.retry_after_seconds)} if isinstance(error, RateError) else None
    return ProblemResponse(document, headers)


async def _answer_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 (the handler is registered for it alone)
    return _invalid(request, errors_of_request(request, error))


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (the handler is registered for it alone)
    detail, headers = error.detail, dict(error.headers or {})
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"unknown path {request.url.path}; {_way_out(request)}"
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_methods(request, headers["Allow"])))
        detail = f"{request.method} is not allowed here; allowed: {headers['Allow']}"
    return ProblemResponse(problem(request, error.status_code, detail), headers)


async def _answer_unforeseen(request: Request, _error: Exception) -> Response:
    """Answer with the correlation id alone. The server logs the error under that id."""
    detail = "internal error; the log has the details under this correlation_id"
    return ProblemResponse(problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail))


def _way_out(request: Request) -> str:
    path = request.url.path.rstrip("/")
    scope = {**request.scope, "path": path}
    if path != request.url.path and any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
        return f"write {path}, without the slash at the end"
    return "/docs lists all paths"


def _invalid(request: Request, found: Found) -> Response:
    detail = summary(found.errors, found.further)
    return ProblemResponse(problem(request, STATUS[InvalidInputError], detail, found.errors[:MAX_ERRORS]))


def _described_each(request: Request, problems: Sequence[FieldProblem]) -> Found:
    described = [_described(request, each) for each in problems[:MAX_ERRORS]]
    return Found(described, len(problems) - len(described))


def _described(request: Request, problem: FieldProblem) -> FieldError:
    if problem.field in request.query_params:
        return field_error(problem, path=())
    return field_error(replace(problem, value=_as_sent(request, problem)))


def _as_sent(request: Request, problem: FieldProblem) -> object:
    """Return the value as the client sent it.

    Services see parsed values in UTC. Return their value if the body has none.
    """
    value: object = getattr(request.state, "body", None)
    for step in problem.field.split("."):
        if not (isinstance(value, dict) and step in value):
            return problem.value
        value = value[step]
    return value


def _methods(request: Request, allowed: str) -> set[str]:
    """Return all methods of a path. Starlette names only those of the first matching route, without HEAD."""
    contexts = [(context.path or "", context.methods or ()) for context in iter_route_contexts(request.app.routes)]
    matching = [(path, methods) for path, methods in contexts if compile_path(path)[0].match(request.url.path)]
    # A fixed path may also match a sibling route with a path parameter.
    nearest = min((path for path, _ in matching), key=lambda path: path.count("{"), default=None)
    of_nearest = [methods for path, methods in matching if path == nearest]
    methods: set[str] = set().union(*of_nearest) if of_nearest else set(allowed.split(", "))
    return methods | {"HEAD"} if "GET" in methods else methods
