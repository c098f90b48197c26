"""Secrets in the database: who reaches them, what is stored, and the rotation of the key."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from testkit.callers import ADMIN, ANN
from testkit.databases import add_job
from testkit.doubles import FakeClock

from scheduler_service.domain.secrets import SecretRefusedError
from scheduler_service.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from scheduler_service.features.secrets import service
from scheduler_service.features.secrets.definition import SecretValue
from scheduler_service.features.secrets.keyring import Keyring
from scheduler_service.features.secrets.opener import SecretOpener
from scheduler_service.features.secrets.service import SecretService
from scheduler_service.features.secrets.tables import secrets as table
from scheduler_service.storage.database import Database

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
VALUE = SecretValue(value="correct horse")
OTHER = SecretValue(value="battery staple")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def secrets(database: Database, clock: FakeClock) -> SecretService:
    return SecretService(database, clock, Keyring([OLD]))


@pytest.fixture
def opener(database: Database, clock: FakeClock) -> SecretOpener:
    return SecretOpener(database, clock, Keyring([OLD]))


async def test_database_holds_no_value(database: Database, secrets: SecretService) -> None:
    await secrets.put(ANN, None, "db", VALUE)
    async with database.read() as connection:
        stored = repr((await connection.execute(select(table))).all())
    assert VALUE.value not in stored


async def test_second_value_replaces_the_first(
    database: Database, secrets: SecretService, opener: SecretOpener, clock: FakeClock
) -> None:
    created = await secrets.put(ANN, None, "db", VALUE)
    clock.advance(5)
    assert created is not None
    assert await secrets.put(ANN, None, "db", OTHER) is None

    secret = await secrets.get(ANN, None, "db")
    assert (secret.created_at, secret.updated_at) == (clock.now() - timedelta(seconds=5), clock.now())
    job = await add_job(database, owner_id="ann", secrets={"DB": "db"})
    assert await opener.values_of(job) == {"db": OTHER.value}


async def test_two_requests_can_create_the_same_secret(secrets: SecretService) -> None:
    created = await asyncio.gather(*(secrets.put(ANN, None, "db", VALUE) for _ in range(5)))
    assert len([secret for secret in created if secret is not None]) == 1


async def test_number_of_secrets_of_an_owner_is_bounded(
    secrets: SecretService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_SECRETS_OF_OWNER", 1)
    await secrets.put(ANN, None, "one", VALUE)
    await secrets.put(ANN, None, "one", OTHER)
    with pytest.raises(ConflictError, match="at most 1 secrets"):
        await secrets.put(ANN, None, "two", VALUE)


async def test_owners_have_secrets_of_the_same_name(
    database: Database, secrets: SecretService, opener: SecretOpener
) -> None:
    await secrets.put(ADMIN, "ann", "db", VALUE)
    await secrets.put(ADMIN, "bob", "db", OTHER)

    for owner, value in (("ann", VALUE), ("bob", OTHER)):
        job = await add_job(database, owner_id=owner, secrets={"DB": "db"})
        assert await opener.values_of(job) == {"db": value.value}
    assert [secret.owner_id for secret in await secrets.list_secrets(ADMIN, None)] == ["ann", "bob"]
    assert [secret.owner_id for secret in await secrets.list_secrets(ADMIN, "bob")] == ["bob"]
    assert [secret.owner_id for secret in await secrets.list_secrets(ANN, None)] == ["ann"]


async def test_caller_reaches_only_the_secrets_of_its_owner(secrets: SecretService) -> None:
    await secrets.put(ADMIN, "bob", "db", VALUE)
    for call in (secrets.get(ANN, None, "db"), secrets.delete(ANN, None, "db")):
        with pytest.raises(NotFoundError):
            await call
    foreign = (secrets.get(ANN, "bob", "db"), secrets.delete(ANN, "bob", "db"), secrets.put(ANN, "bob", "x", VALUE))
    for attempt in foreign:
        with pytest.raises(InvalidInputError, match="owner_id: this key belongs to the owner 'ann'"):
            await attempt


async def test_deleted_secret_is_refused_by_name(
    database: Database, secrets: SecretService, opener: SecretOpener
) -> None:
    await secrets.put(ANN, None, "db", VALUE)
    job = await add_job(database, owner_id="ann", secrets={"DB": "db"})
    await secrets.delete(ANN, None, "db")
    with pytest.raises(SecretRefusedError, match='the secret "db" does not exist any more'):
        await opener.values_of(job)


async def test_use_is_noted_once_a_minute(
    database: Database, secrets: SecretService, opener: SecretOpener, clock: FakeClock
) -> None:
    await secrets.put(ANN, None, "db", VALUE)
    job = await add_job(database, owner_id="ann", secrets={"DB": "db"})
    noted = []
    for seconds in (0, 30, 30):
        clock.advance(seconds)
        await opener.values_of(job)
        noted.append((await secrets.get(ANN, None, "db")).last_used_at)
    assert noted == [clock.now() - timedelta(seconds=60)] * 2 + [clock.now()]


async def test_rotation_makes_the_old_key_superfluous(
    database: Database, secrets: SecretService, clock: FakeClock
) -> None:
    await secrets.put(ANN, None, "one", VALUE)
    await secrets.put(ADMIN, "bob", "two", OTHER)
    rotating = SecretService(database, clock, Keyring([NEW, OLD]))

    assert [(await rotating.rotate_key(ADMIN)).count for _ in range(2)] == [2, 0]

    job = await add_job(database, owner_id="ann", secrets={"DB": "one"})
    assert await SecretOpener(database, clock, Keyring([NEW])).values_of(job) == {"one": VALUE.value}
    with pytest.raises(ForbiddenError):
        await rotating.rotate_key(ANN)


async def test_rotation_changes_nothing_if_a_key_is_missing(
    database: Database, secrets: SecretService, clock: FakeClock
) -> None:
    await secrets.put(ANN, None, "one", VALUE)
    await secrets.put(ANN, None, "two", VALUE)
    async with database.write() as connection:
        await connection.execute(update(table).where(table.c.name == "two").values(key_id="00000000"))
    with pytest.raises(ConflictError, match="'two' of 'ann': its key 00000000 is not in SCHEDULER_SECRETS_KEY"):
        await SecretService(database, clock, Keyring([NEW, OLD])).rotate_key(ADMIN)
    assert (await secrets.get(ANN, None, "one")).key_id == Keyring([OLD]).key_id


async def test_without_a_key_nothing_is_stored(database: Database, clock: FakeClock) -> None:
    keyless = SecretService(database, clock, Keyring())
    for call in (keyless.put(ANN, None, "db", VALUE), keyless.rotate_key(ADMIN)):
        with pytest.raises(ConflictError, match="set SCHEDULER_SECRETS_KEY"):
            await call
    assert await keyless.list_secrets(ADMIN, None) == []
