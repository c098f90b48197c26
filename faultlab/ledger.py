"""The leg that kills and stops the one process, and then checks the ledger against the clock and the logs.

One job fires every second, and each of its runs writes its own id. Other runs take longer than the service lives.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from testkit.commands import Service, up
from testkit.programs import execute
from testkit.waiting import wait_until

from faultlab.promise import Promise

NEVER = "2099-01-01T00:00:00Z"
SECOND = 1_000_000  # the database counts microseconds
SLOW = '[ "$SCHEDULER_ATTEMPT" -gt 1 ] || { echo begun; exec sleep 60; }; echo "ended by $SCHEDULER_ATTEMPT"'


def interrupt(directory: Path, rounds: int, chance: random.Random) -> dict[str, list[int]]:
    """Interrupt the service `rounds` times. Return the ids of the jobs and runs that it accepted."""
    accepted: dict[str, list[int]] = {"jobs": [], "runs": []}
    for number in range(1, rounds + 1):
        fault = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
        print(f"round {number} of {rounds}: {fault.name} …", file=sys.stderr)
        with up(directory, execute, SCHEDULER_SANDBOX="auto") as service:
            if not accepted["jobs"]:
                accepted["jobs"] = [_create(service, "1s", 'echo "$SCHEDULER_RUN_ID"'), _create(service, NEVER, SLOW)]
            path = f"jobs/{accepted['jobs'][1]}/run"
            accepted["runs"].append(int(service.call("POST", path, {"ignore_overlap": True})["id"]))
            time.sleep(chance.uniform(0.5, 3.0))
            service.process.send_signal(fault)
            service.process.wait()
    with up(directory, execute, SCHEDULER_SANDBOX="auto") as service:
        wait_until(lambda: _have_ended(service, accepted["runs"]), deadline_seconds=120)
        service.stop()
    return accepted


def check(path: Path, accepted: dict[str, list[int]]) -> list[Promise]:
    """Check every promise against the database that the service has left behind."""
    with closing(sqlite3.connect(path)) as database:

        def column(statement: str, *values: object) -> list[Any]:
            return [row[0] for row in database.execute(statement, values)]

        return [
            _each_instant_has_one_row(column, accepted["jobs"][0]),
            _no_run_is_left_running(column),
            _accepted_runs_succeeded(column, accepted["runs"]),
            _runs_wrote_their_own_output(column, accepted["jobs"][0]),
            Promise("the database passes its integrity check", column("PRAGMA integrity_check") == ["ok"], ""),
        ]


Column = Callable[..., list[Any]]


def _each_instant_has_one_row(column: Column, job_id: int) -> Promise:
    """Check that each second since the first instant has one row: a run, or a range that says why there was none."""
    where = "FROM runs WHERE job_id = ? AND trigger = 'schedule' ORDER BY scheduled_for"
    firsts = column(f"SELECT scheduled_for {where}", job_id)
    lasts = column(f"SELECT coalesce(missed_until, scheduled_for) {where}", job_id)
    covered = [at for first, last in zip(firsts, lasts, strict=True) for at in range(first, last + 1, SECOND)]
    whole = covered == list(range(firsts[0], lasts[-1] + 1, SECOND))
    return Promise("each instant is in exactly one row", whole, f"{len(covered)} instants in {len(firsts)} rows")


def _no_run_is_left_running(column: Column) -> Promise:
    running = column("SELECT id FROM runs WHERE status = 'running'")
    return Promise("no run is left running", not running, f"{len(running)} running")


def _accepted_runs_succeeded(column: Column, run_ids: list[int]) -> Promise:
    marks = ", ".join("?" * len(run_ids))
    ended = column(f"SELECT id FROM runs WHERE status = 'success' AND id IN ({marks})", *run_ids)  # noqa: S608
    return Promise("each accepted run has succeeded", len(ended) == len(run_ids), f"{len(ended)} of {len(run_ids)}")


def _runs_wrote_their_own_output(column: Column, job_id: int) -> Promise:
    done = column("SELECT id FROM runs WHERE job_id = ? AND status = 'success' AND attempt = 1", job_id)
    wrong = [
        run_id
        for run_id in done
        if b"".join(column("SELECT data FROM run_logs WHERE run_id = ? ORDER BY at_byte", run_id)) != b"%d\n" % run_id
    ]
    return Promise("a run of one attempt wrote exactly its own output", not wrong, f"{len(done)} runs")


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
