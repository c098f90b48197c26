"""How many next instants of fresh cron patterns are computed in a second: ours, cronsim and croniter by turns."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from benchmarks.shared.reports import Report, machine_facts, options
from croniter import croniter
from cronsim import CronSim

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.schedule import parse

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DST = DstPolicy()


def ours(expr: str) -> object:
    """Return the next instant as the service computes it, with every check of the pattern."""
    return parse(expr, timezone=ZONE.key, dst=DST, anchor_at=NOW).next_after(NOW)


def by_cronsim(expr: str) -> object:
    """Return the next instant of cronsim, the library that our parser uses."""
    return next(CronSim(expr, NOW.astimezone(ZONE)))


def by_croniter(expr: str) -> object:
    """Return the next instant of croniter."""
    return croniter(expr, NOW.astimezone(ZONE)).get_next(datetime)


def fresh(count: int, seed: int) -> list[str]:
    """Return patterns of which no cache knows one."""
    choice = random.Random(seed)  # noqa: S311 (cases, not secrets)

    def two(below: int) -> str:
        return f"{choice.randrange(below)},{choice.randrange(below)}"

    days = ("*", "1-15", "*/3", "7")
    return [
        f"{two(60)} {two(24)} {choice.choice(days)} {choice.choice(('*', '1-6', '*/2'))} "
        f"{choice.choice(('*', '1-5', 'MON'))}"
        for _ in range(count)
    ]


def rate(compute: Callable[[str], object], patterns: list[str]) -> float:
    """Return the patterns a second of processor time."""
    before = time.process_time()
    for expr in patterns:
        compute(expr)
    return len(patterns) / (time.process_time() - before)


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "cron")
    parser.add_argument("--patterns", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    report = Report({"patterns": arguments.patterns, "rounds": arguments.rounds} | machine_facts())
    for compute in (ours, by_cronsim, by_croniter):
        compute("0 0 * * *")
    turns = [
        [rate(compute, fresh(arguments.patterns, seed)) for compute in (ours, by_cronsim, by_croniter)]
        for seed in range(arguments.rounds)
    ]
    for index, name in enumerate(("ours", "cronsim", "croniter")):
        report.add("next instants of fresh patterns", name, "/s", [turn[index] for turn in turns])
    report.add("ratio", "ours to cronsim", "", [turn[0] / turn[1] for turn in turns], at_least=1 / 1.1)
    report.add("ratio", "ours to croniter", "", [turn[0] / turn[2] for turn in turns], at_least=2.5)
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
