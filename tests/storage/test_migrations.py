"""Migrations lead to the tables that the code expects."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from tests.database_fixtures import redirected_to

from scheduler_service.storage import migrations
from scheduler_service.storage.database import Database
from scheduler_service.storage.migrations import HEAD, Upgrade


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


async def test_upgrade_applies_every_migration_once(empty_database: Database) -> None:
    async with empty_database.read() as connection:
        assert not await migrations.is_current(connection)

    assert await migrations.upgrade(empty_database) == Upgrade(None, HEAD)
    assert await migrations.upgrade(empty_database) == Upgrade(HEAD, HEAD)

    async with empty_database.read() as connection:
        assert await migrations.is_current(connection)
    await empty_database.close()
