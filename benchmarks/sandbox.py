"""What containment costs, measured side by side: each pair alternates in one run, so that the ratios travel."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.shared.processor_time import descendants_faults, descendants_ms, own_ms, warm_fork_ms
from benchmarks.shared.reports import Report, machine_facts, options
from benchmarks.shared.sandbox_levels import run_at_level

from scheduler_service.sandbox import Command, Level, PythonCode, Script, Spec, ZygoteSandbox
from scheduler_service.sandbox.contract.command import job_environment
from scheduler_service.sandbox.contract.layers import Layer

PI = """import numpy as np
rng = np.random.default_rng(42)
points = rng.random((10_000, 2))
print(f"pi is about {4 * ((points ** 2).sum(axis=1) <= 1).mean():.3f}")
"""
SHELL = "echo started\nseq 100 | sort -rn | head -1\n"
PAUSE_SECONDS = 0.02  # a worker is not always busy; throughput is measured without it
# All that a naive child is given, so that no variable of the caller makes its numpy slower or faster.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"]}
WARM_UP = 3
THROUGHPUT_ROUNDS = 7
PROCESSOR_ROUNDS = 5
REST_SECONDS = 0.3
MAX_FAULTS = 900
GIBIBYTE = "import os\nb = (b'y' * 1023 + b'\\n') * 64\nfor _ in range(16384): os.write(1, b)\n"
Action = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Contenders:
    """What is measured against each other; `bubblewrap` is None where it is not installed."""

    pi: Action
    naive_pi: Action
    bare_pi: Action
    shell: Action
    bubblewrap: Action | None
    gibibyte: Action


async def timed(action: Action) -> float:
    began = time.perf_counter()
    await action()
    return time.perf_counter() - began


async def compare(report: Report, group: str, ours: Action, theirs: Action, at_most: float, rounds: int) -> None:
    """Alternate both sides; `at_most` is the greatest median ratio that is good enough."""
    pairs = []
    for _ in range(rounds + WARM_UP):
        first = await timed(ours)
        await asyncio.sleep(PAUSE_SECONDS)
        pairs.append((first, await timed(theirs)))
        await asyncio.sleep(PAUSE_SECONDS)
    del pairs[:WARM_UP]
    report.add(group, "sandbox", "ms", [ours * 1000 for ours, _ in pairs])
    report.add(group, "the other", "ms", [theirs * 1000 for _, theirs in pairs])
    report.add(group, "ratio", "", [ours / theirs for ours, theirs in pairs], at_most=at_most)


def in_sandbox(sandbox: ZygoteSandbox, command: Command) -> Action:
    async def drop(_: bytes) -> None:
        pass

    async def run() -> None:
        outcome = await sandbox.run(Spec(command), drop, asyncio.Event())
        if outcome.exit_code != 0:
            raise SystemExit(f"the run failed: {outcome}")

    return run


def as_process(*argv: str) -> Action:
    """The naive way: what a worker does that calls `subprocess.run`."""

    async def run() -> None:
        await asyncio.to_thread(subprocess.run, argv, check=True, capture_output=True, env=ONE_THREAD)

    return run


def in_bubblewrap(script: Path) -> Action:
    """The same script with the same environment: a locale, for one, is read again by each program of a pipeline."""
    words = (
        "--ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --unshare-all --die-with-parent --new-session --clearenv"
    )
    environment = job_environment("/tmp", "job", {})  # noqa: S108 (its own)
    variables = [word for name, value in environment.items() for word in ("--setenv", name, value)]
    home = ("--ro-bind", str(script), "/tmp/job")  # noqa: S108
    return as_process("bwrap", *words.split(), *variables, *home, "bash", "/tmp/job")  # noqa: S108


async def throughput(action: Action, workers: int, each: int) -> float:
    """Return runs per second of `workers` that start one run after the other."""

    async def work() -> None:
        for _ in range(each):
            await action()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(workers)))
    return workers * each / (time.perf_counter() - began)


async def compare_throughput(report: Report, contenders: Contenders, each: int) -> None:
    """Alternate the three ways, each without a pause between its runs."""
    group = "π, runs a second, without pauses"
    rounds = [
        (
            await throughput(contenders.naive_pi, 1, each),
            await throughput(contenders.naive_pi, 2, each // 2),
            await throughput(contenders.pi, 2, each * 4),
        )
        for _ in range(THROUGHPUT_ROUNDS)
    ]
    report.add(group, "subprocess.run, one after the other", "/s", [alone for alone, _, _ in rounds])
    report.add(group, "subprocess.run, 2 workers", "/s", [pair for _, pair, _ in rounds])
    report.add(group, "sandbox, 2 workers", "/s", [ours for _, _, ours in rounds])
    report.add(group, "times one after the other", "", [ours / alone for alone, _, ours in rounds], at_least=15)
    report.add(group, "times 2 workers", "", [ours / pair for _, pair, ours in rounds])


async def measure_processor_time(report: Report, contenders: Contenders, each: int) -> None:
    """Measure what a run costs all processes together, and beside it the least that it can cost."""
    group = "π, processor time of a run"
    service, sandbox, faults, floor = [], [], [], []
    for _ in range(PROCESSOR_ROUNDS):
        own, below, pages = own_ms(), descendants_ms(), descendants_faults()
        await throughput(contenders.pi, 2, each)
        await asyncio.sleep(REST_SECONDS)  # until the next runs are prepared
        service.append((own_ms() - own) / (2 * each))
        sandbox.append((descendants_ms() - below) / (2 * each))
        faults.append((descendants_faults() - pages) / (2 * each))
        floor.append(await asyncio.to_thread(warm_fork_ms, PI))
    report.add(group, "service", "ms", service)
    report.add(group, "sandbox", "ms", sandbox)
    report.add(group, "page faults of the sandbox", "", faults, at_most=MAX_FAULTS)
    report.add(group, "fork of a warm interpreter", "ms", floor)
    report.add(
        group, "sandbox to fork", "", [ours / least for ours, least in zip(sandbox, floor, strict=True)], at_most=3
    )


async def measure_output(report: Report, contenders: Contenders) -> None:
    """Measure the time and the worker's memory that a gibibyte of output takes."""
    group = "a gibibyte of output"
    before = forget_peak()
    report.add(group, "seconds", "s", [await timed(contenders.gibibyte)], at_most=10)
    report.add(group, "memory of the worker, more by", "MB", [own_memory_mb("VmHWM") - before], at_most=64)


