"""Real crontabs: each schedule fires when the reference implementation says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.schedule import parse
from scheduler_service.errors import InvalidInputError

FILE = Path(__file__).parent / "crontabs.txt"
BERLIN = ZoneInfo("Europe/Berlin")
# Neither day is one on which the clocks of Berlin change, nor the one before it.
STARTS = [
    datetime(2027, 1, 1, tzinfo=UTC),
    datetime(2027, 2, 26, 22, 58, 30, tzinfo=UTC),
    datetime(2027, 10, 1, tzinfo=UTC),
]
SETTING = re.compile(r"\w+=")
INSTANTS = 60


def crontabs() -> dict[str, list[str]]:
    """Return the schedules of each crontab."""
    found: dict[str, list[str]] = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("=== "):
            schedules = found[line.removeprefix("=== ")] = []
        elif not line.startswith("#") and not SETTING.match(line):
            schedules.append(line.split()[0] if line.startswith("@") else " ".join(line.split()[:5]))
    return found


def expected(expression: str, zone: ZoneInfo, start: datetime) -> Iterator[datetime]:
    """Yield the instants by the wall clock of a zone, as croniter computes them."""
    local = croniter(expression, start.astimezone(zone).replace(tzinfo=None))
    while True:
        yield local.get_next(datetime).replace(tzinfo=zone).astimezone(UTC)


def until_clock_change(start: datetime) -> datetime:
    """Return the end of the time in which the clocks of Berlin do not change; policies for changes are tested apart."""
    changes = [datetime(2027, 3, 28, tzinfo=UTC), datetime(2027, 10, 31, tzinfo=UTC)]
    return next(change for change in changes if change > start) - timedelta(days=1)


def test_crontabs_are_many() -> None:
    assert len(crontabs()) >= 28
    assert all(crontabs().values())


@pytest.mark.parametrize("zone", [ZoneInfo("UTC"), BERLIN], ids=str)
@pytest.mark.parametrize("name", crontabs())
def test_crontab_fires_as_the_reference_does(name: str, zone: ZoneInfo) -> None:
    for expression in crontabs()[name]:
        if expression == "@reboot":
            continue
        schedule = parse(expression, timezone=str(zone), dst=DstPolicy(), anchor_at=STARTS[0])
        for start in STARTS:
            end = until_clock_change(start)
            ours = list(islice(schedule.between(start, end), INSTANTS))
            theirs = [at for at in islice(expected(expression, zone, start), INSTANTS) if at <= end]
            assert ours == theirs[: len(ours)], f"{expression} after {start}"
            assert len(ours) == len(theirs), f"{expression} after {start}"


def test_reboot_is_refused_with_a_remedy() -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse("@reboot", timezone="UTC", dst=DstPolicy(), anchor_at=STARTS[0])

    assert "write a time, such as @daily" in str(refused.value)
