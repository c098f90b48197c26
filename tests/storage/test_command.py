"""`alembic upgrade head`, as documented: what its user can mend is one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0


def upgrade(directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "SCHEDULER_DATA_DIR": str(directory / "data"), **variables}
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )


@pytest.mark.parametrize(
    ("variables", "start"),
    [
        ({"SCHEDULER_SLOTS": "x"}, "SCHEDULER_SLOTS: "),
        ({"DATABASE_URL": "garbage"}, "DATABASE_URL: this is not a database URL; write postgresql+asyncpg://"),
        (
            {"DATABASE_URL": "postgresql+asyncpg://u:hidden@127.0.0.1:1/x"},
            "DATABASE_URL: the database cannot be reached",
        ),
        ({"SCHEDULER_DATA_DIR": "/proc/data"}, "SCHEDULER_DATA_DIR: cannot make"),
    ],
)
def test_what_its_user_can_mend_is_one_line(tmp_path: Path, variables: dict[str, str], start: str) -> None:
    done = upgrade(tmp_path, **variables)

    [line] = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith(start)
    assert "hidden" not in line
