"""Documents responses: examples, headers, and the possible errors of an operation."""

from __future__ import annotations

from typing import Any

from scheduler_service.errors import SchedulerError
from scheduler_service.http import error_responses
from scheduler_service.http.problems import MEDIA_TYPE

Documented = dict[int | str, dict[str, Any]]


def _text(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example}


ETAG = {
    "ETag": _text(
        "The version of the job, and a digest of what is shown, which runs change too.", '"1-0f3c9a5be2d47168"'
    )
}
JOB_LOCATION = {"Location": _text("Where the job is.", "/api/v1/jobs/1")}
RUN_LOCATION = {"Location": _text("Where the run is.", "/api/v1/runs/1")}
LINK = {
    "Link": _text(
        "The first, previous, next and last page (RFC 8288).",
        '</api/v1/jobs?page=1&size=10>; rel="first", </api/v1/jobs?page=2&size=10>; rel="next"',
    )
}

LOG_HEADERS = {
    "X-Next-Offset": _text("Where to go on reading.", "18"),
    "X-From-Line": _text("Number of the first line, with `from_line`.", "1"),
    "X-Next-Line": _text("The line with which the next request begins, with `from_line`.", "1001"),
    "X-Lines": _text("Number of all lines so far, with a negative `from_line`.", "5230"),
    "X-Run-Status": _text("How the run stands; once it has ended, nothing follows.", "success"),
}


def answer(description: str, example: object, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the documentation of a successful response."""
    return {"description": description, "content": {"application/json": {"example": example}}, "headers": headers or {}}


def refusals(*kinds: type[SchedulerError], takes_body: bool = False) -> Documented:
    """Return the documentation of an operation's errors: those listed, and those of every call with a key."""
    causes = {**error_responses.CAUSES_OF_EVERY_CALL, **(error_responses.CAUSES_OF_A_BODY if takes_body else {})}
    causes |= {error_responses.STATUS[kind]: error_responses.CAUSES[kind] for kind in kinds}
    return {status: _refusal(status, cause) for status, cause in sorted(causes.items())}


def _refusal(status: int, cause: str) -> dict[str, Any]:
    example = {
        "type": "about:blank",
        "title": error_responses.title(status),
        "status": int(status),
        "detail": cause,
        "instance": "/api/v1/jobs/1",
        "correlation_id": "5f0c1c5e7f6a4c0c9d5a1c1b5b0e9a77",
    }
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": cause, "content": {MEDIA_TYPE: {"schema": schema, "example": example}}}
