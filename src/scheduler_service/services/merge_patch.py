"""Applies JSON merge patches (RFC 7396) to job documents."""

from __future__ import annotations

from pydantic import JsonValue

from scheduler_service.services.inspection import open_fields
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.json_document import JsonDocument

# Null is a value of this field, which has no default: the job runs on demand.
_NULLABLE = "schedule_expr"
# Fields that determine which other fields a payload has.
_KINDS = ("type", "operation")


def merge(job: JsonDocument, patch: JsonDocument) -> dict[str, JsonValue]:
    """Apply a patch to a job document: null removes a member, objects are merged, other values replace.

    There are three differences from the RFC. A payload of another kind replaces the old one, since their fields differ.
    Null for an unknown field is kept, so that validation reports its name. Null is a value of `schedule_expr`.
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
    if _NULLABLE in patch:
        merged[_NULLABLE] = patch[_NULLABLE]
    return merged


def _merge_members(target: JsonDocument, patch: JsonDocument, *, is_open: bool) -> dict[str, JsonValue]:
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


def _members(value: JsonValue) -> JsonDocument:
    return value if isinstance(value, dict) else {}


def _is_of_another_kind(current: JsonDocument, patch: JsonDocument) -> bool:
    return any(patch.get(name) not in (None, current.get(name)) for name in _KINDS)


def _replaced(current: JsonDocument, patch: JsonDocument) -> dict[str, JsonValue]:
    """Return the new payload. Null for a field of the old payload is accepted and removed."""
    kept = {name: value for name, value in patch.items() if value is not None or name not in current}
    return {"type": current.get("type"), **kept}
