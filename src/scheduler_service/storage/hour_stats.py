"""Summarises long windows from the figures of their hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.hours import HOUR, hour_of
from scheduler_service.domain.outcomes import Ended, OutcomeCount, Spread, Step, spread_of_buckets
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage import hour_totals, stats
from scheduler_service.storage.hour_counts import BUCKETS, DURATION, ENDED, LATENESS
from scheduler_service.storage.hour_totals import HourCount


async def ended_since(snapshot: AsyncConnection, since: datetime, until: datetime, owner_id: str | None) -> Ended:
    """Return figures about the runs that ended in the hours of a window. `owner_id` None means all owners."""
    measures = (ENDED, DURATION, LATENESS)
    counted = await hour_totals.read(snapshot, measures, since, until, owner_id=owner_id, by_hour=False)
    rows: Counter[tuple[str, str]] = Counter()
    instants: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, str], HourCount] = {}
    for each in counted[ENDED]:
        key = (each.status, each.reason or "")
        found[key] = each
        rows[key] += each.rows
        instants[key] += each.instants
    outcomes = [OutcomeCount(found[key].status, found[key].reason, rows[key], instants[key]) for key in sorted(found)]
    return Ended(tuple(outcomes), _spread(counted[DURATION]), _spread(counted[LATENESS]))


async def series(
    snapshot: AsyncConnection, since: datetime, until: datetime, step: timedelta, owner_id: str | None
) -> tuple[Step, ...]:
    """Return the steps of a window, also those without runs. Steps of whole hours begin at full hours."""
    is_coarse = step % HOUR == timedelta(0)
    begin = hour_of(since) if is_coarse else since
    counts: list[tuple[int, RunStatus, int, int]] = []
    if is_coarse:
        counted = await hour_totals.read(snapshot, (ENDED, DURATION), begin, until, owner_id=owner_id)
        for of_hours in counted.values():
            counts += [((each.hour - begin) // step, each.status, each.bucket, each.rows) for each in of_hours]
    else:
        for number, status, bucket, count in await stats.by_step(snapshot, begin, int(step.total_seconds()), owner_id):
            counts += [(number, status, 0, count)] + ([(number, status, bucket, count)] if bucket else [])
    return tuple(_steps(begin, until, step, counts))


def _steps(
    begin: datetime, until: datetime, step: timedelta, counts: Iterable[tuple[int, RunStatus, int, int]]
) -> Iterable[Step]:
    by_status: dict[int, Counter[RunStatus]] = {}
    durations: dict[int, Counter[int]] = {}
    for number, status, bucket, count in counts:
        if bucket:
            durations.setdefault(number, Counter())[bucket] += count
        else:
            by_status.setdefault(number, Counter())[status] += count
    for number in range(-((begin - until) // step)):
        spread = spread_of_buckets(durations.get(number, Counter()), BUCKETS)
        yield Step(begin + number * step, by_status.get(number, Counter()), spread)


def _spread(counts: Iterable[HourCount]) -> Spread:
    buckets: Counter[int] = Counter()
    for each in counts:
        buckets[each.bucket] += each.rows
    return spread_of_buckets(buckets, BUCKETS)
