"""Keys: who may create them, what is stored of them, and when they work."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from testkit.callers import ADMIN, ANN
from testkit.doubles import FakeClock, Stopwatch

from scheduler_service.domain.caller import Scope
from scheduler_service.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from scheduler_service.features.keys.definition import KeyDefinition, Rotation
from scheduler_service.features.keys.service import FRESH_SECONDS, KeyService
from scheduler_service.features.keys.tables import api_keys, key_pepper
from scheduler_service.storage.database import Database

OF_ANN = KeyDefinition(owner_id="ann", name="nightly")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def keys(database: Database, clock: FakeClock, watch: Stopwatch) -> KeyService:
    return KeyService(database, clock, watch)


async def test_new_key_is_a_caller_of_its_owner_with_its_scopes(keys: KeyService) -> None:
    created = await keys.create(ADMIN, KeyDefinition(owner_id="ann", scopes=[Scope.READ]))
    caller = await keys.caller_of(created.text)
    assert caller is not None
    assert caller.bound == "ann"
    assert caller.scopes == frozenset({Scope.READ})


async def test_admin_key_reaches_every_owner_and_may_do_everything(keys: KeyService) -> None:
    caller = await keys.caller_of((await keys.create(ADMIN, KeyDefinition(scopes=[Scope.ADMIN]))).text)
    assert caller is not None
    assert caller.bound is None
    assert caller.scopes == frozenset(Scope)


async def test_database_holds_no_secret(database: Database, keys: KeyService) -> None:
    created = await keys.create(ADMIN, OF_ANN)
    secret = created.text.split("_", 2)[2]
    async with database.read() as connection:
        stored = [repr((await connection.execute(select(table))).all()) for table in (api_keys, key_pepper)]
    assert secret not in str(stored)


async def test_text_that_is_not_the_whole_key_is_nobody(keys: KeyService) -> None:
    text = (await keys.create(ADMIN, OF_ANN)).text
    other = "A" if text[-1] != "A" else "B"
    for wrong in (
        text[:-1],
        text[:-1] + other,
        text + "A",
        text.upper(),
        text.replace("sk_", "sk-"),
        "sk__",
        "",
        "sk_",
    ):
        assert await keys.caller_of(wrong) is None


async def test_secret_of_one_key_does_not_open_another(keys: KeyService) -> None:
    one, two = [(await keys.create(ADMIN, OF_ANN)).text for _ in range(2)]
    assert await keys.caller_of("_".join([*one.split("_", 2)[:2], two.split("_", 2)[2]])) is None


async def test_key_stops_at_its_expiry(keys: KeyService, clock: FakeClock) -> None:
    created = await keys.create(ADMIN, KeyDefinition(owner_id="ann", expires_at=clock.now() + timedelta(hours=1)))
    assert await keys.caller_of(created.text) is not None
    clock.advance(3600)
    assert await keys.caller_of(created.text) is None


async def test_key_that_would_be_expired_is_refused(keys: KeyService, clock: FakeClock) -> None:
    with pytest.raises(InvalidInputError, match="expires_at: must lie in the future"):
        await keys.create(ADMIN, KeyDefinition(owner_id="ann", expires_at=clock.now()))


async def test_revoked_key_stops_here_at_once_and_elsewhere_in_seconds(
    database: Database, keys: KeyService, clock: FakeClock, watch: Stopwatch
) -> None:
    elsewhere = KeyService(database, clock, watch)
    created = await keys.create(ADMIN, OF_ANN)
    assert await elsewhere.caller_of(created.text) is not None

    await keys.revoke(ADMIN, created.key.public_id)

    assert await keys.caller_of(created.text) is None
    watch.seconds += FRESH_SECONDS
    assert await elsewhere.caller_of(created.text) is None
    with pytest.raises(NotFoundError):
        await keys.revoke(ADMIN, created.key.public_id)


async def test_rotated_key_works_beside_the_new_one_for_the_overlap(keys: KeyService, clock: FakeClock) -> None:
    old = await keys.create(ADMIN, OF_ANN)
    new = await keys.rotate(ADMIN, old.key.public_id, Rotation(overlap_seconds=60))

    assert await keys.caller_of(old.text) == await keys.caller_of(new.text) is not None
    clock.advance(60)
    assert await keys.caller_of(old.text) is None
    assert await keys.caller_of(new.text) is not None
    with pytest.raises(ConflictError):
        await keys.rotate(ADMIN, old.key.public_id, Rotation())


async def test_rotation_never_extends_a_key(keys: KeyService, clock: FakeClock) -> None:
    ends = clock.now() + timedelta(seconds=30)
    old = await keys.create(ADMIN, KeyDefinition(owner_id="ann", expires_at=ends))
    await keys.rotate(ADMIN, old.key.public_id, Rotation(overlap_seconds=3600))
    assert (await keys.get(ADMIN, old.key.public_id)).expires_at == ends


async def test_last_use_is_noted_once_a_minute(keys: KeyService, clock: FakeClock, watch: Stopwatch) -> None:
    created = await keys.create(ADMIN, OF_ANN)
    noted = []
    for seconds in (0, 30, 31):
        clock.advance(seconds)
        watch.seconds += FRESH_SECONDS
        await keys.caller_of(created.text)
        noted.append((await keys.get(ADMIN, created.key.public_id)).last_used_at)
    assert noted == [clock.now() - timedelta(seconds=61)] * 2 + [clock.now()]


async def test_only_an_administrator_manages_keys(keys: KeyService) -> None:
    created = await keys.create(ADMIN, OF_ANN)
    for call in (
        keys.create(ANN, OF_ANN),
        keys.list_keys(ANN),
        keys.get(ANN, created.key.public_id),
        keys.rotate(ANN, created.key.public_id, Rotation()),
        keys.revoke(ANN, created.key.public_id),
    ):
        with pytest.raises(ForbiddenError, match="admin"):
            await call


async def test_revoked_key_cannot_be_rotated(keys: KeyService) -> None:
    created = await keys.create(ADMIN, KeyDefinition(owner_id="ann"))
    await keys.revoke(ADMIN, created.key.public_id)
    with pytest.raises(ConflictError, match="revoked or expired"):
        await keys.rotate(ADMIN, created.key.public_id, Rotation())
