"""The documented commands, as typed, in a folder with the files of the image and without the installed package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from testkit.cluster import ROOT
from testkit.waiting import DEADLINE_SECONDS

from scheduler_service.storage.migrations import HEAD


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that .dockerignore includes in the image; only one test writes to it."""
    folder = tmp_path_factory.mktemp("app")
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line.startswith("!"):
            source = ROOT / line[1:]
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / source.name)
    return folder


def typed(folder: Path, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the requirements installed. PYTHONPATH hides the editable installation."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": sysconfig.get_path("purelib"), **variables}
    return subprocess.run(
        [sys._base_executable, "-m", *command.split()],  # type: ignore[attr-defined]
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


def test_package_is_not_installed(folder: Path) -> None:
    assert "No module named scheduler_service" in typed(folder, "scheduler_service").stderr


def test_alembic_and_uvicorn_work_as_typed(folder: Path) -> None:
    migrated = typed(folder, "alembic upgrade head")
    refused = typed(folder, "uvicorn src.app.main:app", LOG_LEVEL="LOUD")

    assert migrated.returncode == 0, migrated.stderr
    assert migrated.stdout == f"The database went from no tables to revision {HEAD}.\n"
    assert (folder / "data/scheduler.db").exists()
    assert refused.returncode == 2
    assert refused.stderr.startswith("LOG_LEVEL")


@pytest.mark.parametrize("role", ["worker", "beat", "flower"])
def test_celery_reports_a_missing_redis_url_in_one_line(folder: Path, role: str) -> None:
    refused = typed(folder, f"celery -A src.app.celery_app {role}")

    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "REDIS_URL: not set, and several processes need Redis" in line


COMMANDS = (
    "celery -A src.app.celery_app worker",
    "celery -A src.app.celery_app beat",
    "celery -A src.app.celery_app flower",
    "uvicorn src.app.main:app",
    "alembic upgrade head",
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "variable", ["REDIS_URL=edis://:hush@localhost", "DATABASE_URL=postgresql://u:hush@localhost/x?sslmode=on"]
)
def test_wrong_address_ends_every_program_with_one_line(folder: Path, command: str, variable: str) -> None:
    name, _, value = variable.partition("=")
    addresses = {"DATABASE_URL": "postgresql://localhost/x", "REDIS_URL": "redis://localhost", name: value}

    refused = typed(folder, command, **addresses)

    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"{name}: ")
    assert "hush" not in line + refused.stdout


def test_celery_reports_in_one_line_that_sqlite_is_unsupported(folder: Path) -> None:
    refused = typed(folder, "celery -A src.app.celery_app worker", REDIS_URL="redis://:secret@localhost/0")

    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "SQLite supports only one process" in line
    assert "secret" not in line
