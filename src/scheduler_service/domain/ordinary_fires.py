"""Decides the ordinary case of `firing` for many jobs at once: one instant is due, not late, and the job is not busy.

Theory of operation. When thousands of jobs come due together, most of them share a few schedules and need no decision:
each gets one run and moves to its next instant. The storage therefore groups such jobs by schedule and due instant.
This module computes the next instant once for each group. A job with a second due instant is not ordinary, and `firing`
decides about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.schedule import Interval, Schedule, parse


@dataclass(frozen=True, slots=True)
class DueGroup:
    """Due jobs with the same schedule and due instant. An interval also needs the anchor of each job."""

    schedule_expr: str
    timezone: str
    dst_gap: Literal["run_after", "skip"]
    dst_fold: Literal["first", "second", "both"]
    next_run_at: datetime
    schedule_version: int
    job_ids: Sequence[int]
    anchors: Sequence[datetime]


class Advance(NamedTuple):
    """A job whose due instant becomes a run, and its next instant. None: the job is finished."""

    job_id: int
    schedule_version: int
    from_instant: datetime
    to_instant: datetime | None


def advances(group: DueGroup, now: datetime) -> Iterator[Advance]:
    """Yield the jobs of a group that are ordinary. Yield nothing if the schedule cannot be computed."""
    try:
        following = list(_following(group))
    except Exception:  # noqa: BLE001 (the ledger decides about these jobs one by one, and reports the error)
        return
    for job_id, instant in zip(group.job_ids, following, strict=True):
        if instant is None or instant > now:
            yield Advance(job_id, group.schedule_version, group.next_run_at, instant)


def _following(group: DueGroup) -> Iterator[datetime | None]:
    first = _schedule(group, group.anchors[0])
    if isinstance(first, Interval):
        for anchor_at in group.anchors:
            yield _schedule(group, anchor_at).next_after(group.next_run_at)
    else:
        following = first.next_after(group.next_run_at)
        yield from (following for _ in group.job_ids)


def _schedule(group: DueGroup, anchor_at: datetime) -> Schedule:
    dst = DstPolicy(group.dst_gap, group.dst_fold)
    return parse(group.schedule_expr, timezone=group.timezone, dst=dst, anchor_at=anchor_at)
