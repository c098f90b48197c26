"""`alembic upgrade head`, as documented."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from unittest.mock import patch

import pytest
from alembic.config import main
from testkit.waiting import DEADLINE_SECONDS

ROOT = Path(__file__).parents[2]
UNREACHABLE = {"DATABASE_URL": "postgresql+asyncpg://u:hidden@127.0.0.1:1/x"}


def environment(directory: Path, variables: dict[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "SCHEDULER_DATA_DIR": str(directory / "data"), **variables}


@pytest.mark.parametrize(
    ("variables", "start"),
    [
        ({"SCHEDULER_SLOTS": "x"}, "SCHEDULER_SLOTS: "),
        ({"DATABASE_URL": "garbage"}, "DATABASE_URL: this is not a URL; write postgresql+asyncpg://"),
        (UNREACHABLE, "DATABASE_URL: the database cannot be reached"),
        ({"SCHEDULER_DATA_DIR": "/proc/data"}, "SCHEDULER_DATA_DIR: cannot create"),
    ],
)
def test_alembic_reports_a_wrong_setting_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], variables: dict[str, str], start: str
) -> None:
    with (
        patch.dict(os.environ, environment(tmp_path, variables), clear=True),
        patch.object(sys, "path", [*sys.path]),
        chdir(ROOT),
        pytest.raises(SystemExit) as end,
    ):
        main(["upgrade", "head"])

    [line] = capfd.readouterr().err.splitlines()
    assert end.value.code == 2
    assert line.startswith(start)
    assert "hidden" not in line


def test_alembic_program_prints_one_line_and_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT,
        env=environment(tmp_path, UNREACHABLE),
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )

    [line] = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith("DATABASE_URL: the database cannot be reached")
    assert "hidden" not in line
