"""Imports crontabs: those of users, and those of the system with a user in each line.

Theory of operation. Cron starts every run on time, in parallel if need be, and never later. A job therefore gets
`overlap_policy: allow` and `misfire_policy: skip`. The schedules mean the same (crontab(5), `*` rule included). A line
is converted with the environment lines above it; what has no counterpart is a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.cron_syntax import ALIASES
from scheduler_service.domain.schedules.schedule import parse
from scheduler_service.errors import InvalidInputError
from scheduler_service.features.apply.importers.imported import SANDBOX, Document, Imported, Options, refuse, slug
from scheduler_service.features.apply.importers.moments import ANCHOR, ANY_TIME

_SETTING = re.compile(r"""\s*(?P<name>[A-Za-z_]\w*|"[^"]+"|'[^']+')\s*=\s*(?P<value>.*?)\s*""")
_ENTRY = re.compile(r"(?P<quiet>-?)(?P<schedule>@\w+|\S+(?:\s+\S+){4})\s+(?P<rest>.+)", re.DOTALL)
_USER = re.compile(r"[a-z_][a-z0-9_.-]*\$?")
_USERS = frozenset({"root", "www-data", "nobody", "daemon", "munin", "postgres", "mysql"})
# Users that are programs as well: a path or a test follows them in a crontab of the system.
_USERS_BEFORE_PATHS = frozenset({"mail", "list", "news", "backup"})
_RANDOM = re.compile(r"(\d*)~(\d*)")
_PERCENT = re.compile(r"\\%|%")
_MAX_JITTER_MINUTES = 60
_SPECIAL = {
    "MAILTO": "MAILTO={}: no mail is sent; create an alert rule with an email channel",
    "MAILFROM": "MAILFROM={}: no mail is sent",
    "HOME": "HOME={}: the home of a run is its private directory",
    "LOGNAME": "LOGNAME={}: runs have no user of this name",
    "USER": "USER={}: runs have no user of this name",
    "RANDOM_DELAY": "RANDOM_DELAY={}: not imported; set jitter_seconds",
}


@dataclass(slots=True)
class _Environment:
    """The settings above a line."""

    env: dict[str, str] = field(default_factory=dict)
    shell: str = "/bin/sh"
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    line: int
    schedule: str
    rest: str
    is_quiet: bool
    environment: _Environment


def import_crontab(text: str, name: str, options: Options) -> Imported:
    """Return the jobs of a crontab. `name` is that of the file and begins the keys of the jobs.

    Raise `InvalidInputError` if a line is neither a setting nor an entry.
    """
    found = Imported()
    entries = list(_entries(text, found))
    has_users = _has_users(entries) if options.has_user_field is None else options.has_user_field
    if entries:
        _note_all(found, options, has_users=has_users, is_guessed=options.has_user_field is None)
    for entry in entries:
        _add(found, entry, slug(name), options, has_users=has_users)
    return found


def _entries(text: str, found: Imported) -> Iterator[_Entry]:
    environment = _Environment()
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if setting := _SETTING.fullmatch(line):
            environment = _with(environment, setting["name"].strip("\"'"), _unquoted(setting["value"]), number, found)
        elif entry := _ENTRY.fullmatch(stripped):
            yield _Entry(number, entry["schedule"], entry["rest"], bool(entry["quiet"]), environment)
        else:
            raise refuse(f"line {number} is no crontab line: {stripped[:60]!r}; write five fields and a command")


def _with(environment: _Environment, name: str, value: str, number: int, found: Imported) -> _Environment:
    """Return the environment of the lines below a setting."""
    env, shell, zone = dict(environment.env), environment.shell, environment.zone
    if name == "SHELL":
        shell = value
    elif name == "CRON_TZ":
        zone = value
    elif name in _SPECIAL:
        found.note(f"line {number}", _SPECIAL[name].format(value))
    else:
        env[name] = value
        if name == "TZ":
            found.note(f"line {number}", "TZ is a variable of the command; most crons do not read the schedule in it")
    return _Environment(env, shell, zone)


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if is_quoted else value


