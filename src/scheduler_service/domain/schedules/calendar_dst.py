"""Converts wall-clock time to instants. Only this module knows about daylight saving time.

Theory of operation. A year of a zone is split into stretches of constant UTC offset. Within a stretch, wall clock and
UTC differ by a constant, so a schedule can search and count plain wall-clock times. A clock change lies between two
stretches. If the clock jumps forward, the times in between do not exist (a gap). If it jumps back, they happen twice (a
fold, see PEP 495). `stretches` applies the job's policy once by moving the limits of the stretches.

Naive datetimes in this module are UTC or wall clock, as their names say.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

FIRST_YEAR, LAST_YEAR = 1900, 9990  # keeps offset arithmetic inside datetime's range

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)

Gap = Literal["run_after", "skip"]
Fold = Literal["first", "second", "both"]


@dataclass(frozen=True, slots=True)
class DstPolicy:
    """What happens to fixed times that a clock change removes (`gap`) or repeats (`fold`).

    `gap`: `run_after` fires once at the end of the gap; `skip` does not fire. `fold`: fire at the `first`, the `second`
    or `both` of the two instants with the same wall-clock time. The defaults are the rule of Debian's cron(8).
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "use_attribute_docstrings": True}

    gap: Gap = "run_after"
    """Times that the change removes: `run_after` runs right after the change, `skip` never. Default `run_after`."""
    fold: Fold = "first"
    """Times that the change repeats: run at the `first`, at the `second` or at `both`. Default `first`."""


ELAPSED = DstPolicy(gap="skip", fold="both")
"""Fire at every instant that matches, in gaps never and in folds twice: the rule for wildcard patterns."""


@dataclass(frozen=True, slots=True)
class ClockChange:
    """A change of a zone's offset from `before` to `after` at the UTC time `utc`."""

    utc: datetime
    before: timedelta
    after: timedelta

    @property
    def is_gap(self) -> bool:
        """Return True if the times of `window` do not exist, False if they happen twice."""
        return self.after > self.before

    @property
    def window(self) -> tuple[datetime, datetime]:
        """Return the wall-clock times that do not exist or happen twice: start included, end excluded."""
        seam = sorted((self.before, self.after))
        return self.utc + seam[0], self.utc + seam[1]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A span of constant offset: the instants `wall - offset` for the wall-clock times `lo` ≤ wall < `hi`.

    If `gap` is set, a fixed time within that window of missing wall-clock times fires at `start`.
    """

    start: datetime
    end: datetime
    offset: timedelta
    lo: datetime
    hi: datetime
    gap: tuple[datetime, datetime] | None


@lru_cache(maxsize=8192)
def stretches(zone: ZoneInfo, year: int, policy: DstPolicy) -> tuple[Stretch, ...]:
    """Return the stretches of a UTC year in order, without holes or overlaps."""
    # Include the neighbouring years until the end, because a fold can reach across New Year.
    changes = [change for near in (year - 1, year, year + 1) for change in clock_changes(zone, near)]
    seams = [None, *changes, None]
    whole = (_stretch(zone, year, seam, policy) for seam in pairwise(seams))
    start, end = datetime(year, 1, 1), datetime(year + 1, 1, 1)  # noqa: DTZ001 (naive UTC)
    return tuple(_cut(stretch, start, end) for stretch in whole if stretch.start < end and stretch.end > start)


@lru_cache(maxsize=8192)
def clock_changes(zone: ZoneInfo, year: int) -> tuple[ClockChange, ...]:
    """Return the changes of a zone's offset within a UTC year."""
    if year < _AFTER_ALIKE:
        return _probed_changes(zone, year)
    alike = _ALIKE[_calendar(year)]
    shift = datetime(year, 1, 1) - datetime(alike, 1, 1)  # noqa: DTZ001 (naive UTC)
    return tuple(ClockChange(change.utc + shift, change.before, change.after) for change in clock_changes(zone, alike))


