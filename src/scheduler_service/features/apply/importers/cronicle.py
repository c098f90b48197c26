"""Imports events of Cronicle, from its data export or from the answer of `get_schedule`.

Theory of operation. The timing of an event lists minutes, hours, days, months and weekdays, and all of them must match.
A cron pattern with days and weekdays matches either, so an event with both is not imported. An event names those that
run after it (`chain`, `chain_error`); here, a job names those that it runs after.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from scheduler_service.domain.dependencies import AwaitedEnd
from scheduler_service.features.apply.importers.chains import Link, add_chains
from scheduler_service.features.apply.importers.imported import SANDBOX, Document, Imported, Options, refuse, unread

_KNOWN = frozenset(
    {"id", "title", "enabled", "timing", "timezone", "plugin", "params", "catch_up", "max_children", "queue",
     "retries", "retry_delay", "timeout", "notes", "memory_limit", "created", "modified", "username", "api_key",
     "chain", "chain_error"}
)  # fmt: skip
_WEEK = 7
_UNITS = ("minutes", "hours", "days", "months", "weekdays")


def import_events(text: str, _name: str, options: Options) -> Imported:
    """Return the jobs of events. Raise `InvalidInputError` if the text has none."""
    events = list(_events(text))
    if not events:
        raise refuse("has no event of Cronicle; write its data export, or the answer of get_schedule")
    found = Imported()
    found.note("", SANDBOX)
    for event in events:
        _add(found, event, options)
    for key, document in add_chains(found, (link for event in events for link in _links(event))).items():
        found.note(
            key, "chain_data and chain_params are not passed on; SCHEDULER_INPUT is the result of the run before"
        )
        if document.get("enabled") is False:
            found.note(key, "it is disabled: Cronicle runs it in a chain even so; here, a paused job does not run")
        if any(entry["on"] == "end" for entry in document["after"]):
            found.note(key, "it runs after each end; here, also after a run that was cancelled")
    return found


def _events(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the events of a JSON text, or of an export with a key and a JSON text in each line."""
    with suppress(ValueError):
        yield from _within(json.loads(text))
        return
    for line in text.splitlines():
        key, _, value = line.partition(" - ")
        if key.startswith("global/schedule/"):
            with suppress(ValueError):
                yield from _within(json.loads(value))


def _within(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        for each in value:
            yield from _within(each)
    elif isinstance(value, dict):
        if "plugin" in value and "title" in value:
            yield value
        else:
            yield from _within(value.get("rows") or value.get("items") or value.get("event"))


def _links(event: Mapping[str, Any]) -> Iterator[Link]:
    """Yield what runs after an event: after each end if it names the same event for success and for failure."""
    key, after_success, after_failure = _key(event), event.get("chain"), event.get("chain_error")
    if after_success:
        on: AwaitedEnd = "end" if after_success == after_failure else "success"
        yield Link(key, str(after_success), on, key, "chain")
    if after_failure and after_failure != after_success:
        yield Link(key, str(after_failure), "failure", key, "chain_error")


def _key(event: Mapping[str, Any]) -> str:
    return str(event.get("id") or event["title"])


def _add(found: Imported, event: Mapping[str, Any], options: Options) -> None:
    key = _key(event)
    timing = event.get("timing")
    document: Document = {"name": str(event["title"]), "schedule_expr": None}
    if isinstance(timing, Mapping):
        if timing.get("days") and timing.get("weekdays"):
            found.note(key, "not imported: its timing needs a day and a weekday at once, which cron cannot say")
            return
        document["schedule_expr"] = " ".join(_field(timing, unit) for unit in _UNITS)
        if timing.get("years"):
            found.note(key, f"the years {timing['years']} are not imported; set start_at and end_at")
    payload = _payload(found, key, event)
    if payload is None:
        return
    zone = event.get("timezone") or options.timezone
    if zone is not None:
        document["timezone"] = zone
    elif document["schedule_expr"] is not None:
        found.note(key, "no timezone: the schedule is read in UTC, in Cronicle in the zone of its server")
    policies = _policies(found, key, event)
    limits = {**payload.pop("limits", {}), **policies.pop("limits", {})}
    found.add(key, {**document, **payload, **policies, **({"limits": limits} if limits else {})})
    found.note(key, *unread((name for name, value in event.items() if value), _KNOWN))


def _field(timing: Mapping[str, Any], unit: str) -> str:
    values = timing.get(unit)
    if unit == "weekdays" and values:
        values = sorted({int(value) % _WEEK for value in values})
    return ",".join(map(str, values)) if values else "*"


def _payload(found: Imported, key: str, event: Mapping[str, Any]) -> Document | None:
    params = event.get("params") or {}
    match event["plugin"]:
        case "shellplug":
            script = str(params.get("script", ""))
            found.note(key, *(f"params.{each}" for each in unread((n for n, v in params.items() if v), {"script"})))
            interpreter = "" if script.startswith("#!") else "#!/bin/sh\n"
            return {"payload": {"type": "shell_script", "script": interpreter + script}}
        case "urlplug":
            return _request(found, key, params)
        case other:
            found.note(key, f"not imported: the plugin {other} has no counterpart")
            return None


def _request(found: Imported, key: str, params: Mapping[str, Any]) -> Document:
    headers = dict(line.split(":", 1) for line in str(params.get("headers") or "").splitlines() if ":" in line)
    payload: Document = {"type": "http_request", "url": params.get("url", ""), "method": params.get("method", "GET")}
    if headers:
        payload["headers"] = {name.strip(): value.strip() for name, value in headers.items()}
    if params.get("data") and payload["method"] != "GET":
        payload["body"] = params["data"]
    known = {"url", "method", "headers", "data"}
    found.note(key, *(f"params.{each}" for each in unread((n for n, v in params.items() if v), known)))
    return {"payload": payload, "limits": {"network": True}}


def _policies(found: Imported, key: str, event: Mapping[str, Any]) -> Document:
    document: Document = {"misfire_policy": "fire_all" if event.get("catch_up") else "skip"}
    if event.get("catch_up"):
        found.note(key, "catch_up runs all missed instants; here, catchup_limit allows the newest 100")
    children = int(event.get("max_children") or 0)
    waits = event.get("queue") or event.get("catch_up")  # with `skip`, only one of the missed instants would run
    document["overlap_policy"] = "allow" if not children else "queue" if waits else "skip"
    if children > 1:
        document["max_concurrency"] = children
    if not event.get("enabled", 1):
        document["enabled"] = False
    if retries := int(event.get("retries") or 0):
        delay = int(event.get("retry_delay") or 0)
        document["retry_policy"] = {"max_retries": retries, "retry_delay": delay, "backoff_factor": 1, "jitter": 0}
    if event.get("timeout"):
        document["timeout_seconds"] = event["timeout"]
    else:
        found.note(key, "no timeout: Cronicle sets no time limit; here it is 300 s")
    if memory := int(event.get("memory_limit") or 0):
        document["limits"] = {"memory_mb": max(16, memory // 2**20)}
    if event.get("notes"):
        document["description"] = str(event["notes"])
    return document
