"""The steps from one shape of the tables to the next, for both databases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.storage.database import Database

# Read from the names of the files: Alembic takes a tenth of a second to import.
HEAD = max(path.name[:4] for path in (Path(__file__).parent / "versions").glob("[0-9]*.py"))
"""The revision that this version of the code expects."""
# Any number will do, if all that migrate use the same.
ADVISORY_LOCK = 0x5C_4E_D0_1E
CONNECTION = "connection"

log = structlog.get_logger(__name__)

# Alembic's own.
_versions = Table("alembic_version", MetaData(), Column("version_num", String(32)))
_version = select(_versions.c.version_num)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The revisions of the tables before and after; None: there were no tables."""

    before: str | None
    after: str | None

    def __str__(self) -> str:
        """Return a sentence about it."""
        if self.before == self.after:
            return f"The database is up to date, at revision {self.after}."
        return f"The database went from {_named(self.before)} to {_named(self.after)}."


async def upgrade(database: Database) -> Upgrade:
    """Bring the tables to the newest shape, in one transaction. Of several that start at once, one does it."""
    async with database.write() as connection:
        change = await connection.run_sync(_upgrade)
    if change.before != change.after:
        log.info("database_migrated", before=change.before, after=change.after)
    return change


async def is_current(connection: AsyncConnection) -> bool:
    """Return whether the tables have the shape that this version of the code expects."""
    try:
        found = (await connection.execute(_version)).scalar_one_or_none()
    except DBAPIError as error:
        if _lacks_table(error):
            return False
        raise
    return bool(found == HEAD)


def lock(connection: Connection) -> None:
    """Wait until no other process migrates, and keep others from it until the end of the transaction."""
    if connection.dialect.name == "postgresql":
        # A migration may take any time, and may wait for another process that migrates.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})


def revision(connection: Connection) -> str | None:
    """Return the revision of the tables; None if there are no tables."""
    if not inspect(connection).has_table(_versions.name):
        return None
    found: str | None = connection.execute(_version).scalar_one_or_none()
    return found


def _lacks_table(error: DBAPIError) -> bool:
    undefined_table = "42P01"  # PostgreSQL's manual, appendix A
    return getattr(error.orig, "sqlstate", None) == undefined_table or "no such table" in str(error.orig)


def _named(revision: str | None) -> str:
    return "no tables" if revision is None else f"revision {revision}"


def _upgrade(connection: Connection) -> Upgrade:
    if (before := revision(connection)) == HEAD:
        return Upgrade(before, before)
    lock(connection)
    before = revision(connection)  # another process may have migrated meanwhile
    if before != HEAD:
        _take_the_steps(connection)
    return Upgrade(before, revision(connection))


def _take_the_steps(connection: Connection) -> None:
    # Imported here: it takes a fifth of a start, and most starts find nothing to do.
    from alembic import command  # noqa: PLC0415 (slow)
    from alembic.config import Config  # noqa: PLC0415 (slow)

    config = Config(attributes={CONNECTION: connection})
    config.set_main_option("script_location", str(Path(__file__).parent))
    command.upgrade(config, "head")
