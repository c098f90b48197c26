"""Error responses as problem documents (RFC 9457)."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.responses import JSONResponse

from scheduler_service.errors import FieldProblem

MEDIA_TYPE = "application/problem+json"
MAX_VALUE_CHARACTERS = 100
MAX_IN_SUMMARY = 3
WHOLE_BODY = "body"
# JavaScript numbers above this value lose precision.
_LARGEST_EXACT = 2**53
_SECRET = re.compile(r"^env(\.|$)|key|secret|token|passw|credential", re.IGNORECASE)
HEADER_FIELDS = frozenset({"Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID", "X-API-Key"})


class FieldError(BaseModel):
    """One thing that is wrong with one field of the request."""

    field: Annotated[str, Field(description="Dotted path of the field, or the name of the parameter or header.")]
    pointer: Annotated[
        str | None, Field(description="JSON pointer (RFC 6901) into the body, where the field is in the body.")
    ] = None
    detail: Annotated[str, Field(description="What is wrong, and what to write instead.")]
    value: Annotated[
        JsonValue,
        Field(
            description="What was sent, cut to a reasonable length; left out of a secret field, and where nothing was."
        ),
    ] = None


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "detail": "retry_policy.max_retries: must be 0 or more",
                    "instance": "/api/v1/jobs",
                    "correlation_id": "5f0c1c5e7f6a4c0c9d5a1c1b5b0e9a77",
                    "errors": [
                        {
                            "field": "retry_policy.max_retries",
                            "pointer": "#/retry_policy/max_retries",
                            "detail": "must be 0 or more",
                            "value": -1,
                        }
                    ],
                }
            ]
        }
    )

    type: Annotated[str, Field(description="Always `about:blank`: `title` and `status` name the kind of problem.")] = (
        "about:blank"
    )
    title: Annotated[str, Field(description="Name of the HTTP status.")]
    status: Annotated[int, Field(description="HTTP status code.")]
    detail: Annotated[str, Field(description="What is wrong, in a sentence.")]
    instance: Annotated[str, Field(description="Path of the request.")]
    correlation_id: Annotated[
        str, Field(description="Identifier of the request, also in the header `X-Request-ID` and in the log.")
    ]
    errors: Annotated[
        list[FieldError] | None, Field(description="One item for each wrong field. Left out if no field is wrong.")
    ] = None
    quota: Annotated[
        str | None, Field(description="The quota of the owner that is used up. Left out if none is the cause.")
    ] = None
    used: Annotated[float | None, Field(description="What the owner uses of the quota, or would use.")] = None
    allowed: Annotated[float | None, Field(description="What the quota allows.")] = None


class ProblemResponse(JSONResponse):
    """Sends a problem document."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem, headers: dict[str, str] | None = None) -> None:
        """Use the status of the document."""
        content = problem.model_dump(exclude_unset=True)
        super().__init__(content, problem.status, headers)

    def render(self, content: Any) -> bytes:
        """Return the document with a final newline."""
        return super().render(content) + b"\n"


def field_error(
    problem: FieldProblem, path: Sequence[str | int] | None = None, *, is_sent: bool | None = None
) -> FieldError:
    """Return the description of a wrong field.

    `path` is its place in the body; by default the dotted field name is split.

    `is_sent` says whether the client sent a value, which may be null. By default, None counts as not sent.
    """
    steps = problem.field.split(".") if path is None else path or [problem.field]
    shown: dict[str, Any] = {
        "field": clean(".".join(_cut(str(step)) for step in steps)),
        "detail": clean(problem.message),
    }
    if problem.field == WHOLE_BODY and not path:
        shown["pointer"] = "#"
    elif problem.field not in HEADER_FIELDS and path != ():
        shown["pointer"] = _pointer(steps)
    if (problem.value is not None if is_sent is None else is_sent) and not _SECRET.search(problem.field):
        shown["value"] = _shown(problem.value)
    return FieldError(**shown)


def clean(text: str) -> str:
    """Replace lone surrogates with escapes, because UTF-8 cannot encode them."""
    return text.encode("utf-8", "backslashreplace").decode()


def summary(errors: Sequence[FieldError], further: int = 0) -> str:
    """Return one line about all errors. `further` is the number of errors without a description."""
    told = [f"{error.field}: {error.detail}" for error in errors[:MAX_IN_SUMMARY]]
    more = len(errors) - len(told) + further
    return "; ".join(told) + (f"; and {more} more" if more else "")


def _pointer(path: Sequence[str | int]) -> str:
    """Return a JSON pointer as a URI fragment, without percent-encoding for readability."""
    return clean("#" + "".join("/" + _cut(str(step)).replace("~", "~0").replace("/", "~1") for step in path))


def _shown(value: Any) -> JsonValue:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < _LARGEST_EXACT:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    # reprlib, because the value may have a megabyte or be nested too deeply for repr.
    text = value if isinstance(value, str) else reprlib.repr(value)
    return clean(_cut(text))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_VALUE_CHARACTERS else text[:MAX_VALUE_CHARACTERS] + "…"