def forget_peak() -> float:
    """Reset the peak of our memory. Return the memory now, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return own_memory_mb("VmRSS")


def own_memory_mb(field: str) -> float:
    return int(Path("/proc/self/status").read_text().partition(f"{field}:")[2].split()[0]) / 1024


def memory_mb(pid: int) -> tuple[float, float]:
    """Return the zygote's proportional memory and the private memory of each process that waits below it, in MB."""
    family = [pid]
    for one in family:
        for thread in Path(f"/proc/{one}/task").iterdir():
            family += map(int, (thread / "children").read_text().split())
    private = [_rollup(one, "Private_Dirty") for one in family]
    return sum(_rollup(one, "Pss") for one in family) / 1024, statistics.median(private[2:] or private) / 1024


def _rollup(pid: int, field: str) -> int:
    return int(Path(f"/proc/{pid}/smaps_rollup").read_text().partition(f"{field}:")[2].split()[0])


async def measure(level: Level, rounds: int, base: Path) -> Report:
    sandbox = ZygoteSandbox(level, base / "layers", 2)
    bare = ZygoteSandbox(level, base / "bare", 2, without=frozenset(Layer))
    await asyncio.gather(sandbox.start(), bare.start())
    pi, script = base / "pi.py", base / "job.sh"
    pi.write_text(PI)
    script.write_text(SHELL)
    contenders = Contenders(
        pi=in_sandbox(sandbox, PythonCode(PI)),
        naive_pi=as_process(sys.executable, str(pi)),
        bare_pi=in_sandbox(bare, PythonCode(PI)),
        shell=in_sandbox(sandbox, Script(SHELL)),
        bubblewrap=in_bubblewrap(script) if shutil.which("bwrap") else None,
        gibibyte=in_sandbox(sandbox, PythonCode(GIBIBYTE)),
    )
    report = Report({"level": level.value, "rounds": rounds} | machine_facts())
    await compare_all(report, contenders, rounds)
    await asyncio.sleep(0.5)
    zygote_mb, child_mb = memory_mb(sandbox._environments["default"].pid or 0)  # noqa: SLF001 (to measure it)
    report.add("memory", "zygote with its waiting children, PSS", "MB", [zygote_mb], at_most=50)
    report.add("memory", "private to each waiting child", "MB", [child_mb], at_most=2)
    await measure_output(report, contenders)
    await asyncio.gather(sandbox.stop(), bare.stop())
    return report


async def compare_all(report: Report, contenders: Contenders, rounds: int) -> None:
    await compare(report, "π against subprocess.run", contenders.pi, contenders.naive_pi, 0.08, rounds)
    await compare(report, "π against the same zygote, no layers", contenders.pi, contenders.bare_pi, 1.25, rounds)
    group = "shell against bubblewrap"
    if contenders.bubblewrap is None:
        report.miss(group, "ratio", "not measured: bwrap is not installed")
    else:
        await compare(report, group, contenders.shell, contenders.bubblewrap, 0.9, rounds)
    await compare_throughput(report, contenders, max(2, rounds // 4))
    await measure_processor_time(report, contenders, max(2, rounds * 2))


def main() -> None:
    """Print a table and write a report."""
    run_at_level(options(__doc__, "sandbox"), measure, rounds=40)


if __name__ == "__main__":
    main()
