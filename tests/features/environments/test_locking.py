"""A lock belongs to the version of a job: it is stored with the job, and changes only when somebody asks for it."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.callers import ADMIN, ANN, BOB
from testkit.doubles import FakeClock, RecordingBroker
from testkit.package_index import IndexServer

from scheduler_service.domain.environment_lock import EnvironmentState
from scheduler_service.domain.listing import JobFilter, Page
from scheduler_service.errors import ConflictError, InvalidInputError, NotFoundError
from scheduler_service.features.environments import store
from scheduler_service.features.environments.index import PackageIndex
from scheduler_service.features.environments.lock_text import names_in
from scheduler_service.features.environments.resolver import Resolver
from scheduler_service.features.environments.rules import PackageRules
from scheduler_service.features.environments.service import EnvironmentService
from scheduler_service.services.job_definition import JobDefinition
from scheduler_service.services.jobs import JobService
from scheduler_service.storage.database import Database


class Setting:
    """The services of jobs and environments on one database and one index."""

    def __init__(self, database: Database, clock: FakeClock, index: IndexServer, rules: PackageRules) -> None:
        self.database, self.clock = database, clock
        self.environments = EnvironmentService(database, clock, Resolver(PackageIndex(index.url)), rules)
        self.jobs = JobService(database, RecordingBroker(), clock, lambda: None, packages=self.environments)

    async def create(self, *requirements: str, **changes: Any) -> Any:
        payload = {"type": "python_code", "code": "print(1)", "requirements": list(requirements)}
        document = {"name": "a job", "schedule_expr": "@daily", "payload": payload, **changes}
        return await self.jobs.create(ADMIN, JobDefinition.model_validate(document))

    async def packages(self, job: Any) -> list[str]:
        return names_in((await self.environments.get(ADMIN, job.environment_id)).lock)


@pytest.fixture
def setting(database: Database, clock: FakeClock, index: IndexServer) -> Setting:
    return Setting(database, clock, index, PackageRules())


async def test_created_job_has_an_environment_to_build(setting: Setting) -> None:
    job = await setting.create("alpha")
    environment = await setting.environments.get(ADMIN, job.environment_id)
    assert environment.state is EnvironmentState.BUILDING
    assert environment.requirements == ["alpha"]
    assert await setting.packages(job) == ["alpha==1.0", "beta==2.0"]


async def test_jobs_with_the_same_lock_share_an_environment(setting: Setting) -> None:
    first, second = await setting.create("alpha"), await setting.create("alpha", "beta>=2")
    assert first.environment_id == second.environment_id
    assert len(await setting.environments.list_all(ADMIN)) == 1


async def test_edit_keeps_the_lock_and_relock_renews_it(setting: Setting, index: IndexServer) -> None:
    job = await setting.create("alpha")
    index.add("beta", "3.0")
    edited = await setting.jobs.patch(ADMIN, job.id, {"name": "another name", "payload": {"code": "print(2)"}})
    assert edited.environment_id == job.environment_id

    relocked = await setting.jobs.relock(ADMIN, job.id)
    assert await setting.packages(relocked) == ["alpha==1.0", "beta==3.0"]
    assert relocked.version == edited.version + 1


async def test_new_requirements_get_a_new_lock(setting: Setting) -> None:
    job = await setting.create("beta")
    edited = await setting.jobs.patch(ADMIN, job.id, {"payload": {"requirements": ["beta<2"]}})
    assert await setting.packages(edited) == ["beta==1.0"]
    without = await setting.jobs.patch(ADMIN, job.id, {"payload": {"requirements": []}})
    assert without.environment_id is None


async def test_nothing_is_stored_if_requirements_are_unsolvable(setting: Setting) -> None:
    with pytest.raises(InvalidInputError):
        await setting.create("beta>=9")
    job = await setting.create("beta")
    with pytest.raises(InvalidInputError):
        await setting.jobs.patch(ADMIN, job.id, {"name": "new", "payload": {"requirements": ["beta>=9"]}})
    assert (await setting.jobs.get(ADMIN, job.id)) == job
    assert (await setting.jobs.page(ADMIN, JobFilter(), Page())).total == 1
    assert len(await setting.environments.list_all(ADMIN)) == 1


async def test_relock_builds_a_failed_environment_again(setting: Setting) -> None:
    job = await setting.create("beta")
    failed = {"state": EnvironmentState.FAILED, "log": "no space"}
    async with setting.database.write() as connection:
        await store.note(connection, job.environment_id, failed)
    assert (await setting.jobs.relock(ADMIN, job.id)).version == job.version
    environment = await setting.environments.get(ADMIN, job.environment_id)
    assert (environment.state, environment.log) == (EnvironmentState.BUILDING, "")


async def test_job_without_requirements_cannot_be_relocked(setting: Setting) -> None:
    job = await setting.create()
    with pytest.raises(ConflictError, match="no requirements"):
        await setting.jobs.relock(ADMIN, job.id)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (PackageRules(are_allowed=False), "SCHEDULER_PACKAGES is deny"),
        (PackageRules(never=["Beta"]), "forbids the package beta"),
        (PackageRules(only=["alpha"]), "does not allow the package beta"),
    ],
)
async def test_operator_refuses_packages_and_dependencies(
    database: Database, clock: FakeClock, index: IndexServer, rules: PackageRules, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        await Setting(database, clock, index, rules).create("alpha")


async def test_owner_sees_the_environments_of_own_jobs_only(setting: Setting) -> None:
    job = await setting.create("beta", owner_id="ann")
    assert [each.id for each in await setting.environments.list_all(ANN)] == [job.environment_id]
    assert await setting.environments.list_all(BOB) == []
    with pytest.raises(NotFoundError):
        await setting.environments.get(BOB, job.environment_id)


async def test_prune_deletes_old_environments_without_jobs(setting: Setting) -> None:
    kept, dropped = await setting.create("beta"), await setting.create("beta<2")
    await setting.jobs.patch(ADMIN, dropped.id, {"payload": {"requirements": []}})
    later = setting.clock.advance(60)
    async with setting.database.write() as connection:
        assert await store.prune(connection, later, 10) == 1
    assert [each.id for each in await setting.environments.list_all(ADMIN)] == [kept.environment_id]
