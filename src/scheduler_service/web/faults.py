"""Converts errors of services about a job into faults of the editor's controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scheduler_service.errors import InvalidInputError
from scheduler_service.http.error_messages import detail_of
from scheduler_service.services.inspection import RejectedError
from scheduler_service.web.labels import in_plain_words
from scheduler_service.web.texts import text
from scheduler_service.web.views.editor_form import Problem, payload_type, pointer_of


def problems_in(error: InvalidInputError, document: Mapping[str, Any]) -> list[Problem]:
    """Return each fault of a document, at the control that it belongs to."""
    kind = payload_type(document)
    if isinstance(error, RejectedError):
        found = [(_path(item["loc"], document), _detail(item)) for item in error.items]
        of_services = error.service_problems
    else:
        found, of_services = [], error.problems
    found += [(each.field.split("."), each.message) for each in of_services]
    told = [Problem(pointer_of(path, kind), _sentence(path, message, kind)) for path, message in found]
    return list(dict.fromkeys(told))


def _detail(item: Mapping[str, Any]) -> str:
    """Return the message of a fault of the model. A form has empty controls where a document lacks fields."""
    is_empty = item["type"] == "missing" or (item["type"] == "string_too_short" and not str(item["input"]).strip())
    if not is_empty:
        return detail_of(item)
    if item["loc"] == ("schedule_expr",):
        return text("editor.empty_schedule", on_demand=text("editor.on_demand"))
    return text("editor.empty")


def _path(location: Sequence[str | int], document: Any) -> list[str]:
    """Return the path of a field in a document, without steps that only the model has."""
    path: list[str] = []
    value = document
    for place, step in enumerate(location):
        if _has(value, step):
            value = value[step]
        elif not isinstance(value, Mapping) or place < len(location) - 1:
            continue
        path.append(str(step))
    return path


def _has(value: Any, step: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(step, int) and step < len(value)
    return isinstance(value, Mapping) and step in value


def _sentence(path: Sequence[str], message: str, kind: str) -> str:
    """Return a message that names its place if the control has several, or if it belongs to no control."""
    pointer = pointer_of(path, kind)
    message = in_plain_words(message)
    rest = [
        text("editor.item", place=int(step) + 1) if step.isdecimal() else step
        for step in (path[len(pointer.split("/")) - 1 :] if pointer else path)
    ]
    return f"{'.'.join(rest)}: {message}" if rest else message
