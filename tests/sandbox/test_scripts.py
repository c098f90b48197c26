"""Scripts do in the sandbox what they do elsewhere, at every level, as root and as an unprivileged user.

What differs is stated in docs/running-code.md, and each difference has its test here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest
from tests.sandbox.conftest import CAMPAIGN_SECONDS, HERE, SOURCE
from tests.sandbox.script_campaign import DIFFERENCES, OUTSIDE, Came, load_scripts
from tests.sandbox.settings import ROOT, USER

SETTINGS = [ROOT, USER] if os.geteuid() == 0 else [USER]
ENTRIES = {entry["id"]: entry for entry in load_scripts()}


@cache
def campaign(setting: str) -> dict[str, dict[str, Came]]:
    """Return the results of all scripts in a setting, outside the sandbox and at each level."""
    with tempfile.TemporaryDirectory(prefix="results-", dir="/tmp") as directory:
        Path(directory).chmod(0o777)
        results = Path(directory, "results.json")
        finished = subprocess.run(
            [sys.executable, HERE / "settings.py", setting, sys.executable, HERE / "script_campaign.py", results],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE)},
            capture_output=True,
            text=True,
            timeout=CAMPAIGN_SECONDS,
            check=False,
        )
        if not results.exists():
            pytest.fail(f"the campaign did not finish:\n{finished.stdout}\n{finished.stderr}")
        found: dict[str, dict[str, Came]] = json.loads(results.read_text(encoding="utf-8"))
        return found


def test_scripts_are_many() -> None:
    assert len(ENTRIES) == len(load_scripts())
    assert sum(entry["file"] == "shell" for entry in ENTRIES.values()) >= 80
    assert sum(entry["file"] == "cron" for entry in ENTRIES.values()) >= 30


@pytest.mark.long
@pytest.mark.parametrize("setting", SETTINGS)
def test_scripts_do_the_same_at_every_level_as_outside(setting: str) -> None:
    found = campaign(setting)
    expected = found[OUTSIDE]
    wrong = {
        f"{name} at {level}": [came, expected[name]]
        for level, results in found.items()
        for name, came in results.items()
        if name in expected and (came["code"], came["output"]) != (expected[name]["code"], expected[name]["output"])
    }
    assert wrong == {}, json.dumps(wrong, indent=2)[:20_000]


@pytest.mark.long
def test_cron_scripts_succeed() -> None:
    came = campaign(SETTINGS[-1])[OUTSIDE]
    expected = {
        name: entry.get("code", 0) for name, entry in ENTRIES.items() if entry["file"] == "cron" and name in came
    }
    assert {name: came[name]["code"] for name in expected} == expected


@pytest.mark.long
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry["file"] == DIFFERENCES])
def test_script_differs_as_stated(setting: str, name: str) -> None:
    entry = ENTRIES[name]
    for level, results in campaign(setting).items():
        if level != OUTSIDE and level in entry and name in results:
            output, message = results[name]["output"], results[name]["message"]
            assert [text for text in entry[level] if text not in output] == [], f"at {level}: {output!r}"
            assert entry.get("message", "") in (message or ""), f"at {level}: {message!r}"
