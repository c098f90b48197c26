"""The tables come to the newest shape, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from tests.database_fixtures import led_to

from scheduler_service.storage import migrations
from scheduler_service.storage.database import Database
from scheduler_service.storage.migrations import HEAD, Upgrade


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "postgresql":
        return led_to(request.getfixturevalue("postgres_url"))
    path = tmp_path / "scheduler.db"
    path.touch()
    return led_to(f"sqlite:///{path}")


def test_the_code_expects_what_the_last_step_leads_to() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))

    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


async def test_takes_every_step_and_then_none(empty_database: Database) -> None:
    async with empty_database.read() as connection:
        assert not await migrations.is_current(connection)

    assert await migrations.upgrade(empty_database) == Upgrade(None, HEAD)
    assert await migrations.upgrade(empty_database) == Upgrade(HEAD, HEAD)

    async with empty_database.read() as connection:
        assert await migrations.is_current(connection)
    await empty_database.close()
