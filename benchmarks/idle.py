"""What an installation costs that has nothing to do: statements a second, processor time, memory, and its start.

The distributed one is an API, two beats and two workers on PostgreSQL. The embedded one is `scheduler up`. The peer of
both is Celery alone: a beat and a worker on the same Valkey.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.shared.reports import Report, machine_facts, options
from sqlalchemy import text
from testkit import servers
from testkit.cluster import ROOT, Cluster, cluster_on
from testkit.programs import FOLDER, PACKAGE_PATH, execute
from testkit.waiting import eventually, wait_until

from scheduler_service.cli.devstack_servers import free_port
from scheduler_service.storage.database import Database

MAX_STATEMENTS = 12
MAX_CORE_PERCENT = 1
MAX_MEMORY_MB = 120
SETTLE_SECONDS = 6.0
# It counts BEGIN and COMMIT too.
STATEMENTS = (
    "SELECT sum(calls) FROM pg_stat_statements JOIN pg_database ON oid = dbid WHERE datname = current_database()"
)


async def statements_a_second(cluster: Cluster, seconds: float) -> float:
    """Start the processes of a distributed installation, and return the statements a second once they are idle."""
    cluster.start("scheduler", "api", SCHEDULER_PORT=str(free_port()))
    for role in ("beat", "beat", "worker", "worker"):
        cluster.start("scheduler", role)
    database = Database(cluster.environment["DATABASE_URL"])
    async with database.write() as connection:
        await connection.execute(text("CREATE EXTENSION pg_stat_statements"))
    await eventually(lambda: _are_all_there(database))
    await asyncio.sleep(SETTLE_SECONDS)
    before = await _ask(database, STATEMENTS)
    await asyncio.sleep(seconds)
    counted = await _ask(database, STATEMENTS) - before - 1
    await database.close()
    cluster.stop()
    return counted / seconds


async def _are_all_there(database: Database) -> bool:
    if not await _ask(database, "SELECT count(*) FROM pg_class WHERE relname = 'dispatchers'"):
        return False
    return await _ask(database, "SELECT (SELECT count(*) FROM workers) + (SELECT count(*) FROM dispatchers)") == 4  # noqa: PLR2004 (two of each)


async def _ask(database: Database, query: str) -> float:
    async with database.read() as connection:
        return float((await connection.execute(text(query))).scalar_one())


def cost_of(processes: Sequence[int], seconds: float) -> tuple[float, float]:
    """Return the percent of a core that processes and their children use, and their memory in MB (PSS)."""
    before = processor_seconds(family(processes))
    time.sleep(seconds)
    used = processor_seconds(family(processes)) - before
    return 100 * used / seconds, sum(map(memory_kb, family(processes))) / 1024


def family(roots: Sequence[int]) -> list[int]:
    """Return processes and all their descendants."""
    found, parents = list(roots), dict(_parents())
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid and child not in found]
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and (fields := _stat(int(path.name))):
            yield int(path.name), int(fields[1])


def _stat(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def processor_seconds(pids: Sequence[int]) -> float:
    """Return the processor time of processes and of their ended children."""
    ticks = [sum(map(int, fields[11:15])) for fields in map(_stat, pids) if fields]
    return sum(ticks) / os.sysconf("SC_CLK_TCK")


def memory_kb(pid: int) -> int:
    """Return the memory of a process, with its share of shared pages."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return 0


@contextmanager
def up(directory: Path) -> Iterator[tuple[int, float]]:
    """Run `scheduler up`. Yield its process and the seconds until it was ready."""
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "SCHEDULER_PORT": str(port)}
    environment |= {"SCHEDULER_DATA_DIR": str(directory / "data"), "SCHEDULER_SLOTS": "2", **PACKAGE_PATH}
    began = time.perf_counter()
    with (directory / "up.log").open("wb") as log:
        process = subprocess.Popen([FOLDER / "scheduler", "up"], cwd=directory, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: _is_ready(port), pause_seconds=0.02)
        yield process.pid, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 (HTTP)
    except OSError:
        return False


@contextmanager
def celery_alone(url: str) -> Iterator[list[int]]:
    """Run a beat and a worker of plain Celery."""
    words = [str(FOLDER / "celery"), "-A", "benchmarks.shared.plain_celery"]
    environment = {"PATH": os.environ["PATH"], "CELERY_BROKER_URL": url}
    with tempfile.TemporaryDirectory() as directory:
        roles = (["worker", "--pool", "threads", "--concurrency", "2"], ["beat", "-s", f"{directory}/schedule"])
        started = [subprocess.Popen([*words, *role], cwd=ROOT, env=environment, stdout=-3, stderr=-3) for role in roles]
        try:
            yield [process.pid for process in started]
        finally:
            for process in started:
                process.terminate()
                process.wait()


def measure_up(report: Report, valkey: str, rounds: int, seconds: float) -> None:
    """Alternate `scheduler up` and Celery alone."""
    ready, ours, theirs = [], [], []
    for number in range(rounds):
        print(f"round {number + 1} of {rounds} …", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as base:
            Path(base).chmod(0o711)
            with up(Path(base)) as (pid, until_ready):
                ready.append(until_ready)
                time.sleep(SETTLE_SECONDS)
                ours.append(cost_of([pid], seconds))
        with celery_alone(valkey) as pids:
            time.sleep(SETTLE_SECONDS)
            theirs.append(cost_of(pids, seconds))
    report.add("scheduler up", "until it is ready, with a new database", "s", ready)
    report.add("scheduler up", "percent of a core", "%", [percent for percent, _ in ours], at_most=MAX_CORE_PERCENT)
    report.add("scheduler up", "memory", "MB", [memory for _, memory in ours], at_most=MAX_MEMORY_MB)
    report.add("Celery alone", "percent of a core", "%", [percent for percent, _ in theirs])
    report.add("Celery alone", "memory", "MB", [memory for _, memory in theirs])


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "idle")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    arguments = parser.parse_args()
    report = Report({"rounds": arguments.rounds, "seconds": arguments.seconds} | machine_facts())
    with servers.valkey() as valkey, servers.postgres(servers.DURABLE) as postgres:
        counted = []
        for _ in range(arguments.rounds):
            with (
                tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as base,
                cluster_on(postgres.create_database(), f"{valkey}/0", Path(base), execute) as cluster,
            ):
                counted.append(asyncio.run(statements_a_second(cluster, arguments.seconds)))
        group = "API, two beats, two workers"
        report.add(group, "statements a second", "/s", counted, at_most=MAX_STATEMENTS)
        measure_up(report, f"{valkey}/1", arguments.rounds, arguments.seconds)
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
