"""Writes jobs as the shortest documents that apply without a change."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import ValidationError

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.dependencies import dependencies_in
from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.records import Job
from scheduler_service.domain.retry import RetryPolicy
from scheduler_service.errors import ConflictError
from scheduler_service.features.apply import store
from scheduler_service.features.apply.records import Selector
from scheduler_service.payloads import registry
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.job_limits import JobLimits
from scheduler_service.services.job_mapping import document_of
from scheduler_service.storage.database import Database

MAX_EXPORTED = 5000
_REQUIRED = ("name", "schedule_expr", "payload")


class ExportService:
    """Reads jobs as documents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def export(self, caller: Caller, selector: Selector) -> list[dict[str, Any]]:
        """Return the documents of the selected jobs, by id.

        Raise `ConflictError` if there are more than MAX_EXPORTED, or if two of them could not be told apart in files.
        """
        caller.require(Scope.READ)
        async with self._database.snapshot() as connection:
            selected = await store.find_selected(connection, selector, caller.bound, MAX_EXPORTED + 1)
            keys = await store.keys_of(
                connection, {each.job for job in selected for each in dependencies_in(job.after)}
            )
        if len(selected) > MAX_EXPORTED:
            raise ConflictError(f"more than {MAX_EXPORTED} jobs; select some of them by tag or owner_id")
        if alike := list(_alike(selected)):
            raise ConflictError("; ".join(alike))
        # Applying the documents elsewhere makes names the keys of jobs that have none.
        keys |= {job.id: job.external_key or job.name for job in selected}
        return await asyncio.to_thread(lambda: [document_to_export(job, keys) for job in selected])


def document_to_export(job: Job, keys: Mapping[int, str]) -> dict[str, Any]:
    """Return a job as a document without the fields that have their defaults. `keys` are those of upstream jobs."""
    document = document_of(job)
    document["after"] = [_upstream(entry, keys) for entry in job.after]
    defaults = _defaults()
    kept = {
        name: _written(_without_defaults(document[name], defaults.get(name)))
        for name in JobDefinition.model_fields
        if name in _REQUIRED or document[name] != defaults[name]
    }
    return {**kept, "payload": _short_payload(job.payload)}


def _upstream(entry: Mapping[str, Any], keys: Mapping[int, str]) -> dict[str, Any]:
    named = {"external_key": keys[entry["job"]]} if entry["job"] in keys else {"job": entry["job"]}
    return named if entry["on"] == "success" else {**named, "on": entry["on"]}


def _alike(selected: Sequence[Job]) -> Iterator[str]:
    """Yield the jobs without a key whose name is the key, or the name, of another one of the owner."""
    used = Counter((job.owner_id, job.external_key or job.name) for job in selected)
    for job in selected:
        if job.external_key is None and used[job.owner_id, job.name] > 1:
            yield (
                f"job {job.id} ({job.name}) has no external_key, and another job of its owner has its name; "
                f"set a key first: `scheduler jobs edit {job.id} external_key=…`"
            )


@cache
def _defaults() -> Mapping[str, Any]:
    fields = JobDefinition.model_fields
    defaults = {name: field.get_default() for name, field in fields.items() if name not in _REQUIRED}
    return {
        **defaults,
        "limits": JobLimits().model_dump(mode="json"),
        "retry_policy": asdict(RetryPolicy()),
        "dst": asdict(defaults["dst"]),
    }


def _without_defaults(value: Any, default: Any) -> Any:
    """Return an object without the members that have their defaults. Objects without fixed members stay whole."""
    if not (isinstance(value, dict) and isinstance(default, dict)):
        return value
    return {name: member for name, member in value.items() if name not in default or member != default[name]}


def _written(value: Any) -> Any:
    return iso8601(value) if isinstance(value, datetime) else value


def _short_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    try:
        read = registry.adapter().validate_python(payload)
    except ValidationError:  # its kind is gone, or has become stricter: applying it says so
        return dict(payload)
    return {"type": payload["type"], **read.model_dump(mode="json", exclude_defaults=True)}
