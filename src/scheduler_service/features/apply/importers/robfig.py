"""Schedules of Go's cron library, which Kubernetes and Dkron use.

It differs from crontab(5) in one rule: `*/2` is no star, so a day-of-month `*/2` beside a day-of-week means either day.
Such a field is written as a range, which means the same here.
"""

from __future__ import annotations

import re

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.schedule import parse
from scheduler_service.features.apply.importers.moments import ANCHOR

_ZONE = re.compile(r"(?:CRON_)?TZ=(\S+)\s+(.+)")
_EVERY = re.compile(r"@every\s+(\S+)")
_STEP = re.compile(r"\*/([2-9]|[1-9]\d+)")
_RANGES = {-3: "1-31", -1: "0-6"}
_STARS = ("*", "?")


def read_schedule(text: str) -> tuple[str, str | None]:
    """Return a schedule of this service, and the zone that the text names.

    Raise `InvalidInputError` if this service cannot read it.
    """
    zone = None
    if prefixed := _ZONE.fullmatch(text.strip()):
        zone, text = prefixed[1], prefixed[2]
    every = _EVERY.fullmatch(text.strip())
    expr = every[1] if every else _cron(" ".join(text.split()))
    parse(expr, timezone=zone or "UTC", dst=DstPolicy(), anchor_at=ANCHOR)
    return expr, zone


def _cron(text: str) -> str:
    fields = text.split(" ")
    if len(fields) not in {5, 6}:
        return text
    are_days_restricted = fields[-3] not in _STARS and fields[-1] not in _STARS
    for place, whole in _RANGES.items():
        step = _STEP.fullmatch(fields[place])
        if are_days_restricted and step:
            fields[place] = f"{whole}/{step[1]}"
    return " ".join("*" if field == "?" else field for field in fields)
