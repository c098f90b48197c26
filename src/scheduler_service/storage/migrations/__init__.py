"""The steps from one shape of the tables to the next, for both databases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.storage.database import Database

HEAD = "0004"
"""The revision that this version of the code expects."""
# Any number will do, if all that migrate use the same.
ADVISORY_LOCK = 0x5C_4E_D0_1E
CONNECTION = "connection"

log = structlog.get_logger(__name__)

# Alembic's own.
_versions = Table("alembic_version", MetaData(), Column("version_num", String(32)))


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The revisions of the tables before and after; None: there were no tables."""

    before: str | None
    after: str | None


async def upgrade(database: Database) -> Upgrade:
    """Bring the tables to the newest shape, in one transaction. Of several that start at once, one does it."""
    async with database.write() as connection:
        change = await connection.run_sync(_upgrade)
    if change.before != change.after:
        log.info("database_migrated", before=change.before, after=change.after)
    return change


async def is_current(connection: AsyncConnection) -> bool:
    """Say whether the tables have the shape that this version of the code expects."""
    return await connection.run_sync(_revision) == HEAD


def _upgrade(connection: Connection) -> Upgrade:
    before = _revision(connection)
    if before != HEAD:
        _take_the_steps(connection)
    return Upgrade(before, _revision(connection))


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_versions.name):
        return None
    revision: str | None = connection.execute(select(_versions.c.version_num)).scalar_one_or_none()
    return revision


def _take_the_steps(connection: Connection) -> None:
    # Imported here: it takes a fifth of a start, and most starts find nothing to do.
    from alembic import command  # noqa: PLC0415 (slow)
    from alembic.config import Config  # noqa: PLC0415 (slow)

    config = Config(attributes={CONNECTION: connection})
    config.set_main_option("script_location", str(Path(__file__).parent))
    command.upgrade(config, "head")
