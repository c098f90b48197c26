"""Suggests names for unknown fields and parameters, from the published OpenAPI schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from starlette.requests import Request

from scheduler_service.http.synonyms import meant_by_name

Schema = Mapping[str, Any]
MAX_NAME_CHARACTERS = 64
MAX_NAMES = 12


def remedy(name: str, known: Sequence[str]) -> str:
    """Return what to write instead of an unknown name."""
    if meant := closest(name, known):
        return f"did you mean {meant}?"
    if known and len(known) <= MAX_NAMES:
        return f"known: {', '.join(known)}"
    return "/docs lists the known names" if known else "no field is allowed here"


def refusal_of_field(request: Request, path: Sequence[str | int], body: object) -> str:
    """Return why an unknown field of the body is refused."""
    name, known = str(path[-1]), known_fields(request, path[:-1], body)
    if len(path) == 1 and name in _answered_fields(request):
        is_job = name == "status" and "enabled" in known
        return "read-only; use POST …/pause and …/resume, or `enabled`" if is_job else "read-only; leave it out"
    meant = meant_by_name(name, path[:-1], known, body)
    return f"unknown field; {f'did you mean {meant}?' if meant else remedy(name, known)}"


def closest(name: str, known: Sequence[str]) -> str | None:
    """Return the known name most similar to `name`, or None."""
    return next(iter(get_close_matches(name[:MAX_NAME_CHARACTERS].lower(), known, n=1)), None)


def known_parameters(request: Request) -> list[str]:
    """Return the query parameters of the request's operation."""
    operation = _operation(request)
    return [parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"]


def known_fields(request: Request, path: Sequence[str | int], body: object) -> list[str]:
    """Return the fields that the body may have at `path`."""
    document = request.app.openapi()
    content = _operation(request).get("requestBody", {}).get("content", {})
    schema: Schema = next((media["schema"] for media in content.values()), {})
    value = body
    for step in path:
        schema = _below(_resolved(document, schema, value), step)
        value = _item(value, step)
    return list(_resolved(document, schema, value).get("properties", ()))


def _answered_fields(request: Request) -> Mapping[str, Any]:
    """Return the fields of the successful response, which clients may send back."""
    responses = _operation(request)["responses"]
    content = next(answer for status, answer in responses.items() if status.startswith("2")).get("content", {})
    schema: Schema = content.get("application/json", {}).get("schema", {})
    fields: Mapping[str, Any] = _resolved(request.app.openapi(), schema, None).get("properties", {})
    return fields


def _operation(request: Request) -> Schema:
    paths: Mapping[str, Schema] = request.app.openapi()["paths"]
    operation: Schema = paths.get(request.scope["route"].path_format, {}).get(request.method.lower(), {})
    return operation


def _resolved(document: Schema, schema: Schema, value: object) -> Schema:
    """Follow references. Of several alternatives, return the one that matches the value."""
    while True:
        if reference := schema.get("$ref"):
            schema = _referred(document, reference)
        elif (mapping := schema.get("discriminator", {}).get("mapping")) and isinstance(value, Mapping):
            kind = value.get(schema["discriminator"]["propertyName"])
            schema = {"$ref": mapping[kind]} if isinstance(kind, str) and kind in mapping else {}
        elif choices := schema.get("anyOf"):
            schema = choices[0]
        else:
            return schema


def _referred(document: Schema, reference: str) -> Schema:
    schema: Schema = document
    for step in reference.removeprefix("#/").split("/"):
        schema = schema[step]
    return schema


def _below(schema: Schema, step: str | int) -> Schema:
    if isinstance(step, int):
        below: Schema = schema.get("items", {})
    else:
        below = schema.get("properties", {}).get(step, {})
    return below


def _item(value: object, step: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return None
