"""Compares simulated ledgers with those of the real engine on a virtual clock: `python -m faultlab.simulations`.

Each world is a database with 25 random jobs that share outages. It prints a line for each world and ends with 1 if a
ledger differs. `--seed` repeats one world.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import structlog
from testkit.doubles import FakeClock
from testkit.scenarios import JOBS, differing

from scheduler_service.storage import migrations
from scheduler_service.storage.database import Database

WORLDS = 20


def main() -> int:
    """Compare everything, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=WORLDS, help=f"worlds of {JOBS} jobs (default {WORLDS})")
    parser.add_argument("--seed", type=int, help="only this world")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    return asyncio.run(_compare(range(given.worlds) if given.seed is None else [given.seed]))


async def _compare(seeds: Sequence[int]) -> int:
    wrong = 0
    for seed in seeds:
        with tempfile.TemporaryDirectory() as directory:
            database = Database(f"sqlite+aiosqlite:///{Path(directory) / 'world.db'}")
            await migrations.upgrade(database)
            found = await differing(database, FakeClock(), seed)
            await database.close()
        wrong += len(found)
        print(f"world {seed}: {JOBS} jobs, {len(found)} differences", flush=True)
        for line in found:
            print(f"  {line}")
    print(f"{wrong} differences in {len(seeds) * JOBS} jobs")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
