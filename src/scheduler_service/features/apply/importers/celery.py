"""Imports the beat schedule of a Celery application, from its source, which is read and never executed.

Theory of operation. Each entry sends a task; the job does the same with `celery call`. Beat sends in parallel, and
after an outage once, which is `overlap_policy: allow` and `misfire_policy: fire_once`. All fields of `crontab(…)` must
match. A cron pattern with days and weekdays matches either, unless one begins with a star; so of other pairs only "the
n-th weekday" can be imported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.schedule import parse
from scheduler_service.errors import InvalidInputError
from scheduler_service.features.apply.importers.celery_source import Call, read_settings
from scheduler_service.features.apply.importers.imported import SANDBOX, Document, Imported, Options, refuse, unread
from scheduler_service.features.apply.importers.moments import ANCHOR

_SCHEDULES = ("beat_schedule", "CELERY_BEAT_SCHEDULE", "CELERYBEAT_SCHEDULE")
_ZONES = ("timezone", "CELERY_TIMEZONE", "CELERY_TIME_ZONE")
_CRON_FIELDS = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year")  # in the order of Celery
_LONG_NAME = re.compile(r"[A-Za-z]{4,}")
_WEEKS = {f"{first}-{first + 6}": number for number, first in enumerate((1, 8, 15, 22), start=1)}
_OPTIONS = {"queue": "--queue", "exchange": "--exchange", "routing_key": "--routing-key"}
_APP = "app"


def import_beat_schedule(text: str, _name: str, options: Options) -> Imported:
    """Return the jobs of a beat schedule. Raise `InvalidInputError` if the source has none."""
    settings = read_settings(text, (*_SCHEDULES, *_ZONES))
    schedule = next((settings[name] for name in _SCHEDULES if isinstance(settings.get(name), dict)), None)
    if schedule is None:
        raise refuse(f"assigns no dictionary to {_SCHEDULES[0]}, {_SCHEDULES[1]} or {_SCHEDULES[2]}")
    zone = next((settings[name] for name in _ZONES if isinstance(settings.get(name), str)), options.timezone)
    found = Imported()
    found.note("", SANDBOX)
    found.note("", "each job needs the program `celery`, the code of the application, and the network of the broker")
    if options.app is None:
        found.note("", f"the application is called {_APP!r} in the commands; --app names another one")
    for name, entry in schedule.items():
        _add(found, str(name), entry, zone, options.app or _APP)
    return found


def _add(found: Imported, name: str, entry: object, zone: str | None, app: str) -> None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("task"), str):
        found.note(name, "not imported: its task is no text in the source")
        return
    try:
        schedule_expr = _schedule(found, name, entry.get("schedule"))
    except InvalidInputError as error:
        found.note(name, f"not imported: {'; '.join(problem.message for problem in error.problems)}")
        return
    document: Document = {"name": name, "schedule_expr": schedule_expr}
    if zone is not None and isinstance(entry.get("schedule"), Call):
        document["timezone"] = zone
    document["payload"] = {"type": "program", "argv": _command(found, name, entry, app)}
    document |= {"overlap_policy": "allow", "limits": {"network": True}}
    if entry.get("relative"):
        found.note(name, "relative is not imported: an interval counts from the creation of the job")
    found.note(name, *unread(map(str, entry), {"task", "schedule", "args", "kwargs", "options", "relative"}))
    found.add(name, document)


def _schedule(found: Imported, name: str, schedule: object) -> str | None:
    """Return the schedule of an entry; None: it has no counterpart and runs on demand."""
    if isinstance(schedule, Call) and schedule.name == "schedule":
        schedule = schedule.argument(0, "run_every")
    if isinstance(schedule, int | float) and not isinstance(schedule, bool):
        schedule = timedelta(seconds=schedule)
    if isinstance(schedule, timedelta):
        return _interval(found, name, schedule)
    if isinstance(schedule, Call) and schedule.name == "crontab":
        return _cron(schedule)
    if isinstance(schedule, Call) and schedule.name == "solar":
        found.note(name, "solar(…) has no counterpart: the sun moves; the job runs only on demand")
        return None
    raise refuse("its schedule is no crontab(…), timedelta(…), schedule(…), solar(…) or number in the source")


def _interval(found: Imported, name: str, every: timedelta) -> str:
    if every < timedelta(seconds=1) or every % timedelta(seconds=1):
        raise refuse(f"the interval {every.total_seconds():g} s is no number of whole seconds")
    found.note(name, "the interval counts from the creation of the job; in Celery from the last run")
    return f"{every // timedelta(seconds=1)}s"


def _cron(schedule: Call) -> str:
    given = {field: _field(schedule.argument(place, field)) for place, field in enumerate(_CRON_FIELDS)}
    if not set(schedule.named) <= {*_CRON_FIELDS, "app", "nowfun"}:
        raise refuse("its crontab(…) has arguments that are not known")
    day, weekday = given["day_of_month"], _LONG_NAME.sub(lambda name: name[0][:3], given["day_of_week"])
    if not (day.startswith("*") or weekday.startswith("*")):
        if day not in _WEEKS or not weekday.isalnum():
            raise refuse("its crontab(…) needs a day and a weekday at once, which a cron pattern cannot say")
        day, weekday = "*", f"{weekday}#{_WEEKS[day]}"
    month = _LONG_NAME.sub(lambda name: name[0][:3], given["month_of_year"])
    pattern = f"{given['minute']} {given['hour']} {day} {month} {weekday}"
    parse(pattern, timezone="UTC", dst=DstPolicy(), anchor_at=ANCHOR)
    return pattern


def _field(value: object) -> str:
    """Return a field of `crontab(…)` as one of a pattern: numbers, texts, and lists of them."""
    if value is None:
        return "*"
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(sorted((_field(each) for each in value), key=lambda text: (len(text), text)))
    if isinstance(value, int | str) and not isinstance(value, bool):
        return "".join(str(value).split())
    raise refuse("a field of its crontab(…) is no number or text in the source")


def _command(found: Imported, name: str, entry: Mapping[str, Any], app: str) -> list[str]:
    argv = ["celery", "--app", app, "call", entry["task"]]
    for key in ("args", "kwargs"):
        if (value := entry.get(key)) is not None:
            if not _is_plain(value):
                found.note(name, f"{key} are no plain values in the source; write them into payload.argv")
            else:
                argv += [f"--{key}", json.dumps(value)]
    wanted = entry.get("options")
    for option, value in (wanted if isinstance(wanted, Mapping) else {}).items():
        if option in _OPTIONS:
            argv += [_OPTIONS[option], str(value)]
        elif option == "expires" and isinstance(value, int | float):
            argv += ["--expires", str(value)]
        else:
            found.note(name, f"options.{option} is not imported")
    return argv


def _is_plain(value: object) -> bool:
    """Return whether a value is the same in JSON, and nothing in it is known to the program alone."""
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_plain(member) for name, member in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float)
