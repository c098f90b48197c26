"""The page about jobs as files: its files and commands, as written."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from testkit.commands import PROGRAM, Service, up
from testkit.waiting import DEADLINE_SECONDS

PAGE = (Path(__file__).parents[3] / "docs" / "jobs-as-files.md").read_text(encoding="utf-8")
FILES = re.findall(r"^```\w+ ([\w./-]+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
BLOCKS = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    (tmp_path / "service").mkdir()
    with up(tmp_path / "service") as running:
        yield running


def test_every_command_of_the_page_works_as_typed(service: Service) -> None:
    for name, text in FILES:
        file = service.directory / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    commands = "".join(BLOCKS).replace("scheduler ", f"{PROGRAM} ")
    done = subprocess.run(
        ["bash", "-euc", commands],
        env=service.shell.environment,
        cwd=service.directory,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS * 2,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Plan: 4 to create" in done.stdout
    assert "Applied: 4 created" in done.stdout
    assert done.stdout.count("No changes: 4 jobs are as the files say.") == 2
    assert done.stdout.count("No changes: 2 jobs are as the files say.") == 1
    assert "Plan: 3 to create" in done.stdout
    assert "line 5: @reboot has no counterpart" in done.stderr
