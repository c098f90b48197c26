"""Warns about the effects of the clock changes of the next two years on a schedule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from scheduler_service.domain.schedules.calendar_dst import ClockChange, DstPolicy
from scheduler_service.domain.schedules.clock_effects import HORIZON, changes_between
from scheduler_service.domain.schedules.cron import Cron
from scheduler_service.domain.schedules.instant import Instant
from scheduler_service.domain.schedules.interval import Interval

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_DEFAULT = DstPolicy()


def clock_warnings(schedule: Cron | Interval | Instant, now: datetime, dst: DstPolicy) -> Iterator[str]:
    """Yield a warning for each kind of effect with all its dates, and one if `dst` has no effect."""
    match schedule:
        case Cron():
            yield from _cron_warnings(schedule, now)
        case Interval():
            yield from _interval_warnings(schedule, now, dst)
        case Instant(wall=datetime() as wall):
            for change in changes_between(schedule.zone, schedule.at - _DAY, schedule.at + _DAY):
                if change.window[0] <= wall < change.window[1]:
                    effect = _effect(change, schedule.dst, times=1, is_single=True)
                    yield f"On {wall:%Y-%m-%d} {wall:%H:%M:%S} in {schedule.zone.key} {effect}."


def _cron_warnings(cron: Cron, now: datetime) -> Iterator[str]:
    changes = list(changes_between(cron.zone, now, now + HORIZON))
    dates: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        if (touched := _touched(cron, change)) is not None:
            first, times, effect = touched
            dates.setdefault((times, effect), []).append(f"{first:%Y-%m-%d}")
    for (times, effect), days in dates.items():
        yield f"On {_listed(days)} {times} in {cron.zone.key} {effect}."
    if not cron.is_fixed and (dates or cron.dst != _DEFAULT):
        yield _without_effect(cron)
    elif cron.dst != _DEFAULT and not dates:
        yield f"dst has no effect: {_untouched(cron, changes)} within the next two years."


def _untouched(cron: Cron, changes: Sequence[ClockChange]) -> str:
    if changes:
        return f"no clock change in {cron.zone.key} removes or repeats a time of this pattern"
    return f"the clock in {cron.zone.key} does not change"


def _touched(cron: Cron, change: ClockChange) -> tuple[datetime, str, str] | None:
    """Return the first time that a change removes or repeats, all such times as text, and the effect, or None."""
    first = cron.fields.first_in(*change.window)
    if first is None or (not cron.is_fixed and _is_even(cron, change)):
        return None
    number, last = cron.fields.count_in(*change.window), cron.fields.last_in(*change.window) or first
    times = f"{first:%H:%M:%S}" if number == 1 else f"the {number} times from {first:%H:%M:%S} to {last:%H:%M:%S}"
    return first, times, _effect(change, cron.dst if cron.is_fixed else None, times=number)


def _is_even(cron: Cron, change: ClockChange) -> bool:
    """Return whether a pattern is so even that no clock change moves its instants.

    `0 * * * *` fires once in every elapsed hour, so a change does not affect it; `0 */2 * * *` is affected.
    """
    if len(cron.fields.hours) < _DAY // _HOUR:
        return False
    shift, minutes = change.window[1] - change.window[0], cron.fields.minutes
    step = 60 // len(minutes)
    is_even = 60 % len(minutes) == 0 and minutes == tuple(range(minutes[0], 60, step))
    return not shift % (step * _MINUTE if is_even else _HOUR)


def _without_effect(cron: Cron) -> str:
    minute, hour = cron.expr.split()[-5:-3]
    name, part, span = ("minute", minute, "0-59") if minute.startswith("*") else ("hour", hour, "0-23")
    return (
        f"dst has no effect on this pattern, which follows elapsed time because its {name} field starts with *; "
        f"to let dst decide, write {span}{part[1:]} in place of {part}."
    )


def _interval_warnings(interval: Interval, now: datetime, dst: DstPolicy) -> Iterator[str]:
    if interval.zone is not None and not interval.every % _DAY:
        for change in changes_between(interval.zone, now, now + HORIZON):
            yield (
                f"A day in an interval is 24 hours: from {change.window[0]:%Y-%m-%d} on, when the clock in "
                f"{interval.zone.key} changes, it fires at another time of day; "
                "for the same time each day, write a cron pattern."
            )
            break
    if dst != _DEFAULT:
        yield "dst has no effect on an interval, which counts elapsed time."


def _effect(change: ClockChange, dst: DstPolicy | None, *, times: int, is_single: bool = False) -> str:
    """Return the effect of a change on the times. `dst` None means that they follow elapsed time and ignore `dst`."""
    is_one = times == 1
    it, fires, does = ("it", "fires", "does") if is_one else ("they", "fire", "do")
    if change.is_gap:
        rule = f" (dst.gap is {dst.gap})" if dst else ""
        if dst is None or dst.gap == "skip":
            return f"{does} not exist: {it} {does} not fire then{rule}"
        return (
            f"{does} not exist: {it} {fires}{'' if is_one else ' once,'} at {change.window[1]:%H:%M:%S} instead{rule}"
        )
    happens = "happens" if is_one else "happen"
    if dst is None:
        return f"{happens} twice: {it} {fires} both times"
    when = {"first": "the first time", "second": "the second time", "both": "both times"}[dst.fold]
    if is_single and dst.fold == "both":
        when = "the first time, because it fires once"
    return f"{happens} twice: {it} {fires} {when} (dst.fold is {dst.fold})"


def _listed(days: Sequence[str]) -> str:
    return days[0] if len(days) == 1 else f"{', '.join(days[:-1])} and {days[-1]}"
