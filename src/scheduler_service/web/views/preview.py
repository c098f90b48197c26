"""What a definition would make: its next instants, what changes, and when a failing run gives up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scheduler_service.web.views.changes import Change, changes_in
from scheduler_service.web.views.day_strip import DayStrip
from scheduler_service.web.views.retry_line import RetryLine, retry_line


@dataclass(frozen=True, slots=True)
class Instant:
    """A next instant, its clock time in the zone of the job, and what is special about it."""

    at: datetime
    clock: str
    note: str | None
    calendar: str | None
    is_moved: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What is shown beside the editor while everything is valid."""

    sentence: str
    warnings: tuple[str, ...]
    instants: tuple[Instant, ...]
    changes: tuple[Change, ...]
    are_fires_moved: bool
    retries: RetryLine | None
    # The next 24 hours. None: the job is not valid yet.
    day: DayStrip | None
    # Whether clock changes leave the schedule alone, if that is worth a word.
    is_steady: bool = False


def preview(
    *,
    sentence: str,
    warnings: Iterable[str],
    instants: Iterable[Any],
    instants_now: Iterable[Any],
    changes: Mapping[str, Mapping[str, Any]],
    retry_policy: Mapping[str, Any],
    is_new: bool,
    day: DayStrip,
) -> Preview:
    """Return the preview of a valid definition. Instants have `at`, `local`, `note` and `calendar`."""
    known = {each.at for each in instants_now}
    rows = _rows(instants, known if not is_new else None)
    is_moved = not is_new and {row.at for row in rows} != known
    retries = retry_line(retry_policy)
    return Preview(sentence, tuple(warnings), rows, changes_in(changes), is_moved, retries, day)


def schedule_preview(*, sentence: str, warnings: Iterable[str], instants: Iterable[Any], is_steady: bool) -> Preview:
    """Return the preview of a valid schedule whose job is not valid yet."""
    rows = _rows(instants, None)
    return Preview(
        sentence, tuple(warnings), rows, (), are_fires_moved=False, retries=None, day=None, is_steady=is_steady
    )


def _rows(instants: Iterable[Any], known: AbstractSet[datetime] | None) -> tuple[Instant, ...]:
    """Return the rows of instants, all with seconds if one has some. `known`: the instants as they were, if any."""
    found = tuple(instants)
    clock = "%a %d %b, %H:%M" + (":%S" if any(each.local.second for each in found) else "")
    return tuple(
        Instant(
            each.at,
            each.local.strftime(clock) + each.local.strftime(" %z")[:4],
            each.note,
            each.calendar,
            is_moved=known is not None and each.at not in known,
        )
        for each in found
    )
