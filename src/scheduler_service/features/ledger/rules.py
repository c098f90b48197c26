"""Compares the instants that a schedule owes with the rows of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.recurrence import Recurrence
from scheduler_service.domain.schedules.schedule import parse
from scheduler_service.features.ledger.records import Difference, LedgerRow, ScheduleSpan

_MICROSECOND = timedelta.resolution


def end_of(span: ScheduleSpan, rows: Sequence[LedgerRow], now: datetime, *, is_last: bool = True) -> datetime:
    """Return the first instant that is not owed in a span. `is_last` is whether no other one follows."""
    if span.state == "open":
        # A job that changed after its span was read is accounted for up to the present at most.
        return span.next_run_at or span.begins_at
    if span.state == "closed":
        return span.ends_before or span.begins_at
    last = rows[-1].last + _MICROSECOND if rows else span.begins_at
    if span.max_runs is not None or not is_last:
        return last  # nobody knows which instants were left when the last run was created
    return max(last, now if span.end_at is None else min(now, span.end_at + _MICROSECOND))


def compare(
    span: ScheduleSpan, rows: Sequence[LedgerRow], since: datetime, end: datetime
) -> tuple[int, list[Difference]]:
    """Return the number of instants owed from `since` to before `end`, and each that differs from the rows.

    `rows` are in the order of their instants. The first instant of a span counts even if the schedule does not name it.
    """
    dst = DstPolicy(span.dst_gap, span.dst_fold)
    schedule = parse(span.schedule_expr, timezone=span.timezone, dst=dst, anchor_at=span.anchor_at)
    owed, differences = 0, []
    instant = span.begins_at if span.begins_at >= since else schedule.next_after(since - _MICROSECOND)
    place = 0
    while instant is not None and instant < end:
        while place < len(rows) and rows[place].first < instant:
            differences.append(Difference(span.job_id, "surplus", rows[place].first))
            place += 1
        if place == len(rows) or rows[place].first > instant:
            differences.append(Difference(span.job_id, "missing", instant))
            owed += 1
            instant = schedule.next_after(instant)
            continue
        row = rows[place]
        owed += row.count
        differences += _range_differences(span, schedule, row)
        instant = schedule.next_after(row.last)
        place += 1
    differences += [Difference(span.job_id, "surplus", row.first) for row in rows[place:] if row.first < end]
    return owed, differences


def _range_differences(span: ScheduleSpan, schedule: Recurrence, row: LedgerRow) -> list[Difference]:
    """Return a difference if the number of instants in a range is not that of the schedule."""
    named = 1 + schedule.count_between(row.first, row.last)
    if named == row.count:
        return []
    return [Difference(span.job_id, "missing" if named > row.count else "surplus", row.last)]
