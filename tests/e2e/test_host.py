"""What the host can enforce: doctor, health and the first run agree."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from testkit.commands import PROGRAM, Service, shell, up
from testkit.programs import Process, execute
from testkit.waiting import wait_until
from tests.sandbox import settings

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to have less than root")
HERE = Path(__file__).parent
SETTINGS = str(HERE.parent / "sandbox" / "settings.py")
WHO = "import os, wave; open('file', 'w').close(); print(os.getuid())"


@contextmanager
def up_in(setting: str, directory: Path, **variables: str) -> Iterator[Service]:
    """Run `scheduler up` in one of the settings of the sandbox's tests."""

    def begin(
        words: Sequence[str], directory: Path, environment: Mapping[str, str], stdout: Path, stderr: Path
    ) -> Process:
        return execute(_inside(setting, *words[1:]), directory, environment, stdout, stderr)

    with up(directory, begin, **variables) as service:
        yield service


def doctor_in(setting: str, directory: Path) -> tuple[int, str]:
    environment = shell(directory).environment
    done = subprocess.run(
        _inside(setting, "doctor"), cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def _inside(setting: str, *arguments: str) -> list[str]:
    return [sys.executable, SETTINGS, setting, sys.executable, PROGRAM, *arguments]


def sandbox_of(service: Service) -> dict[str, str]:
    component: dict[str, str] = service.client.get("health").json()["components"].get("sandbox")
    return component


@AS_ROOT
@pytest.mark.parametrize("level", ["auto", "standard"])
def test_job_runs_when_root_cannot_mount(tmp_path: Path, level: str) -> None:
    with up_in(settings.DOCKER_ROOT, tmp_path, SCHEDULER_SANDBOX=level) as service:
        run_id = service.call("POST", f"jobs/{service.add_job(WHO)}/run")["id"]
        run = wait_until(lambda: _ended(service, run_id))
        component = wait_until(lambda: sandbox_of(service))

    assert (run["status"], run["isolation"]["level"], run["attempt"]) == ("success", "standard", 1)
    assert int(run["logs"]) >= 60578
    assert component["detail"] == "runs are held at standard"


@AS_ROOT
def test_no_job_runs_when_root_has_no_capabilities(tmp_path: Path) -> None:
    with up_in(settings.BARE_ROOT, tmp_path, SCHEDULER_SANDBOX="auto") as service:
        refused = service.client.post("jobs", json=_job())
        component = wait_until(lambda: sandbox_of(service))
        code = service.client.get("health").status_code

    assert (refused.status_code, code) == (409, 503)
    for text in (refused.json()["detail"], component["detail"], service.output):
        assert "no job runs" in text
        assert "CAP_SETUID" in text


@AS_ROOT
@pytest.mark.parametrize(("setting", "level"), [(settings.DOCKER_ROOT, "standard"), (settings.BARE_ROOT, "none")])
def test_doctor_reports_the_level_that_runs_get(tmp_path: Path, setting: str, level: str) -> None:
    code, said = doctor_in(setting, tmp_path)

    assert f"This host supports {level}; required is standard" in said
    assert ("No job runs" in said, code) == (level == "none", int(level == "none"))
    assert list(tmp_path.iterdir()) == []


def _job() -> dict[str, object]:
    return {"name": "job", "schedule_expr": "@yearly", "payload": {"type": "python_code", "code": WHO}}


def _ended(service: Service, run_id: int) -> dict[str, object] | None:
    run: dict[str, object] = service.call("GET", f"runs/{run_id}")
    return run if run["finished_at"] else None
