"""Random jobs, edits and calendars."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from scheduler_service.domain.instant_text import iso8601

CALENDAR = "world"
EXPRESSIONS = ("* * * * *", "*/5 * * * *", "*/7 * * * *", "17 * * * *", "*/20 * * * *", "90s", "10m")
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu")


def happens(chooser: random.Random, share: float) -> bool:
    """Return whether something that happens in this share of the cases happens now."""
    return chooser.random() < share


def definition(chooser: random.Random, now: datetime, upstreams: Sequence[int]) -> dict[str, Any]:
    """Return the document of a new job, which may run after some of `upstreams`."""
    document: dict[str, Any] = {
        "name": "a job",
        "payload": {"type": "shell_script", "script": "true"},
        "overlap_policy": chooser.choice(("skip", "queue", "allow", "cancel_running")),
        "max_concurrency": chooser.choice((1, 1, 1, 2, 3)),
        "pause_after_failures": chooser.choice((None, None, None, 1, 2)),
        "concurrency_key": chooser.choice((None, None, None, "shared")),
        "retry_policy": {"max_retries": chooser.choice((0, 0, 1, 2)), "retry_delay": chooser.choice((1, 60))},
        **_schedule(chooser, now),
        **_policies(chooser),
    }
    if upstreams and happens(chooser, 0.5):
        after = chooser.sample(upstreams, chooser.randint(1, min(2, len(upstreams))))
        document["after"] = [{"job": each, "on": chooser.choice(("success", "failure", "end"))} for each in after]
        document["after_mode"] = chooser.choice(("all", "any"))
        document["pause_after_failures"] = None
        document["schedule_expr"] = chooser.choice((None, document["schedule_expr"]))
    if document["schedule_expr"] is None:
        document |= {"start_at": None, "end_at": None, "max_runs": None, "calendars": []}
    return document


def edit(chooser: random.Random, now: datetime) -> dict[str, Any]:
    """Return a merge patch of a job."""
    changes: list[dict[str, Any]] = [
        _schedule(chooser, now),
        _policies(chooser),
        {"timezone": chooser.choice(ZONES)},
        {"end_at": _later(chooser, now)},
        {"priority": chooser.randint(0, 9)},
        {"enabled": happens(chooser, 0.5)},
        {"max_runs": chooser.choice((None, 2, 5))},
        {"after": []},
    ]
    return chooser.choice(changes)


def calendar(chooser: random.Random, now: datetime) -> dict[str, Any]:
    """Return a calendar with some of the days around an instant."""
    days = [(now + timedelta(days=number)).date().isoformat() for number in (-1, 0, 1, 2)]
    return {"dates": sorted(chooser.sample(days, chooser.randint(1, 3)))}


def _schedule(chooser: random.Random, now: datetime) -> dict[str, Any]:
    expression = chooser.choice(EXPRESSIONS)
    if happens(chooser, 0.1):
        expression = iso8601(now + timedelta(seconds=chooser.randint(1, 3600)))
    start_at = chooser.choice((None, None, None, iso8601(now + timedelta(seconds=chooser.randint(-600, 1800)))))
    return {
        "schedule_expr": expression,
        "timezone": chooser.choice(ZONES),
        "start_at": start_at,
        "end_at": chooser.choice((None, None, None, _later(chooser, now))),
    }


def _policies(chooser: random.Random) -> dict[str, Any]:
    return {
        "misfire_policy": chooser.choice(("fire_once", "fire_all", "skip")),
        "misfire_grace_seconds": chooser.choice((0, 60, 600)),
        "catchup_limit": chooser.randint(1, 5),
        "start_deadline_seconds": chooser.choice((None, None, 30, 300)),
        "jitter_seconds": chooser.choice((0, 0, 30)),
        "max_runs": chooser.choice((None, None, None, 1, 4)),
        "calendars": chooser.choice(([], [], [CALENDAR], [f"-{CALENDAR}"])),
        "calendar_shift": chooser.choice(("skip", "next_day")),
    }


def _later(chooser: random.Random, now: datetime) -> str:
    return iso8601(now + timedelta(seconds=chooser.randint(1800, 10_800)))
