"""Builds the image, brings compose.yaml up, runs, scales, kills and restores, checks, and tears everything down."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from typing import Any

from scripts.try_containers import checks, networks
from scripts.try_containers.checks import Check
from scripts.try_containers.deployment import IMAGE, PROJECT, Deployment, report, run, wait_until

WORKERS, BEATS, JOBS = 5, 2, 10
SCALE = ("--scale", f"worker={WORKERS}", "--scale", f"beat={BEATS}")
# So that the server of the dump has counted more than the one that it is restored into.
TRANSACTIONS = 50_000
SETTLE_SECONDS = 15
# A slow machine has a backlog after all the kills and the restore.
BACKLOG_SECONDS = 900
# Of the name that the engine gives to a volume without one: 32 bytes in hexadecimal.
UNNAMED_LENGTH = 64
KILLED = ("api", "beat", "worker", "flower", "redis", "postgres")
MANAGERS = """from multiprocessing import Manager
if __name__ == "__main__":
    print(Manager().list([1]))
"""
KINDS: dict[str, dict[str, Any]] = {
    "python_code": {"type": "python_code", "code": "import numpy\nprint(numpy.arange(5).sum())"},
    "managers": {"type": "python_code", "code": MANAGERS},
    "shell_script": {"type": "shell_script", "script": "for i in $(seq 20); do sleep 2 & done; wait; echo $0"},
    "number_crunching": {"type": "number_crunching", "operation": "prime_numbers", "limit": 100_000},
    "program": {"type": "program", "argv": ["tr", "a-z", "A-Z"], "stdin": "shout"},
}
JUNK = (b"null", b"17", b"not JSON", b"\x00\xff\x9b", b"{}", b"[" * 5000)


def main() -> None:
    """Run the try. Exit with 1 if anything does not hold."""
    parser = argparse.ArgumentParser(prog="make try-containers", description=__doc__)
    parser.add_argument("--no-build", action="store_true", help=f"use the image {IMAGE} as it is")
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end")
    parser.add_argument("--port", default="18080", help="publish the API on this port of the loopback (18080)")
    options = parser.parse_args()
    volumes = _unnamed_volumes()
    deployment = Deployment({"TRY_PORT": options.port})
    deployment.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "5")
    try:
        found = _try(deployment, build=not options.no_build)
    except (subprocess.CalledProcessError, TimeoutError) as error:
        report(f"failed: {error}\n{(getattr(error, 'stderr', None) or b'').decode()}")
        report(deployment.compose("ps", "--all", check=False))
        report(deployment.compose("logs", "--no-color", "--tail", "30", check=False))
        found = [Check("came to its end", str(error), passed=False)]
    finally:
        if not options.keep:
            report("tearing down")
            deployment.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "60")
    if not options.keep:
        left = _unnamed_volumes() - volumes
        found.append(Check("nothing left behind", f"{len(left)} volumes", not left))
    sys.stdout.write(f"\n{checks.show(found)}\n")
    sys.exit(any(not check.passed for check in found))


def _try(deployment: Deployment, *, build: bool) -> list[Check]:
    if build:
        report("building the image")
        run(["docker", "build", "--tag", IMAGE, "."])
    report(f"starting {WORKERS} workers and {BEATS} beats")
    deployment.compose("up", "--detach", "--no-build", *SCALE)
    deployment.wait_until_healthy()
    found = [*_run_every_kind(deployment), *networks.check(deployment)]
    report(f"firing {JOBS} jobs a second, and one that fails every 5 s")
    jobs = _start_load(deployment)
    time.sleep(SETTLE_SECONDS)
    found += [_kill_everything(deployment), _drop_junk(deployment)]
    found += _restore(deployment)
    report("pausing the jobs, and waiting for the last runs")
    for job in jobs:
        deployment.call("POST", f"/api/v1/jobs/{job}/pause")
    unended = "SELECT count(*) FROM runs WHERE finished_at IS NULL"
    wait_until(lambda: deployment.query_number(unended) == 0, "every run has ended", BACKLOG_SECONDS)
    return [*found, *checks.ledger(deployment), *checks.alerts(deployment)]


def _run_every_kind(deployment: Deployment) -> list[Check]:
    """Run each kind three times for each worker at once: jobs must not starve each other."""
    names = ", ".join(KINDS)
    report(f"running {names}")
    ids = [deployment.create(f"kind {kind}", "@yearly", payload) for kind, payload in KINDS.items()]
    for job in ids:
        for _ in range(3 * WORKERS):
            deployment.call("POST", f"/api/v1/jobs/{job}/run")
    wait_until(
        lambda: deployment.query_number("SELECT count(*) FROM runs WHERE finished_at IS NULL") == 0, "each kind ran"
    )
    query = "SELECT runs.status, count(*) FROM runs GROUP BY 1"
    statuses = {row[0]: int(row[1]) for row in deployment.query(query)}
    return [Check("every kind runs", f"{names}: {statuses}", set(statuses) == {"success"})]


def _start_load(deployment: Deployment) -> list[int]:
    channel = {"type": "webhook", "url": "http://receiver:9000/alerts"}
    deployment.call("POST", "/api/v1/alerts", {"name": "try", "on": ["failure"], "channel": channel})
    quick = {"type": "shell_script", "script": "sleep 0.2; echo $SCHEDULER_SCHEDULED_FOR"}
    fails = {"type": "shell_script", "script": "echo no; exit 3"}
    jobs = [deployment.create(f"each second {number}", "1s", quick) for number in range(JOBS)]
    return [*jobs, deployment.create("fails", "5s", fails)]


def _kill_everything(deployment: Deployment) -> Check:
    """Kill each main process in turn, and wait until the service is healthy again."""
    killed = 0
    for service in KILLED:
        for container in deployment.containers(service):
            before = _ended(deployment)
            deployment.kill(container)
            killed += 1
            seconds = _wait_for_more(deployment, before + JOBS, f"runs go on: {service}")
            deployment.wait_until_healthy()
            report(f"killed {service} {container[:12]}: ten more runs within {seconds:.0f} s")
    found = f"{killed} kills -9, each restarted and followed by runs"
    return Check("every main process killed in turn", found, passed=True)


def _wait_for_more(deployment: Deployment, number: int, what: str) -> float:
    return wait_until(lambda: _ended(deployment) > number, what)


def _drop_junk(deployment: Deployment) -> Check:
    """Put junk into the queues, and wait until the workers have counted it."""
    report("putting junk into the queues")
    for item in JUNK:
        deployment.compose("exec", "-T", "redis", "redis-cli", "-x", "LPUSH", "runs.normal", stdin=item)
    query = "SELECT coalesce(sum(count), 0) FROM totals WHERE change = 'message_dropped'"
    wait_until(lambda: deployment.query_number(query) >= len(JUNK), "junk is counted")
    found = f"{deployment.query_number(query)} of {len(JUNK)} items dropped and counted"
    return Check("junk in Redis ends no worker", found, passed=True)


def _ended(deployment: Deployment) -> int:
    return deployment.query_number("SELECT count(*) FROM runs WHERE status = 'success'")


def _restore(deployment: Deployment) -> list[Check]:
    """Dump, restore into a new server, and run the service on it."""
    report(f"counting {TRANSACTIONS} transactions, then dumping")
    count = f"DO $$ BEGIN FOR i IN 1..{TRANSACTIONS} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
    deployment.query(count)
    transaction = "SELECT pg_current_xact_id()"
    old_id = deployment.query_number(transaction)
    dump = "pg_dump -Fc -U scheduler scheduler_db > /tmp/dump && base64 /tmp/dump"
    dumped = deployment.compose("exec", "-T", "postgres", "sh", "-c", dump)
    report("stopping, and restoring into a new server")
    deployment.compose("stop", "--timeout", "60", "api", "beat", "worker", "flower")
    deployment.compose("stop", "postgres")
    deployment.database = "restored"
    deployment.compose("--profile", "restore", "up", "--detach", "--no-build", "--wait", "restored")
    restore = "base64 -d | pg_restore --exit-on-error -U scheduler -d scheduler_db"
    deployment.compose("exec", "-T", "restored", "sh", "-c", restore, stdin=dumped)
    counted, delivered = _totals(deployment), _deliveries(deployment)
    deployment.compose("--profile", "restore", "up", "--detach", "--no-build", *SCALE)
    deployment.wait_until_healthy()
    wait_until(lambda: _totals(deployment) > counted + 5 * JOBS, "counters go on after the restore")
    wait_until(lambda: _deliveries(deployment) > delivered + 1, "alerts go on after the restore")
    new_id = deployment.query_number(transaction)
    more = f"transaction {old_id} then, {new_id} now; {_totals(deployment) - counted} more runs counted"
    return [Check("counters and alerts go on after a restore", more, new_id < old_id)]


def _totals(deployment: Deployment) -> int:
    return deployment.query_number("SELECT coalesce(sum(count), 0) FROM totals WHERE change = 'success'")


def _deliveries(deployment: Deployment) -> int:
    return deployment.query_number("SELECT count(*) FROM deliveries WHERE status = 'delivered'")


def _unnamed_volumes() -> set[str]:
    names = run(["docker", "volume", "ls", "--quiet"]).split()
    return {name for name in names if PROJECT in name or len(name) == UNNAMED_LENGTH}


if __name__ == "__main__":
    main()
