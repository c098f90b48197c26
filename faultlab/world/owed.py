"""What the ledger owes, computed by other means than the service: from what the world has seen of each job."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from faultlab.world.watch import MICROSECONDS, JobState, Seen, Watch

# The worlds have no clock changes, so an offset is enough.
OFFSETS = {"UTC": 0, "Europe/Berlin": 60, "Asia/Kolkata": 330, "Asia/Kathmandu": 345}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INTERVALS = {"90s": 90, "10m": 600}
_MINUTE = 60 * MICROSECONDS


def micros(instant: datetime) -> int:
    """Return an instant in microseconds."""
    return (instant - _EPOCH) // timedelta.resolution


def named(state: JobState, begin: int, end: int) -> list[int]:
    """Return the instants that a schedule names from `begin` to `end`, both included, within its bounds."""
    begin = begin if state.start_at is None else max(begin, state.start_at)
    end = end if state.end_at is None else min(end, state.end_at)
    if state.schedule_expr is None:
        return []
    expression = state.schedule_expr
    if expression in _INTERVALS:
        step = _INTERVALS[expression] * MICROSECONDS
        first = max(1, -((state.anchor_at - begin) // step))
        return list(range(state.anchor_at + first * step, end + 1, step))
    if expression.endswith("Z"):
        at = micros(datetime.fromisoformat(expression))
        return [at] if begin <= at <= end else []
    offset = OFFSETS[state.timezone]
    minutes = range(-(-begin // _MINUTE), end // _MINUTE + 1)
    return [minute * _MINUTE for minute in minutes if _matches(expression, (minute + offset) % 60)]


def _matches(expression: str, minute: int) -> bool:
    field, _, _ = expression.partition(" ")
    if field == "*":
        return True
    step = re.fullmatch(r"\*/(\d+)", field)
    return minute % int(step[1]) == 0 if step else minute == int(field)


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which a schedule was in force: the instants that it owed."""

    state: JobState
    instants: tuple[int, ...]


def check_owed(watch: Watch, job_id: int, now: int) -> Iterator[str]:
    """Yield each instant of a job that is owed and has no row, has two, or has one and is not owed."""
    rows = watch.rows(
        "SELECT scheduled_for, coalesce(missed_until, scheduled_for), coalesce(missed_count, 1) FROM runs "
        "WHERE job_id = ? AND \"trigger\" = 'schedule' ORDER BY scheduled_for",
        job_id,
    )
    spans = list(_spans(watch.history[job_id], now))
    covered: list[int] = []
    for first, last, count in rows:
        found = [inside for span in spans if len(inside := _inside(span, first, last)) == count]
        if not found:
            yield f"job {job_id}: the row of {count} instants from {_text(first)} to {_text(last)} fits no schedule"
            continue
        covered += found[0]
    owed = {instant for span in spans for instant in span.instants}
    twice = {each for each, count in Counter(covered).items() if count > 1}
    yield from _told(job_id, owed - set(covered), "owed and without a row")
    yield from _told(job_id, set(covered) - owed, "not owed and in a row")
    yield from _told(job_id, twice, "in two rows")


def _inside(span: Span, first: int, last: int) -> list[int]:
    inside = [instant for instant in span.instants if first <= instant <= last]
    return inside if inside and inside[0] == first and inside[-1] == last else []


def _spans(history: Sequence[Seen], now: int) -> Iterator[Span]:
    """Yield the spans of a job from the states in which it was seen."""
    begun: tuple[int, JobState] | None = None
    before: Seen | None = None
    for seen in history:
        if before is not None and before.state.paused_until is not None and before.state.paused_until <= seen.at:
            # The pause has ended by itself, perhaps in the transaction of an edit, and owes from its end on.
            begun = (before.state.paused_until, before.state)
        if begun is not None and before is not None and _ends(begun[1], before, seen):
            yield Span(begun[1], tuple(named(begun[1], begun[0] + 1, _last_owed(before, seen))))
            begun = None
        if begun is None and seen.state.next_run_at is not None:
            begun = (seen.at, seen.state)
        before = seen
    if begun is not None and before is not None:
        # A clock that was set back stands before instants that have rows already.
        yield Span(begun[1], tuple(named(begun[1], begun[0] + 1, max(now, (before.state.next_run_at or 0) - 1))))


def _ends(begun: JobState, before: Seen, seen: Seen) -> bool:
    """Return whether a span has ended, perhaps in a transaction that began the next one."""
    has_other = seen.state.schedule_version != begun.schedule_version
    return seen.state.next_run_at is None or has_other or seen.finished > before.finished


def _last_owed(before: Seen, seen: Seen) -> int:
    """Return the last instant that a span can owe, when it has just ended."""
    accounted = (before.state.next_run_at or 0) - 1
    if seen.finished > before.finished:
        has_count = before.state.max_runs is not None
        return seen.last_row if has_count else max(seen.last_row, before.state.end_at or seen.at)
    if seen.state.version == before.state.version:
        # The service has paused it after failures, and the tick that did so may have begun some time ago.
        return max(accounted, seen.last_row)
    return max(accounted, seen.at)


def _told(job_id: int, instants: set[int], what: str) -> Iterator[str]:
    if instants:
        yield f"job {job_id}: {len(instants)} instants from {_text(min(instants))} to {_text(max(instants))} are {what}"


def _text(instant: int) -> str:
    return f"{_EPOCH + timedelta(microseconds=instant):%Y-%m-%d %H:%M:%S.%f}"
