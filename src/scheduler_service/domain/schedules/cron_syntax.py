"""Checks a cron pattern field by field, so that an error names the wrong field and the remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cronsim import CronSimError
from cronsim.cronsim import Field

from scheduler_service.domain.schedules.cron_fields import CronFields
from scheduler_service.domain.schedules.invalid_schedule import invalid_schedule

ALIASES = {
    "@HOURLY": "0 * * * *",
    "@DAILY": "0 0 * * *",
    "@MIDNIGHT": "0 0 * * *",
    "@WEEKLY": "0 0 * * 0",
    "@MONTHLY": "0 0 1 * *",
    "@YEARLY": "0 0 1 1 *",
    "@ANNUALLY": "0 0 1 1 *",
}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A checked pattern. `is_fixed` follows Debian's cron(8): neither minute nor hour starts with `*`."""

    expr: str
    fields: CronFields
    is_fixed: bool


def read_pattern(text: str) -> Pattern:
    """Return the pattern of five or six fields or an alias.

    Raise `InvalidInputError` on `schedule_expr`; the message names the cron field.
    """
    parts = _unalias(text).split()
    if len(parts) not in {5, 6}:
        raise invalid_schedule(text, _count_problem(parts))
    for syntax, part in zip(_FIELDS[-len(parts) :], parts, strict=True):
        if problem := _problem(syntax, part.upper()):
            raise invalid_schedule(text, f"{syntax.name} field {part!r}: {problem}")
    return _checked(" ".join(parts).upper(), text)


@lru_cache(maxsize=8192)
def _checked(expr: str, text: str) -> Pattern:
    fields = _fields(expr)
    # Fifty years contain every combination of date and weekday, including 29 February.
    if fields is None or fields.first_in(datetime(2000, 1, 1), datetime(2050, 1, 1)) is None:  # noqa: DTZ001 (wall clock)
        raise invalid_schedule(
            text, "no date matches its day and month fields, so it would never fire; change one of them"
        )
    minute, hour = expr.split()[-5:-3]
    return Pattern(expr, fields, is_fixed=not (minute.startswith("*") or hour.startswith("*")))


def _fields(expr: str) -> CronFields | None:
    try:
        return CronFields.read(expr)
    except CronSimError:  # every field is valid alone, so the day exists in no month
        return None


def _unalias(text: str) -> str:
    if not text.startswith("@"):
        return text
    if text.upper() == "@REBOOT":
        raise invalid_schedule(text, "@reboot is not supported; write a time, such as @daily or 5m")
    word, _, interval = text.partition(" ")
    if word.upper() == "@EVERY":
        raise invalid_schedule(text, f"an interval needs no prefix; write {interval or '5m'}")
    if (expr := ALIASES.get(text.upper())) is None:
        raise invalid_schedule(text, f"unknown alias; write one of {', '.join(ALIASES).lower()}")
    return expr


def _count_problem(parts: list[str]) -> str:
    problem = f"a cron pattern has 5 fields, or 6 with seconds first, and this has {len(parts)}"
    return f"{problem}; write minute hour day-of-month month day-of-week, such as */10 * * * *"


@dataclass(frozen=True, slots=True)
class _FieldSyntax:
    field: Field
    name: str
    lowest: int
    highest: int
    extras: str = ""
    special: str = r"(?!)"  # matches nothing

    def has(self, number: int) -> bool:
        """Return whether a number is a value of the field."""
        return self.lowest <= number <= self.highest

    @property
    def allowed(self) -> str:
        """Return a description of the accepted values."""
        span = f"{self.lowest}-{self.highest}"
        return f"write {span}{self.extras}, * for all, lists (1,2), ranges (1-3) or steps (*/2)"


_FIELDS = (
    _FieldSyntax(Field.SECOND, "second", 0, 59),
    _FieldSyntax(Field.MINUTE, "minute", 0, 59),
    _FieldSyntax(Field.HOUR, "hour", 0, 23),
    _FieldSyntax(Field.DAY, "day-of-month", 1, 31, " or L (last day) or LW (last weekday)", r"LW?"),
    _FieldSyntax(Field.MONTH, "month", 1, 12, " or JAN-DEC"),
    _FieldSyntax(
        Field.DOW, "day-of-week", 0, 7, " or SUN-SAT, MON#2 (second Monday), 5L (last Friday)", r"\w{1,3}#\d|\dL"
    ),
)
_TERM = re.compile(r"(?:\*|(?:[A-Z]{3}|\d{1,2})(?:-(?:[A-Z]{3}|\d{1,2}))?)(?:/(?P<step>\d{1,6}))?", re.ASCII)
_MAX_DIGITS = 2
_NEAREST_WEEKDAY = re.compile(r"\d+W|W\d*", re.ASCII)


@lru_cache(maxsize=8192)
def _problem(syntax: _FieldSyntax, part: str) -> str | None:
    for term in part.split(","):
        if term == "*" or (term.isdigit() and len(term) <= _MAX_DIGITS and syntax.has(int(term))):
            continue
        if problem := _term_problem(syntax, term):
            return problem
    return None


def _term_problem(syntax: _FieldSyntax, term: str) -> str | None:
    if re.fullmatch(syntax.special, term, re.ASCII):
        return _value_problem(syntax, term)
    if term == "?":
        return "? is not supported; write * for any"
    if syntax.field is Field.DAY and _NEAREST_WEEKDAY.fullmatch(term):
        return "the nearest weekday (W) is not supported; write a day, or LW for the last weekday of the month"
    match = _TERM.fullmatch(term)
    if match is None:
        return syntax.allowed
    return _step_problem(syntax, match["step"]) or _value_problem(syntax, term)


def _step_problem(syntax: _FieldSyntax, step: str | None) -> str | None:
    if step is None:
        return None
    if int(step) == 0:
        return "a step must be at least 1; write 1 or more"
    if int(step) > (most := syntax.highest + 1 - max(syntax.lowest, syntax.field is Field.DOW)):
        remedy = "steps restart with each round of the field; for other spans write an interval, such as 90m"
        return f"a step of {step} leaves the field, which has {most} values; {remedy}"
    return None


def _value_problem(syntax: _FieldSyntax, term: str) -> str | None:
    try:
        syntax.field.parse(term)
    except CronSimError:
        start, dash, end = term.partition("/")[0].partition("-")
        if dash and _value_problem(syntax, start) is _value_problem(syntax, end) is None:
            return f"a range cannot run backwards; write two, such as {start}-{syntax.highest},{syntax.lowest}-{end}"
        return syntax.allowed
    return None
