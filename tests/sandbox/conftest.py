"""Campaigns: the corpus run once for each setting and level, whatever number of test processes look at the results."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
CAMPAIGN_SECONDS = 240


Part = tuple[Sequence[str], Sequence[str]]
"""Layers to leave out, and the only entries to run; all if none is named."""
EVERYTHING: Part = ((), ())


def run_campaign(setting: str, level: str, *parts: Part) -> list[dict[str, Any]]:
    """Run parts of the corpus one after the other, and give what came of each."""
    secret = f"secret-{secrets.token_hex(8)}"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SOURCE),
        "API_KEY": secret,
        "DATABASE_URL": f"postgresql://scheduler:{secret}@localhost/x",
    }
    with tempfile.TemporaryDirectory(prefix="results-", dir="/tmp") as directory:
        Path(directory).chmod(0o777)
        results = Path(directory, "results.json")
        arguments = [level, str(results), json.dumps(parts)]
        finished = subprocess.run(
            [sys.executable, HERE / "settings.py", setting, sys.executable, HERE / "campaign.py", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=CAMPAIGN_SECONDS,
            check=False,
        )
        if not results.exists():
            pytest.fail(f"the campaign did not finish:\n{finished.stdout}\n{finished.stderr}")
        found: list[dict[str, Any]] = json.loads(results.read_text())
        return found


@pytest.fixture(scope="session")
def campaign(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Callable[[str, str], dict[str, Any]]:
    """Give the results of a whole campaign; the first who asks runs it, under a lock."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared if worker_id == "master" else shared.parent

    @cache
    def results(setting: str, level: str) -> dict[str, Any]:
        kept = shared / f"campaign-{setting}-{level}.json"
        with (shared / f"campaign-{setting}-{level}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                kept.write_text(json.dumps(run_campaign(setting, level, EVERYTHING)[0]))
        found: dict[str, Any] = json.loads(kept.read_text())
        return found

    return results
