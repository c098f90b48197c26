"""What all benchmarks have in common: figures as minimum, median and maximum, their aims, a table and a JSON file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

RESULTS = Path("benchmarks/results")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a report. `aim` is what the median is to be, and None where a figure is only told.

    `missing` says why there are no numbers.
    """

    group: str
    what: str
    unit: str
    low: float | None = None
    median: float | None = None
    high: float | None = None
    aim: str | None = None
    reached: bool | None = None
    missing: str | None = None


@dataclass(slots=True)
class Report:
    """The figures of one benchmark, and the facts that they depend on."""

    facts: dict[str, object]
    figures: list[Figure] = field(default_factory=list)

    def add(
        self,
        group: str,
        what: str,
        unit: str,
        values: Iterable[float],
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        """Enter the measured values, and the bound that their median is to keep to."""
        low, median, high = spread(values)
        aim = reached = None
        if at_most is not None:
            aim, reached = f"≤ {at_most:g}", median <= at_most
        elif at_least is not None:
            aim, reached = f"≥ {at_least:g}", median >= at_least
        self.figures.append(Figure(group, what, unit, low, median, high, aim, reached))

    def compare(
        self,
        group: str,
        what: str,
        ours: Iterable[float],
        theirs: Iterable[float],
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        """Enter the ratios of what was measured by turns, pair by pair."""
        ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
        self.add(group, what, "", ratios, at_most=at_most, at_least=at_least)

    def miss(self, group: str, what: str, why: str) -> None:
        """Enter a figure that could not be measured."""
        self.figures.append(Figure(group, what, "", missing=why))

    def show(self) -> None:
        """Print the report as a table."""
        print(", ".join(f"{name}: {value}" for name, value in self.facts.items()))
        width = max(len(figure.what) for figure in self.figures)
        for rank, figure in enumerate(self.figures):
            if rank == 0 or figure.group != self.figures[rank - 1].group:
                print(f"\n{figure.group:{width + 2}}{'':8}{'min':>11}{'median':>11}{'max':>11}  aim")
            print(f"  {figure.what:{width}}{figure.unit:>8}{_numbers(figure)}")

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def spread(values: Iterable[float]) -> tuple[float, float, float]:
    """Return minimum, median and maximum."""
    known = list(values)
    return min(known), statistics.median(known), max(known)


def machine_facts() -> dict[str, object]:
    """Return what numbers of seconds depend on most. `load` is how many processes wanted a processor before."""
    return {
        "processors": os.cpu_count(),
        "machine": platform.machine(),
        "Python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def options(description: str | None, name: str) -> argparse.ArgumentParser:
    """Return a parser that knows where the report of the benchmark `name` goes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--report", type=Path, default=RESULTS / f"{name}.json")
    return parser


def _numbers(figure: Figure) -> str:
    if figure.low is None or figure.median is None or figure.high is None:
        return f"  {figure.missing}"
    aim = "" if figure.aim is None else f"  {figure.aim}: {'reached' if figure.reached else 'missed'}"
    return "".join(f"{value:>11,.{_decimals(value)}f}" for value in (figure.low, figure.median, figure.high)) + aim


def _decimals(value: float) -> int:
    """Show three digits, or all before the point."""
    return next((decimals for decimals, most in ((3, 1), (2, 10), (1, 100)) if abs(value) < most), 0)
