"""Suggests a valid expression for schedules in words or in the syntax of other schedulers.

These texts are still refused. A wrong suggestion costs the reader a second; a schedule guessed wrongly runs a job at
the wrong time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from scheduler_service.domain.schedules.cron_syntax import read_pattern
from scheduler_service.domain.schedules.interval import read_interval
from scheduler_service.errors import InvalidInputError


def remedy_for(text: str) -> str | None:
    """Return what to write instead of `text`, such as `write 5m or */5 * * * *`, or None."""
    if _MONTHS.search(text):
        return None
    words = " ".join(text.lower().replace(",", " ").split())
    if rate := _RATE.fullmatch(words):
        words = rate[1]
    return _interval(words) or _calendar(words) or _of_aws(text) or _of_quartz(text.split())


def _interval(words: str) -> str | None:
    """Return a remedy for `every 5 minutes`, `5 minutes`, `2 hours 30 minutes` and `every hour`."""
    words, is_repeated = _without(words, "every ", "each ")
    words = _NUMBER_WORD.sub(lambda match: _NUMBERS[match[0]], words)
    if is_repeated and words in _UNITS:
        words = f"1 {words}"
    if not _SPAN.fullmatch(words):
        return None
    parts = [(int(number), _UNITS[unit]) for number, unit in _PART.findall(words)]
    span = "".join(f"{number}{unit}" for number, unit in parts)
    try:
        read_interval(span)
    except InvalidInputError:
        return None
    pattern = _pattern_of(*parts[0]) if len(parts) == 1 else None
    return f"write {span} or {pattern}" if pattern else f"write {span}"


def _pattern_of(number: int, unit: str) -> str | None:
    """Return the cron pattern of a span that divides its cycle: 5 minutes do, 7 minutes do not."""
    length, pattern = _CYCLES.get(unit, (0, ""))
    if not length or length % number:
        return None
    return pattern.format("*" if number == 1 else f"*/{number}") if number < length else None


def _calendar(words: str) -> str | None:
    """Return a remedy for `every day at 9`, `daily at 09:00`, `weekdays at 8:30 am`, `midnight` and `hourly`."""
    words, _ = _without(words, "every ", "each ", "@", "on ")
    if (match := _TIME.search(words)) is None:
        return f"write {_DAYS[words]}" if words in _DAYS else None
    day = " ".join(f"{words[: match.start()]} {words[match.end() :]}".split())
    day, _ = _without(day, "every ", "each ", "on ")
    fields = _DAYS.get(day or "daily", "").split()
    time = _time_of(match)
    if len(fields) < _FIELDS or time is None or fields[1] == "*":
        return None
    hour, minute = time
    return f"write {' '.join([str(minute), str(hour), *fields[2:]])}"


def _time_of(match: re.Match[str]) -> tuple[int, int] | None:
    if match["name"]:
        return (12 if match["name"] == "noon" else 0), 0
    hour, minute, half = int(match["hour"]), int(match["minute"] or 0), match["half"]
    if half:
        hour = hour % 12 + 12 * (half[0] == "p")
    return (hour, minute) if hour < 24 and minute < 60 else None  # noqa: PLR2004 (a day's hours, an hour's minutes)


def _of_aws(text: str) -> str | None:
    """Return a remedy for `cron(0 12 * * ? *)` of Amazon EventBridge: minutes first, the year last."""
    match = _AWS.fullmatch(text)
    parts = match[1].split() if match else []
    return _without_year(parts[:5], parts[5:]) if len(parts) == len(_WITH_YEAR) else None


def _of_quartz(parts: Sequence[str]) -> str | None:
    """Return a remedy for the 6 or 7 fields of Quartz: seconds first, `?` for any day, an optional year last."""
    if len(parts) not in _QUARTZ or (len(parts) == _QUARTZ[0] and "?" not in parts):
        return None
    seconds = [] if parts[0] == "0" else [parts[0]]
    return _without_year([*seconds, *parts[1:6]], parts[6:])


def _without_year(fields: Sequence[str], year: Sequence[str]) -> str | None:
    *others, weekday = ["*" if field == "?" else field for field in fields]
    pattern = " ".join([*others, _WEEKDAY_NUMBER.sub(lambda match: _WEEKDAYS[int(match[1]) - 1], weekday)])
    try:
        read_pattern(pattern)
    except InvalidInputError:
        return None
    bounds = f", and the year {year[0]} into start_at and end_at" if year and year[0] not in {"*", "?"} else ""
    return f"a pattern has no ? and no year here; write {pattern}{bounds}"


def _without(words: str, *prefixes: str) -> tuple[str, bool]:
    for prefix in prefixes:
        if words.startswith(prefix):
            return words.removeprefix(prefix), True
    return words, False


_FIELDS = 5
_MONTHS = re.compile(r"\dM")  # ambiguous: months or minutes
_RATE = re.compile(r"rate\(([^()]*)\)")
_AWS = re.compile(r"cron\(([^()]*)\)", re.IGNORECASE)
_WITH_YEAR = ("minute", "hour", "day", "month", "weekday", "year")
_QUARTZ = (6, 7)
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")  # Quartz numbers them from 1
_WEEKDAY_NUMBER = re.compile(r"(?<![#/\d])([1-7])(?![\d])")
_UNIT_WORDS = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
    "w": ("w", "wk", "wks", "week", "weeks"),
}
_UNITS = {word: unit for unit, words in _UNIT_WORDS.items() for word in words}
_UNIT = "|".join(sorted(_UNITS, key=len, reverse=True))
_PART = re.compile(rf"(\d{{1,6}}) ?({_UNIT})")
_SPAN = re.compile(rf"\d{{1,6}} ?(?:{_UNIT})(?:(?: | and )?\d{{1,6}} ?(?:{_UNIT}))*")
_NUMBERS = {
    "other": "2", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9", "ten": "10", "twelve": "12", "fifteen": "15", "twenty": "20", "thirty": "30",
    "forty-five": "45", "sixty": "60", "a": "1", "an": "1",
}  # fmt: skip
_NUMBER_WORD = re.compile(rf"^(?:{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})(?= )")
# For each unit: how many make up the next larger one, and the pattern of a step.
_CYCLES = {
    "s": (60, "{} * * * * *"),
    "m": (60, "{} * * * *"),
    "h": (24, "0 {} * * *"),
    "d": (2, "0 0 {} * *"),
    "w": (2, "0 0 * * 0"),
}
_TIME = re.compile(
    r"(?:\bat )?(?:(?P<name>noon|midnight)|(?<![\w:])(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::\d{2})?)?"
    r" ?(?P<half>am|pm|a\.m\.|p\.m\.)?(?: o'clock| h| uhr)?)(?![\w:])"
)
_DAY_NAMES = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_DAYS = {
    "minute": "* * * * *", "minutely": "* * * * *",
    "hour": "@hourly", "hourly": "@hourly",
    "day": "0 0 * * *", "daily": "0 0 * * *", "night": "0 0 * * *", "nightly": "0 0 * * *",
    "week": "0 0 * * 0", "weekly": "0 0 * * 0",
    "month": "0 0 1 * *", "monthly": "0 0 1 * *", "first of the month": "0 0 1 * *",
    "first day of the month": "0 0 1 * *", "last day of the month": "0 0 L * *",
    "quarter": "0 0 1 */3 *", "quarterly": "0 0 1 */3 *",
    "year": "0 0 1 1 *", "yearly": "0 0 1 1 *", "annually": "0 0 1 1 *",
    "weekday": "0 0 * * MON-FRI", "weekdays": "0 0 * * MON-FRI", "workday": "0 0 * * MON-FRI",
    "working day": "0 0 * * MON-FRI", "business day": "0 0 * * MON-FRI",
    "weekend": "0 0 * * SAT,SUN", "weekends": "0 0 * * SAT,SUN",
    **{form: f"0 0 * * {name[:3].upper()}" for name in _DAY_NAMES for form in (name, f"{name}s", name[:3])},
}  # fmt: skip
