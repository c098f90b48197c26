"""Checks by Prometheus' own tool: the metrics, the rules and the tests of the rules."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.api.conftest import client_of, run_to_its_end, serving, settings_for

from scheduler_service.storage.database import Database

PROMETHEUS = Path(__file__).parents[2] / "deploy/prometheus"
ODD = 'a "kind"\\ of\n{its="own"} ü'


@pytest.fixture
def promtool() -> str:
    """Return the program. Without it, skip the test, or fail if PROMTOOL_REQUIRED is set."""
    found = shutil.which("promtool")
    if found is None:
        message = "promtool is not on PATH; .ci/run provides it, and Prometheus brings it along"
        if os.environ.get("PROMTOOL_REQUIRED") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return found


def said(*command: str | Path, given: str = "") -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


async def test_promtool_accepts_the_metrics(promtool: str, database_url: str, tmp_path: Path) -> None:
    settings = settings_for(database_url, tmp_path)
    async with serving(settings) as app, client_of(app) as client:
        for script in ("true", "exit 3"):
            await run_to_its_end(client, script)
        for path in ("/no/such/path", "/api/v1/jobs/4711"):
            await client.get(path)
        await add_total(database_url, ODD)
        metrics = (await client.get("/metrics")).text

    assert r'payload_type="a \"kind\"\\ of\n{its=\"own\"} ü"' in metrics
    assert said(promtool, "check", "metrics", given=metrics) == ""


def test_promtool_accepts_the_rules(promtool: str) -> None:
    assert "SUCCESS" in said(promtool, "check", "rules", PROMETHEUS / "rules.yml")


def test_tests_of_the_alert_rules_pass(promtool: str) -> None:
    assert "SUCCESS" in said(promtool, "test", "rules", PROMETHEUS / "rules.test.yml")


async def add_total(database_url: str, payload_type: str) -> None:
    """Count runs of a payload kind from an installed package."""
    database = Database(database_url)
    async with database.write() as connection:
        await connection.execute(
            text("INSERT INTO totals VALUES ('success', :kind, 50, 10, 7, 0.3, 0.05, 0)"), {"kind": payload_type}
        )
    await database.close()
