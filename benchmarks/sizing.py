"""How many processors, slots and dispatchers an installation needs, computed from the cost of a fire and of a run.

`required` computes by division. `simulate` checks it: each run of some minutes waits for a dispatcher, a processor of
PostgreSQL and a slot, in the order of time. Replace the costs by those that the other benchmarks measure on machines of
your own.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from benchmarks.shared.reports import Report, machine_facts, options

BUSY_SHARE = 0.6
"""Processors and slots are busy for this share of the time. Above it, queues grow quickly."""
MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Costs:
    """Processor time in seconds: of PostgreSQL and the dispatcher for a fire, of PostgreSQL and a worker for a run."""

    fire_database: float = 45e-6
    fire_dispatcher: float = 18e-6
    run_database: float = 3.3e-3
    run_worker: float = 20.5e-3


@dataclass(frozen=True, slots=True)
class Load:
    """Jobs that fire every 100 seconds on average. `herd_share` of the runs of a minute are due at once."""

    jobs: int
    runs_a_second: float
    run_seconds: float = 1.0
    herd_share: float = 0.2
    herd_drain_seconds: float = 30.0

    @property
    def herd(self) -> int:
        """The runs that are due at once in each minute."""
        return int(self.runs_a_second * MINUTE * self.herd_share)

    @property
    def peak(self) -> float:
        """Runs a second while the herd is executed together with the others."""
        steady = self.runs_a_second * (1 - self.herd_share)
        return steady + self.herd / self.herd_drain_seconds


@dataclass(frozen=True, slots=True)
class Installation:
    """What is needed."""

    database_processors: int
    worker_processors: int
    slots: int
    dispatchers: int


def required(load: Load, costs: Costs) -> Installation:
    """Return the installation that executes each herd within its drain time, with reserve."""
    database = load.peak * (costs.fire_database + costs.run_database)
    fire_seconds = costs.fire_database + costs.fire_dispatcher
    return Installation(
        database_processors=math.ceil(database / BUSY_SHARE),
        worker_processors=math.ceil(load.peak * costs.run_worker / BUSY_SHARE),
        slots=math.ceil(load.peak * (load.run_seconds + costs.run_worker) / BUSY_SHARE),
        # Another one takes over if one fails.
        dispatchers=max(2, math.ceil(load.herd * fire_seconds / load.herd_drain_seconds) + 1),
    )


def simulate(load: Load, costs: Costs, installation: Installation, minutes: int = 2) -> Sequence[float]:
    """Return how long each run waited from its instant to its start, sorted."""
    dispatchers = [0.0] * installation.dispatchers
    processors = [0.0] * installation.database_processors
    slots = [0.0] * installation.slots
    waits = []
    for due in _instants(load, minutes):
        fired = _serve(dispatchers, due, costs.fire_database + costs.fire_dispatcher)
        claimed = _serve(processors, fired, costs.run_database)
        ended = _serve(slots, claimed, load.run_seconds + costs.run_worker)
        waits.append(ended - load.run_seconds - due)
    return sorted(waits)


def _serve(free_at: list[float], arrival: float, seconds: float) -> float:
    """Return when the first free server ends a service of so many seconds, and occupy it until then."""
    end = max(arrival, free_at[0]) + seconds
    heapq.heapreplace(free_at, end)
    return end


def _instants(load: Load, minutes: int) -> Iterator[float]:
    steady = int(load.runs_a_second * MINUTE) - load.herd
    for minute in range(minutes):
        yield from (minute * MINUTE for _ in range(load.herd))
        yield from (minute * MINUTE + MINUTE * number / steady for number in range(steady))


LOADS = (
    Load(jobs=1_000, runs_a_second=10),
    Load(jobs=10_000, runs_a_second=100),
    Load(jobs=100_000, runs_a_second=1_000),
    Load(jobs=1_000_000, runs_a_second=10_000),
)


def main() -> None:
    """Print a table of installations, with the waits that the simulation finds, and write a report."""
    parser = options(__doc__, "sizing")
    for name, cost in Costs.__dataclass_fields__.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=cost.default, metavar="SECONDS")
    given = vars(parser.parse_args())
    path = given.pop("report")
    costs = Costs(**given)
    report = Report(asdict(costs) | machine_facts())
    for load in LOADS:
        needed = required(load, costs)
        waits = simulate(load, costs, needed)
        if waits[-1] > load.herd_drain_seconds:
            raise SystemExit(f"a run waited for {waits[-1]:.1f} s")
        group = f"{load.jobs:,} jobs, {load.runs_a_second:,.0f} runs a second"
        report.add(group, "processors of PostgreSQL", "", [needed.database_processors])
        report.add(group, "processors of workers", "", [needed.worker_processors])
        report.add(group, "slots", "", [needed.slots])
        report.add(group, "beats", "", [needed.dispatchers])
        report.add(group, "wait, p50", "s", [waits[len(waits) // 2]])
        report.add(group, "wait, p99", "s", [waits[len(waits) * 99 // 100]])
    report.show()
    report.write(path)


if __name__ == "__main__":
    main()
