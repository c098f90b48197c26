"""Python jobs behave as under plain CPython, in every setting and at every level that this machine has."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.sandbox.differential import campaign
from tests.sandbox.differential.programs import load_programs, run_by_cpython
from tests.sandbox.settings import ROOT, USER
from tests.sandbox.test_corpus import skip_unless_possible

HERE = Path(__file__).parent
CAMPAIGN_SECONDS = 240
CAMPAIGNS = [
    (ROOT, "strict"),
    (ROOT, "standard"),
    (USER, "strict"),
    (USER, "standard"),
    (USER, "none"),
]
Found = dict[str, list[object]]


@pytest.fixture(scope="module")
def by_cpython(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """The results of each program under CPython, made once for all test processes."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    results = shared / "by_cpython.json"
    with (shared / "by_cpython.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not results.exists():
            results.write_text(json.dumps(run_by_cpython(list(load_programs()))))
    found: Found = json.loads(results.read_text())
    return found


@pytest.mark.long
@pytest.mark.parametrize(("setting", "level"), CAMPAIGNS)
def test_python_job_equals_cpython(setting: str, level: str, by_cpython: Found) -> None:
    skip_unless_possible(setting)
    found = run_in_sandbox(setting, level)
    assert len(found) >= 150
    different = {name: (by_cpython[name], here) for name, here in found.items() if here != by_cpython[name]}
    assert different == {}, json.dumps(different, indent=2)


def run_in_sandbox(setting: str, level: str) -> Found:
    with tempfile.TemporaryDirectory(prefix="results-", dir="/tmp") as directory:
        Path(directory).chmod(0o777)
        results = Path(directory, "results.json")
        finished = subprocess.run(
            [sys.executable, HERE / "settings.py", setting, sys.executable, "-m", campaign.__name__, level, results],
            cwd=HERE.parents[1],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{HERE.parents[1] / 'src'}:{HERE.parents[1]}"},
            capture_output=True,
            text=True,
            timeout=CAMPAIGN_SECONDS,
            check=False,
        )
        if not results.exists():
            pytest.fail(f"the campaign did not finish:\n{finished.stdout}\n{finished.stderr}")
        found: Found = json.loads(results.read_text())
        return found
