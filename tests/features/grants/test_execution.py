"""Runs with grants in a whole service: a backup with a grant of four lines, and a run whose grant has been narrowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from testkit.callers import ADMIN
from tests.engine.conftest import create, until
from tests.features.alerts.receiver import Receiver
from tests.features.alerts.steps import add_rule, requests_to

from scheduler_service.bootstrap import open_service
from scheduler_service.config.loading import load_settings
from scheduler_service.config.settings import Settings
from scheduler_service.domain.run_state import Reason, RunStatus
from scheduler_service.errors import ConfigurationError
from scheduler_service.features.grants.service import GrantService


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Directories of a host: data to read, and a place for backups."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "customers.csv").write_text("name\nAda\n")
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup").chmod(0o1777)
    return tmp_path


def settings_with(host: Path, database_url: str, owners: str = "") -> Settings:
    (host / "grants.toml").write_text(f'[backup]\nread = ["{host}/data"]\nwrite = ["{host}/backup"]\n{owners}\n')
    return load_settings(
        database_url=database_url,
        data_dir=host / "service",
        grants_file=host / "grants.toml",
        slots=2,
        drain_seconds=0.5,
    )


async def test_backup_runs_with_a_grant_of_four_lines(host: Path, database_url: str) -> None:
    script = f"tar -czf {host}/backup/archive.tar.gz -C {host} data && tar -tzf {host}/backup/archive.tar.gz"
    async with open_service(settings_with(host, database_url)) as service:
        job = await create(service, {"type": "shell_script", "script": script}, grants=["backup"])
        run = await service.jobs.run(ADMIN, job.id)
        detail = await until(service, run.id, RunStatus.SUCCESS, RunStatus.FAILED)
        (offered,) = await service.feature(GrantService).offered(ADMIN)

    assert detail.view.logs == "data/\ndata/customers.csv\n"
    assert detail.view.run.grants == ["backup"]
    assert (host / "backup" / "archive.tar.gz").stat().st_size > 0
    assert len(offered.workers) == 1


async def test_failed_run_names_what_the_sandbox_refused(host: Path, database_url: str) -> None:
    code = "import socket; socket.create_connection(('192.0.2.7', 5432), 5)"
    async with open_service(settings_with(host, database_url)) as service:
        job = await create(service, {"type": "python_code", "code": code})
        run = await service.jobs.run(ADMIN, job.id)
        ended = (await until(service, run.id, RunStatus.FAILED)).view.run

    assert ended.reason is Reason.EXIT_CODE
    assert (ended.message or "").startswith("the sandbox refused ")
    assert "name a grant whose connect covers " in (ended.message or "")


async def test_next_run_fails_and_alerts_when_its_grant_is_gone(host: Path, database_url: str) -> None:
    async with Receiver() as receiver:
        async with open_service(settings_with(host, database_url)) as service:
            job = await create(service, {"type": "shell_script", "script": "true"}, grants=["backup"], owner_id="ann")
            await add_rule(service, f"{receiver.url}/told", "failure", owner_id="ann")
        async with open_service(settings_with(host, database_url, owners='owners = ["bob"]')) as service:
            run = await service.jobs.run(ADMIN, job.id)
            detail = await until(service, run.id, RunStatus.SUCCESS, RunStatus.FAILED)
            (told,) = await requests_to(receiver, "/told", 1)

    assert (detail.view.run.status, detail.view.run.reason) == (RunStatus.FAILED, Reason.REJECTED)
    assert "grant" in (detail.view.run.message or "")
    assert told.json["run_id"] == run.id


async def test_start_is_refused_if_a_grant_covers_the_service(host: Path, database_url: str) -> None:
    settings = settings_with(host, database_url)
    (host / "grants.toml").write_text(f'[all]\nread = ["{host}"]\n')
    with pytest.raises(ConfigurationError, match=r"SCHEDULER_GRANTS_FILE: grant 'all': .* covers .*service"):
        async with open_service(settings):
            pass
