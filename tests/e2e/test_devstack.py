"""`scheduler up --distributed`: every process and both servers as one tree."""

from __future__ import annotations

import json
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from testkit.commands import shell
from testkit.waiting import DEADLINE_SECONDS, wait_until

from scheduler_service.cli.devstack_servers import free_port


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Return a directory that the user of PostgreSQL can reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="scheduler-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name) / "data"


@pytest.mark.long
def test_one_command_starts_all_and_one_signal_stops_all(tmp_path: Path, data_dir: Path) -> None:
    port, flower_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    variables = {"SCHEDULER_PORT": str(port), "FLOWER_PORT": str(flower_port), "SCHEDULER_URL": url}
    here = shell(tmp_path, SCHEDULER_DATA_DIR=str(data_dir), SCHEDULER_SANDBOX="none", **variables)
    with (tmp_path / "output").open("w") as output:
        process = here.start("up", "--distributed", stdout=output, stderr=output)
    try:
        wait_until(lambda: (tmp_path / "output").read_text().count(" ready.") == 2)
        wait_until(lambda: here.call("runs", "list").returncode == 0)
        job = here.read("jobs", "create", "--name", "j", "--schedule", "@yearly", "--python", "print('hi')")
        ran = here.run("jobs", "run", job["id"], "--wait")
        monitor = httpx2.get(
            f"http://127.0.0.1:{flower_port}/api/tasks", auth=("scheduler", "your-secret-api-key-here")
        )
        tree = _descendants(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(DEADLINE_SECONDS)

    said = (tmp_path / "output").read_text()
    assert (code, ran.returncode) == (0, 0), said
    assert "hi" in ran.stdout
    assert monitor.status_code == 200
    assert len(tree) >= 8  # six of ours and two servers, some of which have children
    assert not any(Path("/proc", str(pid)).exists() for pid in tree)
    assert re.search(r"^  curl -s http", said, re.MULTILINE)  # as it is pasted: without the name of a process
    logged = re.findall(r"^(?:beat|worker|flower)\S* +\| (.*)$", said, re.MULTILINE)
    assert all(json.loads(line)["event"] for line in logged)
    assert {line.partition(" ")[0] for line in re.findall(r"^\S+ +\|", said, re.MULTILINE)} == {
        "api", "beat-1", "beat-2", "worker-1", "worker-2", "flower"
    }  # fmt: skip


def _descendants(pid: int) -> set[int]:
    children = {
        int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()
    }
    return children.union(*map(_descendants, children))
