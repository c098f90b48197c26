"""Compares what one job owed with its rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.features.ledger import store
from scheduler_service.features.ledger.records import Difference, ScheduleSpan
from scheduler_service.features.ledger.rules import compare, end_of


async def check_job(
    snapshot: AsyncConnection, known: Sequence[ScheduleSpan], since: datetime, now: datetime
) -> tuple[int, list[Difference]]:
    """Return the number of instants that a job owed from `since` to `now`, and each that differs from the rows.

    `known` are the spans of the job that reach beyond `since`, read from the same `Database.snapshot`.
    """
    owed = 0
    differences: list[Difference] = []
    spans = [span for span in known if not span.is_empty]
    for place, span in enumerate(spans):
        begin = max(since, span.begins_at)
        following = spans[place + 1].begins_at if place + 1 < len(spans) else None
        rows = await store.rows_of(snapshot, span.job_id, begin, following)
        # A range that began before the window is not compared.
        inside = [row for row in rows if row.first >= begin]
        straddling = next((row for row in rows if row.first < begin), None)
        if straddling is not None:
            begin = straddling.last + timedelta.resolution
        end = end_of(span, inside, now, is_last=span is known[-1])
        counted, found = await asyncio.to_thread(compare, span, inside, begin, end)
        owed += counted
        differences += found
    return owed, differences
