"""Packages of Python jobs, from the real index: the first build, later runs, and many environments at once.

A service in one process builds pandas, requests and matplotlib. Then runs that import pandas alternate between this
environment and the default one, which has pandas too. At last, environments with different locks come up together, and
their memory and disk space are counted.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.shared.reports import Report, machine_facts, options
from testkit.callers import ADMIN
from testkit.waiting import eventually

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.config.loading import load_settings
from scheduler_service.domain.run_state import TERMINAL, RunStatus
from scheduler_service.errors import UnavailableError
from scheduler_service.features.environments.service import EnvironmentService
from scheduler_service.features.environments.tree import measure_tree
from scheduler_service.sandbox.accounting.process_stats import children_of
from scheduler_service.sandbox.package_zygotes import memory_kb
from scheduler_service.services.job_definition import JobDefinition

REQUIREMENTS = ("pandas", "requests", "matplotlib")
CODE = "import pandas\nprint(pandas.DataFrame({'a': [1, 2]}).a.sum())"
# Small pure packages, each of which has its own lock.
MANY = (
    "attrs", "boltons", "cachetools", "click", "colorama", "decorator", "filelock", "idna", "iniconfig", "itsdangerous",
    "markupsafe", "more-itertools", "packaging", "pluggy", "pygments", "pyparsing", "pytz", "six", "toolz", "zipp",
)  # fmt: skip
CACHE_MB, MEMORY_MB = 2048, 512


@asynccontextmanager
async def service_in(directory: Path) -> AsyncIterator[Service]:
    """Yield a service on SQLite in one process."""
    settings = load_settings(data_dir=directory, slots=2, package_cache_mb=CACHE_MB, package_memory_mb=MEMORY_MB)
    async with open_service(settings) as service:
        yield service


async def create(service: Service, code: str, *requirements: str) -> int:
    """Create a job that runs on demand."""
    payload = {"type": "python_code", "code": code, "requirements": list(requirements)}
    document = {"name": "packages", "schedule_expr": "2099-01-01T00:00:00Z", "payload": payload}
    return (await service.jobs.create(ADMIN, JobDefinition.model_validate(document))).id


async def run(service: Service, job: int) -> float:
    """Run a job, and return the seconds from its start to its end."""
    queued = await service.jobs.run(ADMIN, job)

    async def look() -> float | None:
        ended = (await service.runs.get(ADMIN, queued.id)).view.run
        if ended.status not in TERMINAL or ended.started_at is None or ended.finished_at is None:
            return None
        if ended.status is not RunStatus.SUCCESS:
            raise SystemExit(f"a run has failed: {ended.message}")
        return (ended.finished_at - ended.started_at).total_seconds()

    return float(await eventually(look, deadline_seconds=300, pause_seconds=0.01))


async def measure_first_build(report: Report) -> None:
    """Measure a build with an empty cache, from the request to the end of the first run."""
    with tempfile.TemporaryDirectory() as directory:
        async with service_in(Path(directory)) as service:
            began = time.monotonic()
            job = await create(service, CODE, *REQUIREMENTS)
            locked = time.monotonic()
            await run(service, job)
            report.add("first build", "lock", "s", [locked - began])
            report.add(
                "first build", "request to the end of the first run", "s", [time.monotonic() - began], at_most=30
            )


async def measure_later_runs(report: Report, rounds: int) -> None:
    """Alternate runs with the packages and runs in the default environment."""
    with tempfile.TemporaryDirectory() as directory:
        async with service_in(Path(directory)) as service:
            packaged, plain = await create(service, CODE, *REQUIREMENTS), await create(service, CODE)
            for job in (packaged, plain):
                await run(service, job)
            pairs = [(await run(service, packaged), await run(service, plain)) for _ in range(rounds)]
            report.add("later run", "with packages", "s", [first for first, _ in pairs])
            report.add("later run", "default environment", "s", [second for _, second in pairs])
            report.add("later run", "ratio", "", [first / second for first, second in pairs], at_most=1.3)


async def measure_many(report: Report) -> None:
    """Run once in each of many environments, and count what they take."""
    with tempfile.TemporaryDirectory() as directory:
        async with service_in(Path(directory)) as service:
            for name in MANY:
                await run(service, await create(service, f"import importlib; print({name!r})", name))
            again = await create(service, "print(1)", MANY[0])
            await run(service, again)
            built = list((Path(directory) / "environments").glob("*-*/"))
            stored = await service.feature(EnvironmentService).list_all(ADMIN)
            report.facts["environments"] = len(stored)
            report.add("20 environments", "on disk", "", [len([path for path in built if path.is_dir()])], at_most=20)
            report.add("20 environments", "disk space", "MiB", [_mib(Path(directory))], at_most=CACHE_MB)
            memory = sum(map(memory_kb, children_of(os.getpid()))) / 1024
            report.add("20 environments", "memory of all processes", "MiB", [memory], at_most=MEMORY_MB)


async def measure(report: Report, rounds: int) -> None:
    """Measure all."""
    await measure_first_build(report)
    await measure_later_runs(report, rounds)
    await measure_many(report)


def _mib(directory: Path) -> float:
    return measure_tree(directory / "environments") / (1 << 20)


def main() -> None:
    """Print a table and write a report."""
    parser = options(__doc__, "packages")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    report = Report({"rounds": arguments.rounds} | machine_facts())
    try:
        asyncio.run(measure(report, arguments.rounds))
    except UnavailableError as error:
        report.miss("packages", "all figures", str(error))
    report.show()
    report.write(arguments.report)


if __name__ == "__main__":
    main()
