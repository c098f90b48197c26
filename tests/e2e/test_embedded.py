"""The embedded mode: a real process, real time, real kills."""

from __future__ import annotations

import json
import signal
import sqlite3
import statistics
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from testkit.commands import Service, up
from testkit.programs import processes_with
from testkit.waiting import wait_until

NEVER = "2099-01-01T00:00:00Z"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with up(tmp_path, SCHEDULER_SANDBOX="auto") as service:
        yield service


def create(service: Service, schedule_expr: str, script: str, **changes: Any) -> int:
    """Create a shell job and return its id."""
    payload = {"type": "shell_script", "script": script}
    definition = {"name": "a job", "schedule_expr": schedule_expr, "payload": payload, **changes}
    return int(service.call("POST", "jobs", definition)["id"])


def runs_of(service: Service, job_id: int) -> list[dict[str, Any]]:
    """Return all runs of a job by instant."""
    runs = service.call("GET", f"jobs/{job_id}/runs?size=100")["runs"]
    return sorted(runs, key=lambda run: str(run["scheduled_for"]))


@pytest.mark.long
def test_cron_interval_and_one_time_jobs_fire_on_time(service: Service) -> None:
    """Cron each minute, a 5 s interval twelve times, a one-time job once: on time, and each instant once."""
    began = datetime.now(UTC)
    minutely = create(service, "* * * * *", "echo minute")
    often = create(service, "5s", "echo often")
    once_at = (began + timedelta(seconds=15)).isoformat()
    once = create(service, once_at, "echo once")
    wait_until(lambda: len(runs_of(service, often)) >= 12, deadline_seconds=90, pause_seconds=2.0)

    instants = [run["scheduled_for"] for run in runs_of(service, often)][:12]
    anchor = datetime.fromisoformat(service.call("GET", f"jobs/{often}")["created_at"])
    assert [datetime.fromisoformat(at) for at in instants] == [
        anchor + timedelta(seconds=5 * number) for number in range(1, 13)
    ]
    assert statistics.median(run["lateness_seconds"] or 0 for run in runs_of(service, often)) < 0.25

    wait_until(lambda: runs_of(service, minutely))
    first = runs_of(service, minutely)[0]
    assert first["scheduled_for"].endswith(":00Z")

    assert service.call("GET", f"jobs/{once}")["status"] == "finished"
    (only,) = runs_of(service, once)
    assert (only["status"], only["logs"]) == ("success", "once\n")
    assert datetime.fromisoformat(only["scheduled_for"]) == datetime.fromisoformat(once_at)


def test_no_instant_or_run_is_lost_after_kill_9(tmp_path: Path) -> None:
    with up(tmp_path, SCHEDULER_SANDBOX="auto") as service:
        interval = create(service, "1s", "echo tick", overlap_policy="allow", misfire_policy="fire_all")
        slow = create(service, NEVER, '[ "$SCHEDULER_ATTEMPT" = 2 ] || { echo begun; exec sleep 60; }')
        service.call("POST", f"jobs/{slow}/run")
        wait_until(lambda: [run for run in runs_of(service, slow) if run["logs"] == "begun\n"])
        wait_until(lambda: runs_of(service, interval))
        service.process.kill()
        service.process.wait()
    with up(tmp_path, SCHEDULER_SANDBOX="auto") as service:
        wait_until(lambda: {run["status"] for run in runs_of(service, slow)} == {"success"})
        known = len(runs_of(service, interval))
        wait_until(lambda: len(runs_of(service, interval)) > known + 1)
        service.stop()
    with closing(sqlite3.connect(tmp_path / "data" / "scheduler.db")) as database:
        instants = [
            row[0]
            for row in database.execute(
                "SELECT scheduled_for FROM runs WHERE job_id = ? ORDER BY scheduled_for", (interval,)
            )
        ]
        left_running = database.execute("SELECT count(*) FROM runs WHERE status = 'running'").fetchone()[0]
    second = 1_000_000
    assert instants == list(range(instants[0], instants[-1] + 1, second)), "a gap, or an instant twice"
    assert left_running == 0


def test_run_is_killed_when_its_service_is_stopped_by_sigstop(tmp_path: Path) -> None:
    timing = {"SCHEDULER_HEARTBEAT_SECONDS": "0.5", "SCHEDULER_WORKER_DEAD_SECONDS": "3"}
    with up(tmp_path, SCHEDULER_SANDBOX="auto", **timing) as service:
        script = '[ "$SCHEDULER_ATTEMPT" = 2 ] || exec sleep 300'
        run_id = service.call("POST", f"jobs/{create(service, NEVER, script, env={'MARKER': str(tmp_path)})}/run")["id"]
        wait_until(lambda: processes_with(f"MARKER={tmp_path}"))
        service.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: not processes_with(f"MARKER={tmp_path}"))
        service.process.send_signal(signal.SIGCONT)
        wait_until(lambda: service.call("GET", f"runs/{run_id}")["status"] == "success")


def test_job_created_while_the_dispatcher_rests_fires_on_time(service: Service) -> None:
    job = create(service, "3s", "echo on time")
    due_at = service.call("GET", f"jobs/{job}")["next_run_at"]
    wait_until(lambda: [run for run in runs_of(service, job) if run["status"] == "success"])
    assert runs_of(service, job)[0]["scheduled_for"] == due_at


def test_every_log_line_is_json_whatever_jobs_print(service: Service) -> None:
    forged = r"""printf '{"level": "forged"}\n\033[31mred\n'; echo '"}' >&2; exit 1"""
    job = create(service, NEVER, forged, name='forged\n{"level": "forged"}', retry_policy={"max_retries": 0})
    service.shell.run("jobs", "run", job, "--wait")
    service.stop()
    lines = [json.loads(line) for line in service.log.splitlines()]
    assert "attempt_failed" in {line["event"] for line in lines}
    assert "forged" not in {line["level"] for line in lines}
