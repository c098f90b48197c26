"""Imports jobs of Dkron, as `GET /v1/jobs` returns them.

Theory of operation. Dkron runs the `dependent_jobs` of a job after each success, and ignores the schedule of a job that
has a `parent_job`. Both fields say the same of two jobs, and one of them can be missing in an edited file.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from scheduler_service.errors import InvalidInputError
from scheduler_service.features.apply.importers.chains import Link, add_chains
from scheduler_service.features.apply.importers.imported import (
    SANDBOX,
    Document,
    Imported,
    Options,
    read_json,
    refuse,
    unread,
)
from scheduler_service.features.apply.importers.quantities import seconds
from scheduler_service.features.apply.importers.robfig import read_schedule

_KNOWN = frozenset(
    {"id", "name", "displayname", "schedule", "timezone", "disabled", "concurrency", "executor", "executor_config",
     "retries", "owner", "starts_at", "expires_at", "metadata", "success_count", "error_count", "last_success",
     "last_error", "status", "next", "parent_job", "dependent_jobs", "tags", "processors", "owner_email", "ephemeral"}
)  # fmt: skip
_AT = "@at "
_ON_DEMAND = frozenset({"@manually", ""})


def import_jobs(text: str, _name: str, options: Options) -> Imported:
    """Return the jobs of a JSON text: a list of jobs, or one. Raise `InvalidInputError` if it has none."""
    read = read_json(text)
    jobs = [each for each in (read if isinstance(read, list) else [read]) if isinstance(each, dict) and "name" in each]
    if not jobs:
        raise refuse("has no job of Dkron; write the answer of GET /v1/jobs")
    found = Imported()
    found.note("", SANDBOX)
    for job in jobs:
        _add(found, job, options)
    add_chains(found, _links(jobs))
    return found


def _links(jobs: Iterable[Mapping[str, Any]]) -> Iterator[Link]:
    """Yield each parent and child once."""
    seen: set[tuple[str, str]] = set()
    for job in jobs:
        name = str(job["name"])
        named = [(str(job["parent_job"]), name, "parent_job")] if job.get("parent_job") else []
        named += [(name, str(child), "dependent_jobs") for child in job.get("dependent_jobs") or ()]
        for parent, child, field in named:
            if (parent, child) not in seen:
                seen.add((parent, child))
                yield Link(parent, child, "success", name, field)


def _add(found: Imported, job: Mapping[str, Any], options: Options) -> None:
    name = str(job["name"])
    document: Document = {"name": str(job.get("displayname") or name)}
    payload = _payload(found, name, job)
    has_parent = bool(job.get("parent_job"))
    schedule = "" if has_parent else str(job.get("schedule") or "")
    try:
        document["schedule_expr"], zone = _schedule(schedule)
    except InvalidInputError as error:
        found.note(name, f"not imported: {error}")
        return
    if payload is None:
        return
    if zone := job.get("timezone") or zone or options.timezone:
        document["timezone"] = zone
    elif document["schedule_expr"] is not None:
        found.note(name, "no timezone: the schedule is read in UTC, in Dkron in the zone of its server")
    document |= payload
    document |= _policies(job)
    for instant, field in (("starts_at", "start_at"), ("expires_at", "end_at")):
        if job.get(instant) and not has_parent:
            document[field] = job[instant]
    found.note(name, *_notes(job), *unread(job, _KNOWN))
    found.add(name, document)


def _schedule(text: str) -> tuple[str | None, str | None]:
    if text in _ON_DEMAND:
        return None, None
    if text.startswith(_AT):
        instant = text.removeprefix(_AT).strip()
        try:
            datetime.fromisoformat(instant)
        except ValueError:
            raise refuse(f"{instant!r} is no instant") from None
        return instant, None
    return read_schedule(text)


def _policies(job: Mapping[str, Any]) -> Document:
    document: Document = {"overlap_policy": "skip" if job.get("concurrency") == "forbid" else "allow"}
    document["misfire_policy"] = "skip"
    if job.get("disabled"):
        document["enabled"] = False
    if retries := int(job.get("retries") or 0):
        document["retry_policy"] = {"max_retries": min(retries, 100), "retry_delay": 0}
    return document


def _payload(found: Imported, name: str, job: Mapping[str, Any]) -> Document | None:
    config = {key: str(value) for key, value in (job.get("executor_config") or {}).items()}
    match job.get("executor"):
        case "shell":
            document = _shell(config)
            known = {"command", "shell", "env", "timeout"}
        case "http":
            document = _request(config)
            known = {"method", "url", "body", "timeout"}
        case other:
            found.note(name, f"not imported: the executor {other} has no counterpart")
            return None
    if (limit := seconds(config.get("timeout", ""))) is not None:
        document["timeout_seconds"] = limit
    found.note(name, *(f"executor_config.{each}" for each in unread(config, known)))
    return document


def _shell(config: Mapping[str, str]) -> Document:
    command = config.get("command", "")
    env = dict(pair.split("=", 1) for pair in config.get("env", "").split(",") if "=" in pair)
    in_shell = config.get("shell", "").lower() == "true"
    script = {"type": "shell_script", "script": f"#!/bin/sh\n{command}\n"}
    payload = script if in_shell or not command.strip() else {"type": "program", "argv": shlex.split(command)}
    return {"payload": payload, **({"env": env} if env else {})}


def _request(config: Mapping[str, str]) -> Document:
    payload = {"type": "http_request", "url": config.get("url", ""), "method": config.get("method", "GET").upper()}
    if config.get("body"):
        payload["body"] = config["body"]
    return {"payload": payload, "limits": {"network": True}}


def _notes(job: Mapping[str, Any]) -> list[str]:
    notes = []
    if job.get("owner") or job.get("owner_email"):
        notes.append("owner and owner_email are not imported: the owner is that of the API key")
    if job.get("parent_job") and job.get("schedule"):
        notes.append("its schedule is not imported: Dkron ignores the schedule of a job with a parent")
    if job.get("parent_job") and (job.get("starts_at") or job.get("expires_at")):
        notes.append("starts_at and expires_at are not imported: here, they bound schedules, not runs after a parent")
    if job.get("tags"):
        notes.append(f"tags {job['tags']} chose servers; here, tags are labels, and workers can be restricted to them")
    if job.get("processors"):
        notes.append("processors are not imported: output is kept as the log of the run")
    if job.get("ephemeral"):
        notes.append("ephemeral is not imported: set max_runs to 1")
    if job.get("retries"):
        notes.append("retries follow at once, as in Dkron; retry_policy can wait between them")
    return notes
