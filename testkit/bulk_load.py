"""What makes the storing of many rows quick: no triggers, no indexes until the end, fresh statistics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.storage.database import Database

_CACHE_KIB = 2_000_000


@asynccontextmanager
async def without_triggers(connection: AsyncConnection, table: str, trigger: str) -> AsyncIterator[None]:
    """Disable a trigger within a transaction. For runs on PostgreSQL, also the checks of foreign keys."""
    if connection.dialect.name == "postgresql":
        if table == "runs":
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
            yield
            return
        await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}"))
        yield
        await connection.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}"))
        return
    query = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = :name"
    kept = (await connection.execute(text(query), {"name": trigger})).scalar_one()
    await connection.execute(text(f"DROP TRIGGER {trigger}"))
    yield
    await connection.exec_driver_sql(kept)


@asynccontextmanager
async def without_indexes(database: Database, table: str, *, needed: bool) -> AsyncIterator[None]:
    """Drop the indexes of a table that no constraint needs, and build them again at the end of the block."""
    if not needed:
        yield
        return
    async with database.write() as connection:
        if database.is_sqlite:
            await connection.execute(text(f"PRAGMA cache_size = -{_CACHE_KIB}"))
            query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :name AND sql IS NOT NULL"
        else:
            query = (
                "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = :name "
                "AND indexname NOT LIKE 'pk_%'"
            )
        kept = (await connection.execute(text(query), {"name": table})).all()
        for name, _ in kept:
            await connection.execute(text(f"DROP INDEX {name}"))
    yield
    for _, statement in kept:
        async with database.write() as connection:
            if not database.is_sqlite:
                await connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
            await connection.exec_driver_sql(statement)


async def analyze(database: Database) -> None:
    """Refresh the statistics of PostgreSQL, and mark what all transactions see. The service keeps none on SQLite."""
    if database.is_sqlite:
        return
    async with database.read() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")  # VACUUM refuses to run in a transaction
        await connection.execute(text("VACUUM ANALYZE"))
