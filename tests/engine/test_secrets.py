"""Runs of jobs with secrets, on each database: what the code gets, and what is left of it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from testkit.callers import ADMIN
from tests.engine.conftest import SHARED, create, run_to_its_end, settings_for, until

from scheduler_service.bootstrap import Service, open_service
from scheduler_service.domain.run_state import TERMINAL, Reason, RunStatus
from scheduler_service.errors import InvalidInputError
from scheduler_service.features.secrets.definition import SecretValue
from scheduler_service.features.secrets.service import SecretService

pytestmark = SHARED

VALUE = "correct horse 'ü'"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    settings = settings_for(shared_database_url, tmp_path_factory.mktemp("data"))
    key = base64.b64encode(bytes(32)).decode()
    settings = settings.model_validate({**settings.model_dump(), "secrets_key": key})
    async with open_service(settings) as service:
        yield service


async def put(service: Service, name: str, value: str = VALUE) -> None:
    await service.feature(SecretService).put(ADMIN, None, name, SecretValue(value=value))


def measuring(*files: str) -> dict[str, str]:
    """Return a payload that writes how many bytes each file has, which reveals no secret."""
    return {"type": "shell_script", "script": f'printf %s "$DB" | wc -c; cat {" ".join(files)} | wc -c'}


async def test_run_gets_secrets_as_variables_and_files(service: Service) -> None:
    await put(service, "db")
    detail = await run_to_its_end(service, measuring("d/e"), secrets={"DB": "db", "./d/e": "db"})
    size = len(VALUE.encode())
    assert detail.view.logs == f"{size}\n{size}\n"


async def test_unknown_secret_is_refused_by_name(service: Service) -> None:
    await put(service, "db")
    with pytest.raises(InvalidInputError, match=r'secrets\.A: unknown secret "other"; available: db'):
        await create(service, measuring("/dev/null"), secrets={"A": "other"})
    job = await create(service, measuring("/dev/null"))
    with pytest.raises(InvalidInputError, match=r'unknown secret "other"'):
        await service.jobs.patch(ADMIN, job.id, {"secrets": {"A": "other"}})


async def test_secret_of_another_owner_is_unknown(service: Service) -> None:
    await put(service, "db")
    with pytest.raises(InvalidInputError, match="this owner has none"):
        await create(service, measuring("/dev/null"), secrets={"A": "db"}, owner_id="ann")
    job = await create(service, measuring("/dev/null"), secrets={"A": "db"})
    with pytest.raises(InvalidInputError, match="this owner has none"):
        await service.jobs.patch(ADMIN, job.id, {"owner_id": "ann"})


async def test_run_is_rejected_if_its_secret_was_deleted(service: Service) -> None:
    await put(service, "gone")
    job = await create(service, measuring("/dev/null"), secrets={"DB": "gone"}, retry_policy={"max_retries": 3})
    await service.feature(SecretService).delete(ADMIN, None, "gone")
    run = (await until(service, (await service.jobs.run(ADMIN, job.id)).id, *TERMINAL)).view.run
    assert (run.status, run.reason) == (RunStatus.FAILED, Reason.REJECTED)
    assert run.message == 'the secret "gone" does not exist any more; set it again'


async def test_files_of_the_service_hold_no_value(service: Service) -> None:
    value = "a-value-found-nowhere-else"
    await put(service, "traced", value)
    await run_to_its_end(service, measuring("e"), secrets={"DB": "traced", "./e": "traced"})
    assert value.encode() not in everything_in(service.settings.data_dir)


def everything_in(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())