def _probed_changes(zone: ZoneInfo, year: int) -> tuple[ClockChange, ...]:
    """Return the changes found by comparing the offset of each day with the day before, then bisecting."""
    start = datetime(year, 1, 1, tzinfo=UTC) - _SECOND
    end = datetime(year + 1, 1, 1, tzinfo=UTC) - _SECOND
    probes = [(utc, _offset(zone, utc)) for utc in (start + day * _DAY for day in range((end - start).days + 1))]
    return tuple(
        ClockChange(_seam(zone, earlier, later).replace(tzinfo=None), before, after)
        for (earlier, before), (later, after) in pairwise(probes)
        if before != after
    )


def resolve(wall: datetime, zone: ZoneInfo, policy: DstPolicy) -> datetime | None:
    """Return the instant (aware UTC) of a naive wall-clock time, or None if the policy skips its gap.

    `fold="both"` means `first` here, because the result is a single instant.
    """
    for stretch in _around(wall, zone, policy):
        if stretch.lo <= wall < stretch.hi:
            return (wall - stretch.offset).replace(tzinfo=UTC)
        if stretch.gap and stretch.gap[0] <= wall < stretch.gap[1]:
            return stretch.start.replace(tzinfo=UTC)
    return None


def _around(wall: datetime, zone: ZoneInfo, policy: DstPolicy) -> Iterator[Stretch]:
    # An offset is less than a day, so the UTC year of a wall-clock time is that of its own date or of a neighbouring
    # day.
    for year in range((wall - _DAY).year, (wall + _DAY).year + 1):
        yield from stretches(zone, year, policy)


def _stretch(
    zone: ZoneInfo, year: int, seam: tuple[ClockChange | None, ClockChange | None], policy: DstPolicy
) -> Stretch:
    opening, closing = seam
    start = opening.utc if opening else datetime(year - 1, 1, 1)  # noqa: DTZ001 (naive UTC)
    end = closing.utc if closing else datetime(year + 2, 1, 1)  # noqa: DTZ001 (naive UTC)
    offset = opening.after if opening else _offset(zone, start.replace(tzinfo=UTC))
    lo, hi = start + offset, end + offset
    gap = opening.window if opening and opening.is_gap and policy.gap == "run_after" else None
    if opening and not opening.is_gap and policy.fold == "first":
        lo = min(opening.window[1], hi)
    if closing and not closing.is_gap and policy.fold == "second":
        hi = max(closing.window[0], lo)
    return Stretch(start, end, offset, lo, hi, gap)


def _cut(stretch: Stretch, start: datetime, end: datetime) -> Stretch:
    return Stretch(
        start=max(stretch.start, start),
        end=min(stretch.end, end),
        offset=stretch.offset,
        lo=max(stretch.lo, start + stretch.offset),
        hi=min(stretch.hi, end + stretch.offset),
        gap=stretch.gap if stretch.start >= start else None,
    )


def _seam(zone: ZoneInfo, earlier: datetime, later: datetime) -> datetime:
    """Return the first second with an offset other than that of `earlier`."""
    before = _offset(zone, earlier)
    while later - earlier > _SECOND:
        middle = earlier + (later - earlier) // 2 // _SECOND * _SECOND
        if _offset(zone, middle) == before:
            earlier = middle
        else:
            later = middle
    return later


def _offset(zone: ZoneInfo, utc: datetime) -> timedelta:
    offset = utc.astimezone(zone).utcoffset()
    if offset is None:  # pragma: no cover - ZoneInfo always knows; the type of tzinfo does not
        raise ValueError(zone)
    return offset


def _calendar(year: int) -> tuple[bool, bool, int]:
    """Return the properties of a year that determine its clock changes under a POSIX TZ rule.

    Such a rule (POSIX, chapter 8.3, TZ) names a day by number, or by week and weekday. The length of the year and its
    first weekday determine the date. The length of the year before determines what reaches across New Year.
    """
    return isleap(year - 1), isleap(year), date(year, 1, 1).weekday()


# The IANA database lists single changes until 2086 (Gaza); after that, each zone follows a rule. Every combination of
# year length and first weekday occurs within 28 years that contain no century exception.
_AFTER_ALIKE = 2233
_ALIKE = {_calendar(year): year for year in range(_AFTER_ALIKE - 28, _AFTER_ALIKE)}
