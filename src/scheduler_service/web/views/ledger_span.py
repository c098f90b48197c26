"""Which time the ledger shows, and how finely: instants, hours or days, whichever fits into MAX_CELLS cells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler_service.domain.hours import HOUR, hour_of

MAX_CELLS = 400
FEW_INSTANTS = 100
"""A job with at most so many instants in the window is shown by instants."""
SHORT_HOURS = 2
"""The window of an hour, with the hour that has begun."""
INSTANTS, HOURS, DAYS = "instants", "hours", "days"
DENSITIES = (INSTANTS, HOURS, DAYS)
_DAY = timedelta(days=1)
WINDOWS = {
    "1h": HOUR, "6h": 6 * HOUR, "24h": 24 * HOUR, "7d": 7 * _DAY, "14d": 14 * _DAY, "30d": 30 * _DAY, "90d": 90 * _DAY,
    "365d": 365 * _DAY,
}  # fmt: skip
DEFAULT_WINDOW = "7d"
_WHOLE_DAYS_FROM = 7 * _DAY


@dataclass(frozen=True, slots=True)
class Choice:
    """How the cells are chosen. `refused` are the densities that do not fit, each with the reason: a key of texts.

    `is_refused`: the address asks for one of them.
    """

    by: str
    refused: dict[str, str]
    is_refused: bool


def span_of(window: str, until: datetime | None, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the beginning and the end of a window. Days are whole days of the zone, and tomorrow follows them.

    A window of hours ends with the current hour. With `until`, both have the same length and end there.
    """
    length = WINDOWS[window]
    if length < _WHOLE_DAYS_FROM:
        end = _ceil(now if until is None else until)
        return end - length - HOUR, end
    after = now + _DAY if until is None else until - timedelta.resolution
    last = after.astimezone(zone).date()
    return whole_days(last - length, last, zone)


def choose(wanted: str | None, hours: int, instants: int, *, of_job: bool) -> Choice:
    """Return the wanted density, or one that fits. `instants` counts those of the window.

    Instants of all jobs are many, and their lines follow no schedule: they are shown for few hours only.
    """
    refused = {}
    if not of_job and hours > SHORT_HOURS:
        refused[INSTANTS] = "of_all"
    if hours > MAX_CELLS:
        refused[HOURS] = "too_many"
    if hours < WINDOWS["24h"] // HOUR:
        refused[DAYS] = "too_short"
    if wanted in DENSITIES and wanted not in refused:
        return Choice(str(wanted), refused, is_refused=False)
    is_short = hours <= SHORT_HOURS
    is_few = instants > 0 and (is_short or instants <= FEW_INSTANTS)
    by = INSTANTS if is_few and INSTANTS not in refused else DAYS if HOURS in refused else HOURS
    return Choice(by, refused, is_refused=wanted in refused)


def whole_days(first: date, last: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the beginning of the first day and the end of the last, each in the next full hour of UTC."""
    return _ceil(midnight(first, zone)), _ceil(midnight(last + _DAY, zone))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the beginning of a day of a zone, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(ZoneInfo("UTC"))


def _ceil(instant: datetime) -> datetime:
    """Return the first full hour of UTC from an instant on: cells of hours are hours of UTC in every zone."""
    return hour_of(instant - timedelta.resolution) + HOUR