def _has_users(entries: list[_Entry]) -> bool:
    """Return whether the sixth words of all lines can be users, of which one is well known."""
    words = [entry.rest.split(None, 2) for entry in entries]
    return all(len(each) > 1 and _USER.fullmatch(each[0]) for each in words) and any(map(_begins_with_user, words))


def _begins_with_user(words: list[str]) -> bool:
    return words[0] in _USERS or (words[0] in _USERS_BEFORE_PATHS and words[1][0] in "/[")


def _note_all(found: Imported, options: Options, *, has_users: bool, is_guessed: bool) -> None:
    found.note("", SANDBOX)
    found.note("", "output is kept as the log of the run, and is not mailed")
    if is_guessed:
        kind, other = ("has", "--no-user-field") if has_users else ("has no", "--user-field")
        found.note("", f"read as a crontab that {kind} a user in each line; {other} reads it the other way")
    if options.timezone is None:
        found.note("", "cron reads times in the zone of its host; here it is UTC, unless --timezone names another")


def _add(found: Imported, entry: _Entry, prefix: str, options: Options, *, has_users: bool) -> None:
    about = f"line {entry.line}"
    command = entry.rest
    if has_users:
        user, command = [*entry.rest.split(None, 1), ""][:2]
        found.note(about, f"ran as {user}; runs have no access to this user's files")
    if entry.is_quiet:
        found.note(about, "the minus sign, which turns the log of cron off, has no meaning here")
    document: Document = {"schedule_expr": None}
    if not _schedule(document, entry, found, about):
        return
    zone = entry.environment.zone or options.timezone
    if zone is not None:
        document["timezone"] = zone
    document["payload"] = {"type": "shell_script", "script": _script(entry.environment.shell, command)}
    if entry.environment.env:
        document["env"] = entry.environment.env
    found.add(f"{prefix}-{slug(_title(command))}", {**document, **ANY_TIME})


def _schedule(document: Document, entry: _Entry, found: Imported, about: str) -> bool:
    """Set the schedule of a job, and return whether there is one that the service can read."""
    schedule = " ".join(entry.schedule.split())
    if schedule.upper() == "@REBOOT":
        found.note(about, "@reboot has no counterpart; the job runs only on demand")
        return True
    schedule = ALIASES.get(schedule.upper(), schedule)
    if "~" in schedule:
        schedule = _without_random(document, schedule, found, about)
    try:
        parse(schedule, timezone="UTC", dst=DstPolicy(), anchor_at=ANCHOR)
    except InvalidInputError as error:
        found.note(about, f"not imported: {error}")
        return False
    document["schedule_expr"] = schedule
    return True


def _without_random(document: Document, schedule: str, found: Imported, about: str) -> str:
    """Return a schedule whose minute is not random: the jitter of the job is."""
    minute, *others = schedule.split(" ")
    match = _RANDOM.fullmatch(minute)
    if match is None:
        return schedule
    first, last = int(match[1] or 0), int(match[2] or _MAX_JITTER_MINUTES - 1)
    document["jitter_seconds"] = max(0, last - first) * 60
    found.note(about, f"the minute {minute} was random once for all runs; jitter_seconds is random for each")
    return " ".join([str(first), *others])


def _script(shell: str, command: str) -> str:
    """Return a script that runs a command as cron does: `%` ends it, and what follows is its standard input."""
    parts = [part.replace("\0", "%") for part in _PERCENT.sub(_mark, command).split("\1")]
    script = f"#!{shell}\n"
    if len(parts) > 1:
        script += "exec <<'END_OF_INPUT'\n" + "\n".join(parts[1:]) + "\nEND_OF_INPUT\n"
    return f"{script}{parts[0]}\n"


def _mark(found: re.Match[str]) -> str:
    return "\1" if found[0] == "%" else "\0"


def _title(command: str) -> str:
    """Return the words that name a command: those without options, paths shortened to their last parts."""
    words = [word.rsplit("/", 1)[-1] for word in command.split() if word[:1].isalnum() or word[:1] == "/"]
    return " ".join(words[:3]) or "job"
