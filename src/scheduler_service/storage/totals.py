"""Counts events since the first start. Pruned events stay in the totals.

Theory of operation. A total is the row in `totals` plus the events after the observer's cursor. One snapshot reads
both, so a total never decreases. `fold` moves events into `totals` in the background, so workers never contend for a
counter row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, case, func, literal_column, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.storage import events as event_rows
from scheduler_service.storage.dialect import insert_or_add
from scheduler_service.storage.event_tables import events, totals
from scheduler_service.storage.events import TOTALS

MESSAGE_DROPPED = "message_dropped"
UNMEASURED = -1
BEYOND = 2**53
"""The bucket above every bound."""

# Milliseconds. Counted values stay in their bucket, so bounds may be added, but an existing bound keeps its meaning.
DURATION_BOUNDS = (
    10,
    25,
    50,
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    30_000,
    60_000,
    300_000,
    1_800_000,
    3_600_000,
)
LATENESS_BOUNDS = (10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 3_600_000)
_MEASURED = ("count", "duration_seconds", "lateness_seconds", "missed_count")
# Grouped by column number: PostgreSQL treats each occurrence of an expression with bound values as a different one.
_FIRST_FOUR: list[ColumnElement[int]] = [literal_column(str(number)) for number in (1, 2, 3, 4)]

# A run that its start deadline turned into a missed one is one instant; only new rows tell their count.
_MISSED_BY_DEADLINE = case((events.c.change == "missed", 1), else_=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """How many runs came to `change`, for one payload kind and one bucket of each measure.

    Buckets are upper bounds in milliseconds, UNMEASURED or BEYOND. The seconds are sums.
    """

    change: str
    payload_type: str
    duration_bucket: int
    lateness_bucket: int
    count: int
    duration_seconds: float
    lateness_seconds: float
    missed_count: int


async def read(snapshot: AsyncConnection) -> list[Total]:
    """Return all totals up to the newest commit. A key can occur twice; the caller adds its figures.

    `snapshot` must come from `Database.snapshot`. Otherwise a concurrent fold is counted twice or not at all.
    """
    cursor = await event_rows.cursor(snapshot, TOTALS)
    tail = _sums(event_rows.is_after(snapshot, cursor))
    rows = await snapshot.execute(union_all(select(totals), tail))
    return [Total(**row) for row in rows.mappings()]


async def fold(connection: AsyncConnection) -> bool:
    """Add the events since the cursor to the totals, in this transaction. Return False if there were none."""
    cursor = await event_rows.lock_cursor(connection, TOTALS)
    newest = await event_rows.newest(connection)
    if cursor is None or newest <= cursor:
        return False
    unfolded = and_(event_rows.is_after(connection, cursor), event_rows.is_up_to(connection, newest))
    source = ([column.name for column in totals.columns], _sums(unfolded))
    await connection.execute(insert_or_add(connection, totals, _MEASURED, source))
    await event_rows.move_cursor(connection, TOTALS, newest)
    return True


async def add(connection: AsyncConnection, change: str, count: int) -> None:
    """Add to a total that has no run events."""
    key = {"change": change, "payload_type": "", "duration_bucket": UNMEASURED, "lateness_bucket": UNMEASURED}
    measures = {"count": count, "duration_seconds": 0.0, "lateness_seconds": 0.0, "missed_count": 0}
    await connection.execute(insert_or_add(connection, totals, _MEASURED), [key | measures])


def _sums(condition: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    key = (
        events.c.change,
        func.coalesce(events.c.payload_type, "").label("payload_type"),
        _bucket(events.c.duration_seconds, DURATION_BOUNDS).label("duration_bucket"),
        _bucket(events.c.lateness_seconds, LATENESS_BOUNDS).label("lateness_bucket"),
    )
    measures = (
        func.count().label("count"),
        func.coalesce(func.sum(events.c.duration_seconds), 0.0).label("duration_seconds"),
        func.coalesce(func.sum(events.c.lateness_seconds), 0.0).label("lateness_seconds"),
        func.coalesce(func.sum(func.coalesce(events.c.missed_count, _MISSED_BY_DEADLINE)), 0).label("missed_count"),
    )
    return select(*key, *measures).where(events.c.subject == "run", condition).group_by(*_FIRST_FOUR)


def _bucket(seconds: ColumnElement[float | None], bounds: Sequence[int]) -> ColumnElement[int]:
    # A bound in milliseconds is exact as a float. A value equal to a bound belongs to its bucket (Prometheus: le).
    steps: list[tuple[ColumnElement[bool], ColumnElement[int]]] = [
        (seconds <= bound / 1000, literal_column(str(bound))) for bound in bounds
    ]
    return case((seconds.is_(None), literal_column(str(UNMEASURED))), *steps, else_=literal_column(str(BEYOND)))
