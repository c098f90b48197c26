"""Builds the lines of the tables."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

DEFINITION: dict[str, Any] = {
    "name": "a job",
    "schedule_expr": "2099-01-01T00:00:00Z",
    "payload": {"type": "shell_script", "script": "echo hello"},
}
CODE = "print('hi')"
PYTHON = {"type": "python_code", "code": CODE}
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Bad:
    """A request, its status, and the place of the mistake, if one is named."""

    method: str
    path: str
    status: int = HTTPStatus.UNPROCESSABLE_ENTITY
    place: str | None = None
    content: bytes | None = None
    headers: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.path if self.path.startswith("//") else f"/api/v1{self.path}"


Table = dict[str, Bad]


def request(place: str | int, target: str, body: Any = ..., **headers: Any) -> Bad:
    """Return a request: `target` has a method and a path, `body` is JSON, underscores in headers are hyphens."""
    method, path = target.split(" ", 1)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is ...:
        return _bad(place, method, path, None, given)
    return _bad(place, method, path, json.dumps(body).encode(), {**JSON, **given})


def raw(place: str | int, content: bytes | str, target: str = "POST /jobs", **headers: Any) -> Bad:
    """Return a request with a body as it is."""
    method, path = target.split(" ", 1)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return _bad(place, method, path, content.encode() if isinstance(content, str) else content, {**JSON, **given})


def job(place: str, **changes: Any) -> Bad:
    """Return the creation of a job with these fields."""
    return request(place, "POST /jobs", {**DEFINITION, **changes})


def payload(place: str, **fields: Any) -> Bad:
    """Return the creation of a job with this payload."""
    return job(f"#/payload{place}", payload=fields)


def crunch(place: str, operation: str, **parameters: Any) -> Bad:
    """Return the creation of a job that crunches numbers."""
    return payload(place, type="number_crunching", operation=operation, **parameters)


def change(place: str, document: Any) -> Bad:
    """Return the change of the one job that exists. Its id replaces `{job}`."""
    return request(place, "PATCH /jobs/{job}", document)


def _bad(place: str | int, method: str, path: str, content: bytes | None, headers: dict[str, Any]) -> Bad:
    if isinstance(place, int):
        return Bad(method, path, place, None, content, headers)
    return Bad(method, path, HTTPStatus.UNPROCESSABLE_ENTITY, place, content, headers)
