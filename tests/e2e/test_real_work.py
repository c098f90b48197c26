"""Real work in the sandbox: pandas on a file that came with the job, numbers, and a backup with a grant of four lines.

As root and as a plain user, at `strict` and at `standard`, embedded and distributed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from testkit.callers import ADMIN
from testkit.cluster import client_of, cluster_on
from testkit.commands import up
from testkit.programs import Process, Start, program
from testkit.waiting import wait_until
from tests.sandbox import settings as sandbox_settings

from scheduler_service.domain.run_state import TERMINAL

pytestmark = pytest.mark.long

LEVELS = ("strict", "standard")
SETTINGS = (sandbox_settings.ROOT, sandbox_settings.USER)
CSV = "city,people\nUlm,126\nBonn,331\nKiel,246\n"
FAR = "2099-01-01T00:00:00Z"


def jobs_in(directory: Path) -> dict[str, dict[str, Any]]:
    """Return the three jobs, and what the output of each must hold."""
    archive = f"{directory}/backup/data.tar.gz"
    return {
        "234.33": {
            "name": "Describe",
            "files": {"data.csv": {"text": CSV}},
            "payload": {
                "type": "python_code",
                "code": "import pandas as pd\nprint(pd.read_csv('data.csv').describe().round(2).to_string())",
            },
        },
        "832040": {"name": "Fibonacci", "payload": {"type": "number_crunching", "operation": "fibonacci", "n": 30}},
        "data/customers.csv": {
            "name": "Backup",
            "grants": ["backup"],
            "payload": {
                "type": "shell_script",
                "script": f"tar -czf {archive} {directory}/data && tar -tzf {archive}",
            },
        },
    }


@contextmanager
def host() -> Iterator[Path]:
    """Make data, a place for backups, and the grant of four lines, where every user reaches them."""
    with tempfile.TemporaryDirectory(prefix="real-work-", dir="/tmp") as name:
        directory = Path(name)
        for child in ("data", "backup", "service"):
            (directory / child).mkdir()
            (directory / child).chmod(0o777)
        directory.chmod(0o755)
        (directory / "data" / "customers.csv").write_text("name\nAda\n")
        grant = f'[backup]\nread = ["{directory}/data"]\nwrite = ["{directory}/backup"]\n'
        (directory / "grants.toml").write_text(grant)
        yield directory


def begin_as(setting: str) -> Start:
    """Return a way to start programs in a setting of the sandbox's tests."""

    def begin(
        words: Sequence[str], directory: Path, environment: Mapping[str, str], stdout: Path, stderr: Path
    ) -> Process:
        for stream in (stdout, stderr):
            stream.touch()
            stream.chmod(0o666)
        enter = [
            sys.executable,
            str(Path(sandbox_settings.__file__)),
            setting,
            sys.executable,
            str(program(words[0])),
            *words[1:],
        ]
        with stdout.open("ab") as out, stderr.open("ab") as err:
            return subprocess.Popen(
                enter,
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                process_group=0,
            )

    return begin


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_embedded_service_does_real_work(setting: str, level: str) -> None:
    if setting == sandbox_settings.ROOT and os.geteuid() != 0:
        pytest.skip("the setting of root needs root")
    with host() as directory:
        variables = {"SCHEDULER_SANDBOX": level, "SCHEDULER_GRANTS_FILE": str(directory / "grants.toml")}
        with up(directory / "service", begin_as(setting), **variables) as service:
            for expected, job in jobs_in(directory).items():
                created = service.call("POST", "jobs", {"schedule_expr": FAR, **job})
                run_id = service.call("POST", f"jobs/{created['id']}/run")["id"]

                def ended(run_id: int = run_id) -> Any:
                    run = service.call("GET", f"runs/{run_id}")
                    return run if run["status"] in TERMINAL else None

                run = wait_until(ended)
                assert run["status"] == "success", (job["name"], run["message"], run["logs"])
                assert run["isolation"]["level"] == level
                assert expected in run["logs"]
        assert (directory / "backup" / "data.tar.gz").stat().st_size > 0


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("setting", SETTINGS)
async def test_distributed_service_does_real_work(
    setting: str, level: str, migrated_postgres_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if setting == sandbox_settings.ROOT and os.geteuid() != 0:
        pytest.skip("the setting of root needs root")
    with host() as directory:
        variables = {"SCHEDULER_SANDBOX": level, "SCHEDULER_GRANTS_FILE": str(directory / "grants.toml")}
        monkeypatch.setenv("SCHEDULER_GRANTS_FILE", variables["SCHEDULER_GRANTS_FILE"])  # for the request side
        begin = begin_as(setting)
        with cluster_on(migrated_postgres_url, redis_url, directory / "service", begin, **variables) as cluster:
            await cluster.start_worker()
            async with client_of(cluster) as client:
                for expected, job in jobs_in(directory).items():
                    job_id = await client.create("", schedule_expr=FAR, **job)
                    (run_id,) = await client.run(job_id)
                    run = await client.until(run_id, *TERMINAL)
                    assert run.status == "success", (job["name"], run.message)
                    assert (run.isolation or {})["level"] == level
                    detail = await client.service.runs.get(ADMIN, run_id)
                    assert expected in detail.view.logs
