"""Run the legs of the campaign, print a table for each, and write a report.

In the first, jobs fire every second and write a line of their own; other runs take longer than the service lives.
Rounds of `kill -9` and of orderly stops interrupt them. Then every promise is checked against the database and the
logs. The others execute thousands of runs under kills, and compare the counters of /metrics.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from testkit.commands import Service, up
from testkit.programs import execute
from testkit.waiting import wait_until

from faultlab import counting
from faultlab.counting import Campaign
from faultlab.verdict import Verdict

NEVER = "2099-01-01T00:00:00Z"
SECOND = 1_000_000  # the database counts microseconds
SLOW = '[ "$SCHEDULER_ATTEMPT" -gt 1 ] || { echo begun; exec sleep 60; }; echo "ended by $SCHEDULER_ATTEMPT"'


def main() -> None:
    """Run each leg that is asked for; exit code 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leg", action="append", choices=LEGS, help="once for each; without any, all")
    parser.add_argument("--rounds", type=int, default=6, help="of the leg `embedded`")
    parser.add_argument("--runs", type=int, default=10_000, help="to execute in each leg that counts")
    parser.add_argument("--kills", type=int, default=10, help="in each leg that counts")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same faults")
    parser.add_argument("--report", type=Path, default=Path("faultlab/results"), help="the directory of the reports")
    options = parser.parse_args()
    held = [_run(leg, options) for leg in options.leg or LEGS]
    sys.exit(not all(held))


def _run(leg: str, options: argparse.Namespace) -> bool:
    """Run one leg, print its table and write its report; returns whether all held."""
    print(f"{leg}: {LEGS[leg].__doc__}")
    with tempfile.TemporaryDirectory(prefix="faultlab-") as directory:
        verdicts = LEGS[leg](Path(directory), options)
    for verdict in verdicts:
        print(f"{'held' if verdict.held else 'BROKEN':<8}{verdict.promise:<76}{verdict.counted}")
    report = {name: getattr(options, name) for name in ("rounds", "runs", "kills", "seed")}
    options.report.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"leg": leg, **report, "promises": [asdict(verdict) for verdict in verdicts]}, indent=2)
    (options.report / f"{leg}.json").write_text(text + "\n")
    return all(verdict.held for verdict in verdicts)


def embedded(directory: Path, options: argparse.Namespace) -> list[Verdict]:
    """Rounds of kills and stops of the one process; then the ledger against the clock and the logs."""
    accepted = torment(directory, options.rounds, _chance(options))
    return judge(directory / "data" / "scheduler.db", accepted)


def counted(directory: Path, options: argparse.Namespace) -> list[Verdict]:
    """Thousands of runs in the one process, with kills; then every counter against the database."""
    return counting.embedded(directory, Campaign(options.runs, options.kills, _chance(options)))


def counted_distributed(directory: Path, options: argparse.Namespace) -> list[Verdict]:
    """The same with two beats, two workers and two API processes, PostgreSQL and Valkey, and faults of each kind."""
    return asyncio.run(counting.distributed(directory, Campaign(options.runs, options.kills, _chance(options))))


LEGS: dict[str, Callable[[Path, argparse.Namespace], list[Verdict]]] = {
    "embedded": embedded,
    "counters": counted,
    "counters-distributed": counted_distributed,
}


def _chance(options: argparse.Namespace) -> random.Random:
    return random.Random(options.seed)  # noqa: S311 (repeatable)


def torment(directory: Path, rounds: int, chance: random.Random) -> dict[str, list[int]]:
    """Interrupt the service `rounds` times; returns the ids of what it accepted."""
    accepted: dict[str, list[int]] = {"jobs": [], "runs": []}
    for number in range(1, rounds + 1):
        fault = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        print(f"round {number} of {rounds}: {fault.name} …", file=sys.stderr)
        with up(directory, execute, SCHEDULER_SANDBOX="auto") as service:
            if not accepted["jobs"]:
                accepted["jobs"] = [_create(service, "1s", 'echo "$SCHEDULER_RUN_ID"'), _create(service, NEVER, SLOW)]
            accepted["runs"].append(int(service.call("POST", f"jobs/{accepted['jobs'][1]}/run")["id"]))
            time.sleep(chance.uniform(0.5, 3.0))
            service.process.send_signal(fault)
            service.process.wait()
    with up(directory, execute, SCHEDULER_SANDBOX="auto") as service:
        wait_until(lambda: _have_ended(service, accepted["runs"]), patience_seconds=120)
        service.stop()
    return accepted


def judge(path: Path, accepted: dict[str, list[int]]) -> list[Verdict]:
    """Check every promise against the database as it was left."""
    with closing(sqlite3.connect(path)) as database:

        def column(statement: str, *values: object) -> list[Any]:
            return [row[0] for row in database.execute(statement, values)]

        return [
            _no_gap_and_nothing_twice(column, accepted["jobs"][0]),
            _nothing_left_running(column),
            _accepted_is_kept(column, accepted["runs"]),
            _success_wrote_its_own_line_once(column, accepted["jobs"][0]),
            Verdict("the database is sound", column("PRAGMA integrity_check") == ["ok"], ""),
        ]


Column = Callable[..., list[Any]]


def _no_gap_and_nothing_twice(column: Column, job_id: int) -> Verdict:
    """Hold each second since the first instant against the rows: a run, or a range that says why there was none."""
    where = "FROM runs WHERE job_id = ? AND trigger = 'schedule' ORDER BY scheduled_for"
    firsts = column(f"SELECT scheduled_for {where}", job_id)
    lasts = column(f"SELECT coalesce(missed_until, scheduled_for) {where}", job_id)
    named = [at for first, last in zip(firsts, lasts, strict=True) for at in range(first, last + 1, SECOND)]
    whole = named == list(range(firsts[0], lasts[-1] + 1, SECOND))
    return Verdict("each instant is in exactly one row", whole, f"{len(named)} instants in {len(firsts)} rows")


def _nothing_left_running(column: Column) -> Verdict:
    running = column("SELECT id FROM runs WHERE status = 'running'")
    return Verdict("no run is left running", not running, f"{len(running)} running")


def _accepted_is_kept(column: Column, run_ids: list[int]) -> Verdict:
    marks = ", ".join("?" * len(run_ids))
    ended = column(f"SELECT id FROM runs WHERE status = 'success' AND id IN ({marks})", *run_ids)  # noqa: S608
    return Verdict("what was accepted is there, and ended", len(ended) == len(run_ids), f"{len(ended)} accepted")


def _success_wrote_its_own_line_once(column: Column, job_id: int) -> Verdict:
    done = column("SELECT id FROM runs WHERE job_id = ? AND status = 'success' AND attempt = 1", job_id)
    wrong = [
        run_id
        for run_id in done
        if b"".join(column("SELECT data FROM run_logs WHERE run_id = ? ORDER BY at_byte", run_id)) != b"%d\n" % run_id
    ]
    return Verdict("a run of one attempt wrote exactly its own output", not wrong, f"{len(done)} runs")


def _create(service: Service, schedule_expr: str, script: str) -> int:
    definition = {
        "name": "faultlab",
        "schedule_expr": schedule_expr,
        "payload": {"type": "shell_script", "script": script},
        "overlap_policy": "allow",
        "retry_policy": {"max_retries": 0},
    }
    return int(service.call("POST", "jobs", definition)["id"])


def _have_ended(service: Service, run_ids: list[int]) -> bool:
    return all(service.call("GET", f"runs/{run_id}")["status"] == "success" for run_id in run_ids)


if __name__ == "__main__":
    main()
