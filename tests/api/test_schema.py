"""The service keeps to its own OpenAPI description for good and bad requests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import testkit
from tests.api.processes import ROOT, serving

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY

PROGRAM = Path(sys.executable).with_name("schemathesis")
EXAMPLES = 5
TIMEOUT_SECONDS = 540
CONFIGURATION = Path(testkit.__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("fewer_cases.py")
FEWEST_CASES = 3000  # far fewer would mean that operations are passed over
LEFT_OUT = (
    "positive_data_acceptance",  # no schema can say which texts are schedules
    "negative_data_rejection",  # "5" and "true" are taken for the number and the truth that they spell
    "unsupported_method",  # where a path has a sibling with an id in its place, a method may be the sibling's
)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_answers_agree_with_the_description(tmp_path: Path) -> None:
    """Schemathesis makes more than a thousand requests, good and bad, from the description alone."""
    options = {
        "--exclude-path": "/api/v1/events",  # a stream without end
        "--exclude-checks": ",".join(LEFT_OUT),
        "--header": f"X-API-Key: {DEVELOPMENT_API_KEY}",
        "--max-examples": str(EXAMPLES),
        "--seed": "1",
        "--warnings": "off",
        "--phases": "examples,coverage,fuzzing",
        "--generation-database": "none",
    }
    words = [word for option in options.items() for word in option]
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "SCHEMATHESIS_HOOKS": str(HOOKS),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(ROOT / ".hypothesis"),  # for its tables of Unicode, two seconds' work
    }
    # Loops that look seldom: nothing here waits for them.
    rests = {"SCHEDULER_TICK_SECONDS": "5", "SCHEDULER_HEARTBEAT_SECONDS": "5"}
    with serving(tmp_path, SCHEDULER_SANDBOX="auto", **rests) as server:
        finished = subprocess.run(
            [
                PROGRAM,
                "--config-file",
                CONFIGURATION,
                "run",
                f"{server.url}/openapi.json",
                *words,
                "--continue-on-failure",
            ],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            encoding="utf-8",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    selected, described, tested = re.findall(r"Selected: (\d+)/(\d+)\s+Tested: (\d+)", finished.stdout)[0]
    assert int(described) - 1 == int(selected) == int(tested), finished.stdout
    for phase in ("Coverage", "Fuzzing"):
        assert re.findall(rf"{phase} \(in .*\)\s+\S+ (\d+) passed\n", finished.stdout) == [selected], finished.stdout
    assert int(re.findall(r"(\d+) generated", finished.stdout)[0]) > FEWEST_CASES, finished.stdout
