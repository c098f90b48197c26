"""Simulates one world after another in the same file, so that compiled statements are kept."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from testkit.databases import migrate

from faultlab.world.database import WorldDatabase, without_threads
from faultlab.world.verdict import violations_of
from faultlab.world.world import World

# Without disks, if the system has such a place.
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 (a directory of ours within it)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a world: how many runs it had, and which promises it broke."""

    seed: int
    runs: int
    violations: list[str]


@dataclass(frozen=True, slots=True)
class Worlds:
    """A file for one world at a time, and an empty, migrated one to begin each with."""

    database: WorldDatabase
    path: Path
    template: sqlite3.Connection

    @classmethod
    @asynccontextmanager
    async def opened(cls) -> AsyncIterator[Self]:
        """Yield the files, which are deleted at the end."""
        with tempfile.TemporaryDirectory(prefix="world-", dir=_MEMORY) as directory:
            empty, path = Path(directory, "template.db"), Path(directory, "world.db")
            await migrate(f"sqlite:///{empty}")
            database = WorldDatabase(f"sqlite+aiosqlite:///{path}")
            with without_threads(), closing(sqlite3.connect(empty)) as template:
                yield cls(database, path, template)
                await database.close()

    async def simulate(self, seed: int, spoil: Callable[[Path], None] = lambda _: None) -> Result:
        """Simulate a world and return what became of it. Tests change its rows by `spoil` before they are checked."""
        with closing(sqlite3.connect(self.path)) as target:
            self.template.backup(target)
        world = World(self.database, self.path, seed)
        with closing(world.watch):
            await world.run()
            spoil(self.path)
            ((runs,),) = world.watch.rows("SELECT count(*) FROM runs")
            return Result(seed, runs, await violations_of(world))
