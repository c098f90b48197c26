"""Campaigns: the corpus, or parts of it, executed in a setting at a level."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Sequence
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
    """Run parts of the corpus one after the other. Return the results of each."""
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
