"""Converts pydantic's errors about a request into field errors at the path that the client used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from scheduler_service.errors import FieldProblem
from scheduler_service.http.error_messages import detail_of, detail_of_parameter
from scheduler_service.http.problems import WHOLE_BODY, FieldError, field_error
from scheduler_service.http.suggestions import known_fields, known_parameters, refusal_of_field, remedy

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The described errors, and the number of further ones."""

    errors: list[FieldError]
    further: int = 0


# Deeper than any known field; deeper paths are truncated in the response.
MAX_PATH_STEPS = 16
_UNKNOWN = {"extra_forbidden", "unexpected_keyword_argument"}


# An error is longer than the field that it describes. Without a limit, the response could exceed the request several
# times.
MAX_ERRORS = 50


def errors_of_request(request: Request, error: RequestValidationError) -> Found:
    """Return the errors that FastAPI found in a request."""
    return _described_each(request, [(item["loc"][0], item["loc"][1:], item) for item in error.errors()], error.body)


def errors_in_body(request: Request, items: Sequence[Mapping[str, Any]], body: object) -> Found:
    """Return the errors that a model found in the body of a request."""
    return _described_each(request, [("body", item["loc"], item) for item in items], body)


def _described_each(request: Request, items: Sequence[tuple[object, Path, Mapping[str, Any]]], body: object) -> Found:
    found: dict[tuple[str, str], FieldError] = {}
    for number, (where, location, item) in enumerate(items):
        if len(found) == MAX_ERRORS:
            return Found(list(found.values()), len(items) - number)
        describe = _in_body if where == "body" else _in_parameter
        described = describe(request, item, tuple(location), body)
        found.setdefault((described.field, described.detail), described)
    return Found(list(found.values()))


def _in_body(request: Request, item: Mapping[str, Any], location: Path, body: object) -> FieldError:
    path = _as_written(request, location, body, is_missing=item["type"] == "missing")
    if not path and item["type"] == "missing":
        return FieldError(field=WHOLE_BODY, pointer="#", detail="required; send a JSON object")
    detail = refusal_of_field(request, path, body) if item["type"] in _UNKNOWN else detail_of(item)
    field = ".".join(str(step) for step in path) or WHOLE_BODY
    if getattr(request.state, "is_body_secret", False):
        return field_error(FieldProblem(field, detail), path, is_sent=False)
    return _described(FieldProblem(field, detail, item["input"]), item, path)


def _in_parameter(request: Request, item: Mapping[str, Any], location: Path, _body: object) -> FieldError:
    name = str(location[0])
    if item["type"] in _UNKNOWN:
        detail = f"unknown query parameter; {remedy(name, known_parameters(request))}"
    else:
        detail = detail_of_parameter(item)
    return _described(FieldProblem(name, detail, item["input"]), item, ())


def _described(problem: FieldProblem, item: Mapping[str, Any], path: Path) -> FieldError:
    # A missing field has no value; pydantic reports that of the enclosing object.
    return field_error(problem, path, is_sent=item["type"] != "missing")


def _as_written(request: Request, location: Sequence[str | int], body: object, *, is_missing: bool) -> Path:
    """Return the path of a field in the body, without pydantic's internal steps (`float`, `dict`, `[key]`).

    A field outside the body is included: in a patch, an unchanged field can conflict with a changed one.
    """
    path: list[str | int] = []
    value: Any = body
    for step in location:
        if _has(value, step):
            value = value[step]
        elif not (isinstance(value, dict) and (is_missing or step in known_fields(request, path, body))):
            continue
        path.append(step)
    return tuple(path[:MAX_PATH_STEPS])


def _has(value: Any, step: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(step, int) and step < len(value)
    return isinstance(value, dict) and step in value
