"""JSON merge patch (RFC 7396), of the documents that jobs are."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from scheduler_service.services.inspection import open_fields
from scheduler_service.services.job_definition import JobDefinition

Document = Mapping[str, JsonValue]

# What decides which other fields a payload has.
_KINDS = ("type", "operation")


def merge(job: Document, patch: Document) -> dict[str, JsonValue]:
    """Apply a merge patch to the whole document of a job: null removes a member, objects are merged, all else replaces.

    In two things it knows more than the RFC. A payload of another kind replaces the old one whole, since their fields
    have nothing in common. And null for a field that there is not stays, so that validation refuses it by name.
    """
    merged = dict(job)
    for name, value in patch.items():
        if isinstance(value, dict):
            current = _members(merged.get(name))
            if name == "payload" and _is_of_another_kind(current, value):
                merged[name] = _replaced(current, value)
            else:
                merged[name] = _merge_members(current, value, is_open=name in open_fields(JobDefinition))
        else:
            _put(merged, name, value, is_open=False)
    return merged


def _merge_members(target: Document, patch: Document, *, is_open: bool) -> dict[str, JsonValue]:
    merged = dict(target)
    for name, value in patch.items():
        if isinstance(value, dict):
            merged[name] = _merge_members(_members(merged.get(name)), value, is_open=is_open)
        else:
            _put(merged, name, value, is_open=is_open)
    return merged


def _put(members: dict[str, JsonValue], name: str, value: JsonValue, *, is_open: bool) -> None:
    if value is None and (is_open or name in members):
        members.pop(name, None)
    else:
        members[name] = value


def _members(value: JsonValue) -> Document:
    return value if isinstance(value, dict) else {}


def _is_of_another_kind(current: Document, patch: Document) -> bool:
    return any(patch.get(name) not in (None, current.get(name)) for name in _KINDS)


def _replaced(current: Document, patch: Document) -> dict[str, JsonValue]:
    """Return the new payload; null for what the old one had is no mistake, though there is nothing left to remove."""
    kept = {name: value for name, value in patch.items() if value is not None or name not in current}
    return {"type": current.get("type"), **kept}
