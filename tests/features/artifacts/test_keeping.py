"""Storing artifacts of attempts in every place and database: what a run has, and what becomes garbage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select
from testkit.callers import ADMIN, ANN, BOB
from testkit.databases import add_running
from testkit.doubles import FakeClock
from tests.database_fixtures import ON_SQLITE
from tests.features.artifacts.conftest import collected

from scheduler_service.config.loading import load_settings
from scheduler_service.domain.records import Run
from scheduler_service.engine.log_writer import LeaseLostError
from scheduler_service.errors import ConfigurationError, NotFoundError, UnavailableError
from scheduler_service.features.artifacts import byte_store
from scheduler_service.features.artifacts.byte_store import ByteStoreError, Chunks, open_url
from scheduler_service.features.artifacts.keeper import ArtifactKeeper
from scheduler_service.features.artifacts.places import MAX_IN_DATABASE_BYTES, Places, open_places
from scheduler_service.features.artifacts.records import Place
from scheduler_service.features.artifacts.service import ArtifactService
from scheduler_service.features.artifacts.sweeper import ArtifactSweeper
from scheduler_service.features.artifacts.tables import artifacts
from scheduler_service.storage import runs
from scheduler_service.storage.claims import Claimed
from scheduler_service.storage.database import Database
from scheduler_service.storage.tables import jobs
from scheduler_service.storage.tables import runs as run_table

LARGE = bytes(range(256)) * 3000  # more than two chunks
FILES = {"a.txt": b"text", "deep/large.bin": LARGE, "empty": b""}


async def claimed(database: Database, run: Run) -> Claimed:
    async with database.read() as connection:
        return Claimed(run, await runs.job_of(connection, run))


async def contents(database: Database, places: Places, run_id: int) -> dict[str, bytes]:
    """Return the bytes of all artifacts of a run, as callers read them."""
    service = ArtifactService(database, places)
    found = {}
    for artifact in await service.of_run(ADMIN, run_id):
        chunks = await service.read(artifact, 0, artifact.size)
        found[artifact.name] = b"".join([chunk async for chunk in chunks])
    return found


async def count_rows(database: Database) -> int:
    async with database.read() as connection:
        return (await connection.execute(select(func.count()).select_from(artifacts))).scalar_one()


def files_below(path: Path) -> list[Path]:
    return [each for each in path.rglob("*") if each.is_file() and not each.name.startswith("scheduler.db")]


async def test_artifacts_are_read_back(database: Database, clock: FakeClock, places: Places) -> None:
    run = await add_running(database)

    kept = await ArtifactKeeper(database, clock, places).keep(await claimed(database, run), collected(FILES))

    assert kept.artifacts == tuple({"name": name, "size": len(data)} for name, data in FILES.items())
    assert kept.problems == ()
    assert await contents(database, places, run.id) == FILES


async def test_part_of_an_artifact_is_read(database: Database, clock: FakeClock, places: Places) -> None:
    run = await add_running(database)
    await ArtifactKeeper(database, clock, places).keep(await claimed(database, run), collected(FILES))
    service = ArtifactService(database, places)

    artifact = await service.get(ADMIN, run.id, "deep/large.bin")
    chunks = await service.read(artifact, 1000, 600_000)

    assert b"".join([chunk async for chunk in chunks]) == LARGE[1000:600_000]


@ON_SQLITE
async def test_artifacts_of_other_owners_are_not_found(database: Database, clock: FakeClock) -> None:
    run = await add_running(database)
    async with database.write() as connection:
        await connection.execute(jobs.update().values(owner_id="ann"))
    places = Places(Place.DATABASE, {})
    await ArtifactKeeper(database, clock, places).keep(await claimed(database, run), collected(FILES))
    service = ArtifactService(database, places)

    assert [each.name for each in await service.of_run(ANN, run.id)] == sorted(FILES)
    with pytest.raises(NotFoundError, match=f"there is no run {run.id}"):
        await service.of_run(BOB, run.id)
    with pytest.raises(NotFoundError, match=f"there is no run {run.id}"):
        await service.get(BOB, run.id, "a.txt")


async def test_next_attempt_replaces_artifacts(database: Database, clock: FakeClock, places: Places) -> None:
    run = await add_running(database)
    keeper = ArtifactKeeper(database, clock, places)
    await keeper.keep(await claimed(database, run), collected({"a": b"1", "b": b"1"}))
    async with database.write() as connection:
        await connection.execute(run_table.update().values(attempt=2))
    second = replace(run, attempt=2)

    await keeper.keep(await claimed(database, second), collected({"b": b"2"}))
    assert await contents(database, places, run.id) == {"b": b"2"}

    await keeper.keep(await claimed(database, second), collected({}))
    assert await contents(database, places, run.id) == {}


async def test_stale_attempt_cannot_change_artifacts(database: Database, clock: FakeClock, places: Places) -> None:
    run = await add_running(database)
    keeper = ArtifactKeeper(database, clock, places)
    await keeper.keep(await claimed(database, run), collected({"a": b"held"}))
    stale = [replace(run, attempt=2), replace(run, worker_id="other"), replace(run, fault_count=1)]

    for each in stale:
        with pytest.raises(LeaseLostError):
            await keeper.keep(await claimed(database, each), collected({"a": b"stale", "b": b"stale"}))

    assert await contents(database, places, run.id) == {"a": b"held"}


async def test_sweeper_deletes_what_belongs_to_no_run(
    database: Database, clock: FakeClock, places: Places, tmp_path: Path
) -> None:
    run = await add_running(database)
    keeper = ArtifactKeeper(database, clock, places)
    sweeper = ArtifactSweeper(database, clock, places)
    with pytest.raises(LeaseLostError):
        await keeper.keep(await claimed(database, replace(run, worker_id="other")), collected(FILES))
    await keeper.keep(await claimed(database, run), collected(FILES))

    await sweeper.sweep()
    assert await count_rows(database) == 6  # young ones may belong to an attempt that is still storing them

    clock.advance(3601)
    await sweeper.sweep()
    assert await count_rows(database) == 3
    assert await contents(database, places, run.id) == FILES

    async with database.write() as connection:
        await connection.execute(delete(run_table))
    await sweeper.sweep()
    assert await count_rows(database) == 0
    assert files_below(tmp_path) == []


@ON_SQLITE
async def test_large_artifact_is_refused_by_the_database(database: Database, clock: FakeClock) -> None:
    run = await add_running(database)
    places = Places(Place.DATABASE, {})
    files = {"fits": bytes(MAX_IN_DATABASE_BYTES), "large": bytes(MAX_IN_DATABASE_BYTES + 1)}

    kept = await ArtifactKeeper(database, clock, places).keep(await claimed(database, run), collected(files))

    assert [each["name"] for each in kept.artifacts] == ["fits"]
    (problem,) = kept.problems
    assert problem.startswith('artifact "large" is left out: it has 1048577 bytes')
    assert "SCHEDULER_ARTIFACTS_URL" in problem


class BrokenStore:
    """Fails at every call, as an object store does that cannot be reached."""

    async def put(self, _key: str, chunks: Chunks) -> None:
        list(chunks())
        raise ByteStoreError("no route to the store")

    async def read(self, _key: str, _start: int, _end: int) -> AsyncIterator[bytes]:
        raise ByteStoreError("no route to the store")
        yield b""

    async def delete(self, _key: str) -> None:
        raise ByteStoreError("no route to the store")


@ON_SQLITE
class TestABrokenStore:
    PLACES = Places(Place.URL, {Place.URL: BrokenStore()})

    async def test_problem_names_an_artifact_that_is_not_stored(self, database: Database, clock: FakeClock) -> None:
        run = await add_running(database)

        kept = await ArtifactKeeper(database, clock, self.PLACES).keep(
            await claimed(database, run), collected({"a": b"1"})
        )

        assert kept.artifacts == ()
        assert kept.problems == ('artifact "a" is left out: its store failed; the log of the worker says why',)
        assert await contents(database, self.PLACES, run.id) == {}

    async def test_rows_stay_until_the_bytes_are_deleted(self, database: Database, clock: FakeClock) -> None:
        run = await add_running(database)
        await ArtifactKeeper(database, clock, self.PLACES).keep(await claimed(database, run), collected({"a": b"1"}))
        clock.advance(3601)

        await ArtifactSweeper(database, clock, self.PLACES).sweep()
        assert await count_rows(database) == 1

    async def test_download_says_that_the_store_is_unavailable(
        self, database: Database, clock: FakeClock, tmp_path: Path
    ) -> None:
        run = await add_running(database)
        places = Places(Place.URL, {Place.URL: open_url(f"file://{tmp_path}/store")})
        await ArtifactKeeper(database, clock, places).keep(await claimed(database, run), collected({"a": b"1"}))
        service = ArtifactService(database, self.PLACES)

        with pytest.raises(UnavailableError, match="the store of this artifact failed"):
            await service.read(await service.get(ADMIN, run.id, "a"), 0, 1)
        with pytest.raises(NotFoundError):
            await service.get(ADMIN, run.id, "b")


class TestPlaces:
    def settings(self, tmp_path: Path, **changes: Any) -> Any:
        return load_settings(data_dir=tmp_path, **changes)

    def test_embedded_service_uses_its_data_directory(self, tmp_path: Path) -> None:
        assert open_places(self.settings(tmp_path)).current is Place.DATA_DIR

    def test_distributed_service_uses_the_database(self, tmp_path: Path) -> None:
        urls = {"database_url": "postgresql://localhost/x", "redis_url": "redis://localhost"}
        assert open_places(self.settings(tmp_path, **urls)).current is Place.DATABASE

    def test_configured_store_wins(self, tmp_path: Path) -> None:
        places = open_places(self.settings(tmp_path, artifacts_url=f"file://{tmp_path}/store"))
        assert (places.current, set(places.stores)) == (Place.URL, {Place.URL, Place.DATA_DIR})

    @pytest.mark.parametrize("url", ["store", "ftp://x", "s3://", "file://host/x", "file:///", "s3://b?x=1"])
    def test_other_addresses_are_refused(self, tmp_path: Path, url: str) -> None:
        with pytest.raises(ConfigurationError, match=r"ARTIFACTS_URL: not the address of a store"):
            self.settings(tmp_path, artifacts_url=url)

    def test_missing_library_stops_the_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(byte_store, "LIBRARY", "no_such_library")
        with pytest.raises(ConfigurationError, match=r"install scheduler-service\[artifacts\]"):
            open_url("s3://bucket/prefix")
