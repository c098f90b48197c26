"""Simulates worlds and checks every promise in each: `python -m faultlab.world --seeds 10000`.

It prints a line for each broken promise and a summary now and then, and ends with 1 if a promise was broken.
`--from N --seeds 1` repeats one world.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

import structlog

from faultlab.world.campaign import Worlds

SEEDS = 10_000
SHOWN_EVERY = 100


def main() -> int:
    """Simulate the worlds, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"number of worlds (default {SEEDS})")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed (default 0)")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    return asyncio.run(_simulate(given.first, given.seeds))


async def _simulate(first: int, count: int) -> int:
    begun, broken, runs = time.monotonic(), 0, 0
    async with Worlds.opened() as worlds:
        for done, seed in enumerate(range(first, first + count), start=1):
            result = await worlds.simulate(seed)
            broken += len(result.violations)
            runs += result.runs
            for line in result.violations:
                print(f"seed {seed}: {line}", flush=True)
            if done % SHOWN_EVERY == 0 or done == count:
                passed = time.monotonic() - begun
                print(f"{done} worlds, {runs} runs, {broken} violations, {passed:.0f} s", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
