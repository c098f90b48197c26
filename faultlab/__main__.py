"""Run the legs of the campaign, print a table for each, and write a report.

`ledger` interrupts the service by `kill -9` and by orderly stops, and checks the ledger against the clock and the logs.
`counters` and `counters-distributed` execute thousands of runs under kills, and compare the counters of /metrics with
the database.
`fuzz` sends thousands of requests made from the OpenAPI description, as three owners at once.
`slow-clients` surrounds the service with slow clients, and measures what others notice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from faultlab import campaign, crowd, fuzz, ledger
from faultlab.campaign import Campaign
from faultlab.promise import Promise


def main() -> None:
    """Run each leg that is asked for. Exit with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leg", action="append", choices=LEGS, help="repeat for several; default: all")
    parser.add_argument("--rounds", type=int, default=6, help="interruptions of the leg `ledger`")
    parser.add_argument("--runs", type=int, default=10_000, help="to execute in each `counters` leg")
    parser.add_argument("--kills", type=int, default=10, help="in each `counters` leg")
    parser.add_argument("--cases", type=int, default=20_000, help="to send to each database in the leg `fuzz`")
    parser.add_argument("--seconds", type=float, default=60, help="of the leg `slow-clients`")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same faults")
    parser.add_argument("--report", type=Path, default=Path("faultlab/results"), help="the directory of the reports")
    options = parser.parse_args()
    kept = [_run(leg, options) for leg in options.leg or LEGS]
    sys.exit(not all(kept))


def _run(leg: str, options: argparse.Namespace) -> bool:
    """Run one leg, print its table and write its report. Return whether every promise was kept."""
    print(f"{leg}: {LEGS[leg].__doc__}")
    with tempfile.TemporaryDirectory(prefix="faultlab-") as directory:
        promises = LEGS[leg](Path(directory), options)
    for promise in promises:
        print(f"{'kept' if promise.kept else 'BROKEN':<8}{promise.text:<76}{promise.counted}")
    report = {name: getattr(options, name) for name in ("rounds", "runs", "kills", "seed")}
    options.report.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"leg": leg, **report, "promises": [asdict(promise) for promise in promises]}, indent=2)
    (options.report / f"{leg}.json").write_text(text + "\n")
    return all(promise.kept for promise in promises)


def check_ledger(directory: Path, options: argparse.Namespace) -> list[Promise]:
    """Kill and stop the one process in rounds, then check the ledger against the clock and the logs."""
    accepted = ledger.interrupt(directory, options.rounds, _chance(options))
    return ledger.check(directory / "data" / "scheduler.db", accepted)


def check_counters(directory: Path, options: argparse.Namespace) -> list[Promise]:
    """Execute thousands of runs in the one process under kills, then compare every counter with the database."""
    return campaign.embedded(directory, Campaign(options.runs, options.kills, _chance(options)))


def check_counters_distributed(directory: Path, options: argparse.Namespace) -> list[Promise]:
    """Do the same with two beats, workers and API processes, PostgreSQL and Valkey, and faults of each kind."""
    return asyncio.run(campaign.distributed(directory, Campaign(options.runs, options.kills, _chance(options))))


def check_fuzz(directory: Path, options: argparse.Namespace) -> list[Promise]:
    """Send requests made from the OpenAPI description, as three owners at once, to SQLite and to PostgreSQL."""
    promises = []
    for database in ("sqlite", "postgresql"):
        place = directory / database
        place.mkdir()
        promises += fuzz.fuzz(place, database, options.cases, options.seed)
    return promises


def check_slow_clients(directory: Path, options: argparse.Namespace) -> list[Promise]:
    """Surround the service with 200 slow clients, 300 idle connections and 100 followers that never read."""
    return crowd.surround(directory, options.seconds)


LEGS: dict[str, Callable[[Path, argparse.Namespace], list[Promise]]] = {
    "ledger": check_ledger,
    "counters": check_counters,
    "counters-distributed": check_counters_distributed,
    "fuzz": check_fuzz,
    "slow-clients": check_slow_clients,
}


def _chance(options: argparse.Namespace) -> random.Random:
    return random.Random(options.seed)  # noqa: S311 (repeatable)


if __name__ == "__main__":
    main()
