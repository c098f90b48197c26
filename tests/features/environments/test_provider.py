"""What a provider remembers, and what lists of environments leave out."""

from __future__ import annotations

import pytest
from testkit.databases import NOON
from testkit.doubles import FakeClock

from scheduler_service.domain.environment_lock import EnvironmentFailedError, EnvironmentLock
from scheduler_service.features.environments import store
from scheduler_service.features.environments.builder import EnvironmentBuilder
from scheduler_service.features.environments.provider import FAILED_SECONDS, EnvironmentProvider
from scheduler_service.features.environments.rules import PackageRules
from scheduler_service.storage.database import Database


def no_builder() -> EnvironmentBuilder:
    raise AssertionError("an environment without a stored lock is not built")


async def test_failures_of_long_ago_are_forgotten(database: Database) -> None:
    now = 0.0
    provider = EnvironmentProvider(database, FakeClock(), no_builder, PackageRules(), monotonic=lambda: now)
    for number in range(3):
        with pytest.raises(EnvironmentFailedError, match="not the one"):
            await provider._join(f"{number:032x}")[1]
        now += FAILED_SECONDS
    assert len(provider._failed) == 1


async def test_list_leaves_out_the_logs(database: Database) -> None:
    async with database.write() as connection:
        await store.keep(connection, EnvironmentLock("e" * 32, "# cpython\n", ("a",)), NOON)
        await store.note(connection, "e" * 32, {"log": "long"})
        (listed,) = await store.list_all(connection)
        found = await store.find(connection, "e" * 32)
    assert (listed.log, listed.lock, found and found.log) == ("", "# cpython\n", "long")
