"""Each benchmark runs at a small size. The numbers mean nothing then.

`make test` runs some, which take a second or two each. `make bench-small`, which CI executes too, runs all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUICK = {
    "cron": "--patterns 20 --rounds 1",
    "dispatch": "--jobs 20 --rounds 1",
    "growth": "--jobs 100 200 --rounds 1",
    "sizing": "",
}
OTHERS = {
    "api": "--rounds 1 --requests 2",
    "apply": "--jobs 20 --rounds 1",
    "broker": "--rounds 3",
    "downtime": "--jobs 20 --rounds 1",
    "fairness": "--large 20 --queued 200",
    "first_line": "--rounds 1 --runs 2",
    "herd": "--jobs 20 --rounds 1",
    "idle": "--rounds 1 --seconds 1",
    "lists": "--jobs 200 --runs 400 --rounds 1",
    "packages": "--rounds 1",
    "pages": "--jobs 200 --runs 400 --rounds 1",
    "pi": "--rounds 1 --runs 4 --naive-runs 2",
    "queue": "--rounds 1 --runs 20",
    "retention": "--runs 200 --rounds 1",
    "sandbox": "--rounds 2",
    "scrape": "--runs 200 --rounds 2",
}
SIZES = QUICK | OTHERS
RUNS_ALL = os.environ.get("SCHEDULER_TEST_BENCHMARKS") == "all"


def test_every_benchmark_has_a_small_size() -> None:
    modules = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert modules == set(SIZES)


@pytest.mark.parametrize("name", SIZES if RUNS_ALL else QUICK)
def test_benchmark_runs_at_a_small_size(name: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", f"benchmarks.{name}", "--report", str(report), *SIZES[name].split()]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    document = json.loads(report.read_text(encoding="utf-8"))
    assert document["figures"]
    assert all(figure["median"] is not None or figure["missing"] for figure in document["figures"])
    assert "load" in document["facts"]
    assert document["figures"][0]["what"] in ended.stdout
