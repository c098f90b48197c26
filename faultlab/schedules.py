"""Compares cron patterns over three years of many zones with an oracle: `python -m faultlab.schedules`.

It prints a line for each zone and ends with 1 if any instant differs. All of it takes some minutes.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timedelta
from itertools import product
from typing import get_args

from testkit.cron_oracle import WallClock, random_expression

from scheduler_service.domain.schedules.calendar_dst import DstPolicy, Fold, Gap
from scheduler_service.domain.schedules.schedule import parse

FIRST_YEAR, YEARS = 2026, 3
EXPRESSIONS = 200
ZONES = (
    "UTC", "Europe/Berlin", "Europe/London", "Europe/Dublin", "Europe/Lisbon", "Europe/Athens", "Europe/Moscow",
    "Europe/Chisinau", "Europe/Istanbul", "Atlantic/Azores", "Atlantic/Reykjavik", "Africa/Cairo", "Africa/Casablanca",
    "Africa/Lagos", "Africa/Johannesburg", "Asia/Beirut", "Asia/Jerusalem", "Asia/Gaza", "Asia/Tehran", "Asia/Kabul",
    "Asia/Kolkata", "Asia/Kathmandu", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney", "Australia/Adelaide",
    "Australia/Lord_Howe", "Australia/Eucla", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Apia", "Pacific/Easter",
    "America/New_York", "America/St_Johns", "America/Havana", "America/Santiago", "America/Asuncion",
    "America/Sao_Paulo", "America/Nuuk", "Antarctica/Troll",
)  # fmt: skip
POLICIES = tuple(DstPolicy(gap, fold) for gap, fold in product(get_args(Gap), get_args(Fold)))
SHOWN = 3
MAX_COMPARED = 3_000
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)


def differences(clock: WallClock, expression: str, policy: DstPolicy) -> list[str]:
    """Return a line for each of the first instants that only one of service and oracle knows.

    Of patterns that fire more than some thousand times, the service's count is compared first, and then its instants
    around each clock change and at the beginning.
    """
    schedule = parse(expression, timezone=clock.zone.key, dst=policy, anchor_at=clock.start)
    minutes = clock.fires(expression, policy)
    tick = timedelta.resolution
    counted = schedule.count_between(clock.start - tick, clock.end - tick)
    if counted != len(minutes):
        return [f"{clock.zone.key} {expression} {policy}: {counted} instants, and {len(minutes)} by the oracle"]
    wrong: list[datetime] = []
    for begin, end in _looked_at(clock, len(minutes)):
        low, high = (int((at - clock.start) / _MINUTE) for at in (begin, end))
        expected = {clock.start + int(each) * _MINUTE for each in minutes[(minutes >= low) & (minutes < high)]}
        wrong += sorted(expected ^ set(schedule.between(begin - tick, end - tick)))
    return [f"{clock.zone.key} {expression} {policy}: {at:%Y-%m-%d %H:%M} UTC" for at in wrong[:SHOWN]]


def _looked_at(clock: WallClock, count: int) -> list[tuple[datetime, datetime]]:
    """Return the windows whose instants are compared: all of it, or for frequent patterns the beginning and changes."""
    if count <= MAX_COMPARED:
        return [(clock.start, clock.end)]
    changes = (clock.start + minute * _MINUTE for minute in clock.changes)
    return [(clock.start, clock.start + _DAY), *((max(clock.start, at - _DAY / 2), at + _DAY / 2) for at in changes)]


def main() -> int:
    """Compare everything, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--expressions", type=int, default=EXPRESSIONS, help="patterns for each zone (default 200)")
    parser.add_argument("--zones", nargs="*", default=list(ZONES), metavar="ZONE", help="zones (default: 40)")
    given = parser.parse_args()
    wrong = 0
    for number, zone in enumerate(given.zones, 1):
        clock = WallClock(zone, FIRST_YEAR, YEARS)
        found: list[str] = []
        for seed in range(given.expressions):
            found += differences(clock, random_expression(seed), POLICIES[seed % len(POLICIES)])
        wrong += len(found)
        print(f"{number}/{len(given.zones)} {zone}: {given.expressions} patterns, {len(found)} differences", flush=True)
        for line in found:
            print(f"  {line}")
    print(f"{wrong} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
