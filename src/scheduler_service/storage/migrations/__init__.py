"""The steps from one shape of the tables to the next, for both databases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.storage.database import Database

# Any number will do, if all that migrate use the same.
ADVISORY_LOCK = 0x5C_4E_D0_1E
CONNECTION = "connection"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The revisions of the tables before and after; None: there were no tables."""

    before: str | None
    after: str | None


async def upgrade(database: Database) -> Upgrade:
    """Bring the tables to the newest shape, in one transaction. Of several that start at once, one does it."""
    async with database.write() as connection:
        return await connection.run_sync(_upgrade)


async def is_current(connection: AsyncConnection) -> bool:
    """Say whether the tables have the shape that this version of the code expects."""
    return await connection.run_sync(_current) == _head()


def _upgrade(connection: Connection) -> Upgrade:
    before = _current(connection)
    command.upgrade(_config(**{CONNECTION: connection}), "head")
    return Upgrade(before, _current(connection))


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


@cache
def _head() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config(**attributes: Any) -> Config:
    config = Config(attributes=attributes)
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config
