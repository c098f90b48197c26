"""What containment costs, measured side by side: each pair alternates in one run, so that the ratios travel.

python benchmarks/sandbox.py [--level strict|standard] [--json report.json] [--rounds 40]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from scheduler_service.sandbox import Command, Level, PythonCode, Script, Spec, WarmSandbox, best_level, probe
from scheduler_service.sandbox.layers import Layer

PI = """import numpy as np
rng = np.random.default_rng(42)
points = rng.random((10_000, 2))
print(f"pi is about {4 * ((points ** 2).sum(axis=1) <= 1).mean():.3f}")
"""
SHELL = "echo started\nseq 100 | sort -rn | head -1\n"
PAUSE_SECONDS = 0.02  # a worker is not always busy; throughput is measured without it
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"]}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One pair: seconds of each side and the ratio of each round, as minimum, median and maximum."""

    what: str
    ours_ms: tuple[float, float, float]
    theirs_ms: tuple[float, float, float]
    ratio: tuple[float, float, float]
    goal: str
    reached: bool


async def timed(action: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await action()
    return time.perf_counter() - began


async def compare(
    what: str,
    ours: Callable[[], Awaitable[object]],
    theirs: Callable[[], Awaitable[object]],
    most: float,
    rounds: int,
) -> Comparison:
    """Alternate both sides; `most` is the greatest median ratio that is good enough."""
    pairs = []
    for _ in range(rounds + 3):
        first = await timed(ours)
        await asyncio.sleep(PAUSE_SECONDS)
        pairs.append((first, await timed(theirs)))
        await asyncio.sleep(PAUSE_SECONDS)
    pairs = pairs[3:]
    ratio = spread([ours / theirs for ours, theirs in pairs])
    ours_ms, theirs_ms = (spread([pair[side] * 1000 for pair in pairs]) for side in (0, 1))
    return Comparison(what, ours_ms, theirs_ms, ratio, f"≤ {most:g} times", ratio[1] <= most)


def spread(values: list[float]) -> tuple[float, float, float]:
    return min(values), statistics.median(values), max(values)


def in_sandbox(sandbox: WarmSandbox, command: Command) -> Callable[[], Awaitable[object]]:
    async def drop(_: bytes) -> None:
        pass

    async def run() -> None:
        outcome = await sandbox.run(Spec(command), drop, asyncio.Event())
        if outcome.exit_code != 0:
            raise SystemExit(f"the run failed: {outcome}")

    return run


def as_process(*argv: str) -> Callable[[], Awaitable[object]]:
    """The naive way: what a worker does that calls `subprocess.run`."""

    async def run() -> None:
        await asyncio.to_thread(subprocess.run, argv, check=True, capture_output=True, env=ONE_THREAD)

    return run


def in_bubblewrap(script: Path) -> Callable[[], Awaitable[object]]:
    words = (
        "--ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --unshare-all --die-with-parent --new-session --clearenv"
    )
    return as_process("bwrap", *words.split(), "--ro-bind", str(script), "/tmp/job", "bash", "/tmp/job")  # noqa: S108


async def throughput(action: Callable[[], Awaitable[object]], workers: int, each: int) -> float:
    """Give runs per second of `workers` that start one run after the other."""

    async def work() -> None:
        for _ in range(each):
            await action()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(workers)))
    return workers * each / (time.perf_counter() - began)


def memory_mb(pid: int) -> tuple[float, float]:
    """Give the zygote's proportional memory and the private memory of each process that waits below it, in MB."""
    family = [pid]
    for one in family:
        for thread in Path(f"/proc/{one}/task").iterdir():
            family += map(int, (thread / "children").read_text().split())
    private = [_rollup(one, "Private_Dirty") for one in family]
    return sum(_rollup(one, "Pss") for one in family) / 1024, statistics.median(private[2:] or private) / 1024


def _rollup(pid: int, field: str) -> int:
    return int(Path(f"/proc/{pid}/smaps_rollup").read_text().partition(f"{field}:")[2].split()[0])


async def measure(level: Level, rounds: int, base: Path) -> dict[str, object]:
    sandbox = WarmSandbox(level, base / "layers", 2)
    bare = WarmSandbox(level, base / "bare", 2, without=frozenset(Layer))
    await asyncio.gather(sandbox.start(), bare.start())
    pi, script = base / "pi.py", base / "job.sh"
    pi.write_text(PI)
    script.write_text(SHELL)
    naive = as_process(sys.executable, str(pi))
    warm = in_sandbox(sandbox, PythonCode(PI))
    comparisons = [
        await compare("numpy π: sandbox / subprocess.run", warm, naive, 0.08, rounds),
        await compare("all layers / same zygote, none", warm, in_sandbox(bare, PythonCode(PI)), 1.25, rounds),
    ]
    if shutil.which("bwrap"):
        shell = in_sandbox(sandbox, Script(SHELL))
        comparisons.append(await compare("shell: sandbox / bubblewrap", shell, in_bubblewrap(script), 0.9, rounds))
    await asyncio.sleep(0.5)
    family_mb, child_mb = memory_mb(sandbox.zygote_pids["default"] or 0)
    naive_rate, warm_rate = await throughput(naive, 1, rounds), await throughput(warm, 2, rounds * 4)
    naive_pair_rate = await throughput(naive, 2, rounds)
    await asyncio.gather(sandbox.stop(), bare.stop())
    return {
        "level": level,
        "comparisons": [asdict(comparison) for comparison in comparisons],
        "runs_per_second": {
            "naive, 1 at a time": naive_rate,
            "naive, 2 workers": naive_pair_rate,
            "sandbox, 2 workers": warm_rate,
        },
        "times_naive": {"1 at a time": warm_rate / naive_rate, "2 workers": warm_rate / naive_pair_rate},
        "memory_mb": {"zygote with its waiting children, PSS": family_mb, "private to each waiting child": child_mb},
    }


def show(report: dict[str, object]) -> None:
    """Print the report as a table."""
    print(f"level {report['level']}, {os.cpu_count()} processors\n")
    print(f"{'':36} {'ours ms':>22} {'theirs ms':>24} {'ratio min/med/max':>22}  goal")
    for row in report["comparisons"]:  # type: ignore[attr-defined]
        sides = ["/".join(f"{value:.1f}" for value in row[side]) for side in ("ours_ms", "theirs_ms")]
        ratio = "/".join(f"{value:.3f}" for value in row["ratio"])
        goal = f"{row['goal']}: {'reached' if row['reached'] else 'missed'}"
        print(f"{row['what']:36} {sides[0]:>22} {sides[1]:>24} {ratio:>22}  {goal}")
    for title in ("runs_per_second", "times_naive", "memory_mb"):
        print(f"\n{title}")
        for name, value in report[title].items():  # type: ignore[attr-defined]
            print(f"  {name:40} {value:8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--level", type=Level, choices=[Level.STRICT, Level.STANDARD])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as base:
        Path(base).chmod(0o711)
        report = asyncio.run(measure(arguments.level or best_level(probe()), arguments.rounds, Path(base)))
    show(report)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
