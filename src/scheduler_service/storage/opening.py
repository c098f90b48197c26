"""Opens the configured database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scheduler_service.config.settings import Settings
from scheduler_service.errors import ConfigurationError, UnavailableError
from scheduler_service.storage.database import Database


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database within the block. Raise as `Database.check` does, with the name of the setting."""
    database = Database(settings.effective_database_url)
    try:
        await _check(database, "SCHEDULER_DATA_DIR" if settings.database_url is None else "DATABASE_URL")
        yield database
    finally:
        await database.close()


async def _check(database: Database, variable: str) -> None:
    try:
        await database.check()
    except ConfigurationError as error:
        raise ConfigurationError(f"{variable}: {error}") from error
    except UnavailableError as error:
        raise UnavailableError(
            f"{variable}: {error}; start it (`docker compose up -d postgres redis`; "
            "`scheduler up --distributed` starts its own), or remove DATABASE_URL and REDIS_URL: "
            "one process with SQLite needs neither"
        ) from error
