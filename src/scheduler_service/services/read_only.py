"""Handles read-only fields in requests: unchanged ones are accepted, changed ones are refused.

A client reads a job, changes a field and sends the whole job back. Runs may have changed some read-only fields
meanwhile. For those fields, an earlier value is therefore accepted too.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import datetime

from pydantic import BaseModel, JsonValue

from scheduler_service.domain.environment_lock import EnvironmentState
from scheduler_service.domain.run_state import JobStatus, RunStatus
from scheduler_service.errors import FieldProblem
from scheduler_service.services.json_document import JsonDocument

_REMEDIES = {
    "left_out": "this is a job of a list, which leaves large fields out; get the job itself, or send only what changes",
    "status": "to pause or resume the job, set enabled or use POST …/pause and …/resume",
    "version": "the job was changed since; read it again",
    "updated_at": "the job was changed since; read it again",
}


def without_read_only(
    definition: type[BaseModel], document: JsonDocument, shown: JsonDocument
) -> tuple[dict[str, JsonValue], list[FieldProblem]]:
    """Return a document without its read-only fields, and a problem for each of them that differs from `shown`."""
    read_only = shown.keys() - definition.model_fields.keys()
    rest = {name: value for name, value in document.items() if name not in read_only}
    return rest, list(_changed(document, shown, read_only))


def _changed(document: JsonDocument, shown: JsonDocument, read_only: AbstractSet[str]) -> Iterator[FieldProblem]:
    for name in document:
        if name in read_only and not _is_unchanged(name, document, shown):
            remedy = _REMEDIES.get(name, "leave it out, or send it as it is")
            yield FieldProblem(name, f"read-only, and {_written(shown[name])} now; {remedy}", document[name])


def _is_unchanged(name: str, sent: JsonDocument, shown: JsonDocument) -> bool:
    value, current = sent[name], shown[name]
    if type(value) is type(current) and value == current:
        return True
    if isinstance(current, str) and isinstance(value, str) and (instant := _instant(value)) is not None:
        return instant == _instant(current) or (name in _MOVED and _is_earlier(instant, shown, _instant(current)))
    return _may_have_been(name, value, current, shown)


def _may_have_been(  # noqa: PLR0911 (one for each field)
    name: str, value: JsonValue, current: JsonValue, shown: JsonDocument
) -> bool:
    """Return whether a field that runs change can have had this value earlier."""
    match name:
        case "last_run_at":
            return value is None
        case "warnings":  # warnings depend on the date and on the document sent
            return isinstance(value, list)
        case "environment_state":  # workers change it
            return value is None or value in _ENVIRONMENT_STATES
        case "last_run_status":
            return current is not None and (value is None or value in _RUN_STATUSES)
        case "status":
            return value == JobStatus.ACTIVE and current == JobStatus.FINISHED
        case "next_run_at":
            instant = _instant(value) if isinstance(value, str) else None
            return instant is not None and shown.get("status") == JobStatus.FINISHED
    return False


def _is_earlier(instant: datetime, shown: JsonDocument, current: datetime | None) -> bool:
    created_at = _instant(str(shown.get("created_at")))
    return current is not None and created_at is not None and created_at <= instant <= current


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None


def _written(value: JsonValue) -> str:
    return "null" if value is None else "another list" if isinstance(value, list) else str(value)


_MOVED = frozenset({"next_run_at", "last_run_at"})
_ENVIRONMENT_STATES = frozenset(state.value for state in EnvironmentState)
_RUN_STATUSES = frozenset(status.value for status in RunStatus)
