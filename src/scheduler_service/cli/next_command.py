"""The command `scheduler next`, which works without a service."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from scheduler_service.console import render
from scheduler_service.console.options import AsJson
from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.schedules.calendar_dst import DstPolicy, Fold, Gap
from scheduler_service.domain.schedules.clock_effects import ClockEffect, clock_effects, clock_note
from scheduler_service.domain.schedules.schedule import describe, parse, warnings
from scheduler_service.errors import FieldProblem, InvalidInputError


def show_next(
    expr: Annotated[str, typer.Argument(help="Cron pattern, interval or instant, in quotes.")],
    timezone: Annotated[
        str, typer.Option("--timezone", "-z", help="Read the schedule in this IANA zone, such as Europe/Berlin.")
    ] = "UTC",
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=1000, help="Show this many instants.")] = 10,
    *,
    dst_gap: Annotated[
        Gap, typer.Option("--dst-gap", help="Choose what happens to times that a clock change skips.")
    ] = ("run_after"),
    dst_fold: Annotated[
        Fold, typer.Option("--dst-fold", help="Choose which of two times that a clock change repeats.")
    ] = "first",
    as_json: AsJson = False,
) -> None:
    """Show when a schedule fires next, in UTC and in its zone.

    This needs no running service. An interval counts from now. --json writes the same document as the API's
    POST /schedules/preview.
    """
    now = datetime.now(UTC)
    dst = DstPolicy(dst_gap, dst_fold)
    schedule = parse(expr, timezone=timezone, dst=dst, anchor_at=now)
    instants = list(islice(schedule.between(now, _END_OF_TIME), count))
    if not instants:
        raise InvalidInputError(
            FieldProblem("schedule_expr", "the instant is in the past, so it never fires; write a later one", expr)
        )
    zone = ZoneInfo(timezone)
    pairs = [(at, at.astimezone(zone)) for at in instants]
    if as_json:
        render.show_json(
            {
                "schedule_expr": expr,
                "timezone": timezone,
                "description": describe(schedule),
                "warnings": warnings(schedule, now, dst),
                "instants": [
                    {
                        "at": iso8601(at),
                        "local": iso8601(local),
                        "note": clock_note(schedule, zone, at),
                        "calendar": None,
                    }
                    for at, local in pairs
                ],
                "clock_changes": [_change(effect) for effect in clock_effects(schedule, zone, now)],
            }
        )
        return
    render.line(describe(schedule))
    columns = ["UTC"] if timezone == "UTC" else ["UTC", timezone]
    rows = [(f"{at:{_CLOCK}}Z", f"{local:{_CLOCK}%z}")[: len(columns)] for at, local in pairs]
    render.show_table(columns, rows)
    render.show_warnings(warnings(schedule, now, dst))


def _change(effect: ClockEffect) -> dict[str, object]:
    return {
        "at": iso8601(effect.at),
        "kind": effect.kind,
        "local_from": effect.local_from.isoformat(),
        "local_to": effect.local_to.isoformat(),
        "times": effect.times,
    }


_CLOCK = "%a %Y-%m-%d %H:%M:%S"
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
