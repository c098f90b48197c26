"""What a direct writer does that SQLAlchemy's connection does not."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from testkit.databases import NOON

from scheduler_service.storage import claims, finishing
from scheduler_service.storage.database import Database

CLAIMS = 10  # PostgreSQL compares its two kinds of plans after five executions
_plans = text("SELECT sum(custom_plans) AS custom, sum(generic_plans) AS generic FROM pg_prepared_statements")


@pytest.fixture
def database_url(migrated_postgres_url: str) -> str:
    return migrated_postgres_url


async def test_claim_and_end_are_planned_once(database: Database) -> None:
    async def claim_and_count(connection: Any) -> tuple[int, int]:
        for _ in range(CLAIMS):
            await claims.claim(connection, "w", NOON, 1)
            await finishing.finish_all(connection, [])
        row = (await connection.driver.fetch(str(_plans)))[0]
        return row["custom"], row["generic"]

    custom, generic = await database.direct().write(claim_and_count)
    assert custom == 0
    assert generic >= 2 * CLAIMS


async def test_pool_gets_no_connection_of_a_closed_writer(database: Database) -> None:
    writer = database.direct()

    await writer.write(lambda connection: claims.claim(connection, "w", NOON, 1))
    await writer.close()

    async with database.read() as connection:
        mode = (await connection.execute(text("SHOW plan_cache_mode"))).scalar_one()
    assert mode == "auto"


async def test_transaction_of_several_statements_is_undone_as_one(database: Database) -> None:
    async def create_and_fail(connection: Any) -> None:
        await connection.driver.execute("CREATE TABLE half_way ()")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.direct().transact(create_and_fail)

    async with database.read() as connection:
        assert (await connection.execute(text("SELECT to_regclass('half_way')"))).scalar_one() is None
