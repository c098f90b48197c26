"""Runs a benchmark of the sandbox at one isolation level."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.shared.reports import Report

from scheduler_service.sandbox import Level, best_level, probe

Measure = Callable[[Level, int, Path], Awaitable[Report]]


def run_at_level(parser: argparse.ArgumentParser, measure: Measure, *, rounds: int) -> None:
    """Measure at the level of the command line, by default the best of this machine; print and write the report.

    `measure` gets the level, the number of rounds, and a directory for its files. `rounds` is the default number.
    """
    parser.add_argument("--level", type=Level, choices=[Level.STRICT, Level.STANDARD])
    parser.add_argument("--rounds", type=int, default=rounds)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as base:
        Path(base).chmod(0o711)

        async def measured() -> Report:
            return await measure(arguments.level or best_level(probe()), arguments.rounds, Path(base))

        report = asyncio.run(measured())
    report.show()
    report.write(arguments.report)
