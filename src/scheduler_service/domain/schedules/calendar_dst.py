"""Where wall-clock time becomes instants: the one place that knows of daylight saving time.

A zone's year is cut into stretches of constant offset. Within a stretch, wall clock and UTC differ by a constant, so a
schedule counts and searches plain wall-clock time there; what happens at the seams is the job's choice, and is laid
into the stretches' bounds once. In this module naive datetimes are UTC or wall clock, as their names say.
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

FIRST_YEAR, LAST_YEAR = 1900, 9990  # clear of datetime's own ends, where adding an offset overflows

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)

Gap = Literal["run_after", "skip"]
Fold = Literal["first", "second", "both"]


@dataclass(frozen=True, slots=True)
class DstPolicy:
    """What becomes of fixed times that a change removes (`gap`) or repeats (`fold`); by default Debian cron's rule.

    gap: `run_after` fires once, right at the end of the gap; `skip` does not fire. fold: the `first`, the `second` or
    `both` of the two instants that read the same on the clock.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    gap: Gap = "run_after"
    fold: Fold = "first"


ELAPSED = DstPolicy(gap="skip", fold="both")
"""Every wall-clock time as often as it happens: the rule for wildcard jobs, which follow elapsed time."""


@dataclass(frozen=True, slots=True)
class ClockChange:
    """A zone's offset changes from `before` to `after` at `utc`."""

    utc: datetime
    before: timedelta
    after: timedelta

    @property
    def is_gap(self) -> bool:
        """Whether the clock jumps forward, so that the times of `window` do not exist; else they happen twice."""
        return self.after > self.before

    @property
    def window(self) -> tuple[datetime, datetime]:
        """The wall-clock times that do not exist or happen twice: from the first, up to but without the second."""
        seam = sorted((self.before, self.after))
        return self.utc + seam[0], self.utc + seam[1]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A span of constant offset: the instants `wall - offset` of the wall-clock times `lo` ≤ wall < `hi`.

    Where `gap` is set, a fixed time within that window of wall-clock time (which do not exist) fires at `start`.
    """

    start: datetime
    end: datetime
    offset: timedelta
    lo: datetime
    hi: datetime
    gap: tuple[datetime, datetime] | None


@lru_cache(maxsize=8192)
def stretches(zone: ZoneInfo, year: int, policy: DstPolicy) -> tuple[Stretch, ...]:
    """Cut a year of UTC into its stretches, in order, without hole or overlap. No wall-clock time is cut off twice."""
    # The neighbouring years come first and are cut away last, since a fold may reach across New Year.
    changes = [change for near in (year - 1, year, year + 1) for change in clock_changes(zone, near)]
    seams = [None, *changes, None]
    whole = (_stretch(zone, year, seam, policy) for seam in pairwise(seams))
    start, end = datetime(year, 1, 1), datetime(year + 1, 1, 1)  # noqa: DTZ001 (naive UTC)
    return tuple(_cut(stretch, start, end) for stretch in whole if stretch.start < end and stretch.end > start)


@lru_cache(maxsize=8192)
def clock_changes(zone: ZoneInfo, year: int) -> tuple[ClockChange, ...]:
    """Find the changes of a zone's offset within a year of UTC."""
    if year < _AFTER_ALIKE:
        return _probed_changes(zone, year)
    alike = _ALIKE[_calendar(year)]
    shift = datetime(year, 1, 1) - datetime(alike, 1, 1)  # noqa: DTZ001 (naive UTC)
    return tuple(ClockChange(change.utc + shift, change.before, change.after) for change in clock_changes(zone, alike))


def _probed_changes(zone: ZoneInfo, year: int) -> tuple[ClockChange, ...]:
    """Probe each day, and bisect where the offset differs from that of the day before."""
    start = datetime(year, 1, 1, tzinfo=UTC) - _SECOND
    end = datetime(year + 1, 1, 1, tzinfo=UTC) - _SECOND
    probes = [(utc, _offset(zone, utc)) for utc in (start + day * _DAY for day in range((end - start).days + 1))]
    return tuple(
        ClockChange(_seam(zone, earlier, later).replace(tzinfo=None), before, after)
        for (earlier, before), (later, after) in pairwise(probes)
        if before != after
    )


def resolve(wall: datetime, zone: ZoneInfo, policy: DstPolicy) -> datetime | None:
    """Turn one naive wall-clock time into its instant, aware UTC; None if the policy skips the gap it falls in.

    Fold `both` makes no sense for a single instant and means `first`.
    """
    for stretch in _around(wall, zone, policy):
        if stretch.lo <= wall < stretch.hi:
            return (wall - stretch.offset).replace(tzinfo=UTC)
        if stretch.gap and stretch.gap[0] <= wall < stretch.gap[1]:
            return stretch.start.replace(tzinfo=UTC)
    return None


def _around(wall: datetime, zone: ZoneInfo, policy: DstPolicy) -> Iterator[Stretch]:
    # An offset is less than a day, so a wall-clock time lies in the UTC year of its own date or of a neighbouring day.
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
    """Find the first second from which the offset is no longer that of `earlier`."""
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
    """Return all that a zone's rule can tell of a year.

    It names days by their number, or by week and weekday (POSIX, chapter 8.3, TZ): the year's length and first weekday
    say which. The length of the year before says what reaches across New Year.
    """
    return isleap(year - 1), isleap(year), date(year, 1, 1).weekday()


# The changes that the IANA database lists one by one end long before (in 2086, in Gaza); what follows is each zone's
# rule. In 28 years without the exception of a century every calendar comes about.
_AFTER_ALIKE = 2233
_ALIKE = {_calendar(year): year for year in range(_AFTER_ALIKE - 28, _AFTER_ALIKE)}
