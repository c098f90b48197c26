"""Migrations lead to the tables that the code expects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from testkit.databases import add_job
from tests.database_fixtures import redirected_to

from scheduler_service.storage import jobs, migrations
from scheduler_service.storage.database import Database
from scheduler_service.storage.migrations import CONNECTION, HEAD, Upgrade


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "postgresql":
        return redirected_to(request.getfixturevalue("postgres_url"))
    path = tmp_path / "scheduler.db"
    path.touch()
    return redirected_to(f"sqlite:///{path}")


def test_head_is_the_last_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))

    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def _move(connection: Connection, move: Callable[[Config, str], None], to: str) -> None:
    config = Config(attributes={CONNECTION: connection})
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    move(config, to)


async def test_schedule_of_a_job_survives_that_it_may_be_null(empty_database: Database) -> None:
    await migrations.upgrade(empty_database)
    job = await add_job(empty_database, schedule_expr="5m")
    for move, to in ((command.downgrade, "0018"), (command.upgrade, "head")):
        async with empty_database.write() as connection:
            await connection.run_sync(_move, move, to)
    async with empty_database.read() as connection:
        found = await jobs.find(connection, job.id)
    assert found == job
    await empty_database.close()


async def test_upgrade_applies_every_migration_once(empty_database: Database) -> None:
    async with empty_database.read() as connection:
        assert not await migrations.is_current(connection)

    assert await migrations.upgrade(empty_database) == Upgrade(None, HEAD)
    assert await migrations.upgrade(empty_database) == Upgrade(HEAD, HEAD)

    async with empty_database.read() as connection:
        assert await migrations.is_current(connection)
    await empty_database.close()
