"""How `scheduler up --distributed` prepares the data directory for its servers."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import stat
import sys
from pathlib import Path

import pytest

from scheduler_service.cli.devstack import ROLES, Tree, passable, serve_devstack
from scheduler_service.config.loading import load_settings
from scheduler_service.errors import ConfigurationError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir(mode=0o700)
    (directory / "scheduler.db").touch(mode=0o644)
    return directory


def test_directory_is_passable_while_root_runs_servers(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)

    with passable(data_dir):
        assert mode(data_dir) == 0o701
    assert mode(data_dir) == 0o700


def test_files_of_a_passable_directory_are_private(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)

    with passable(data_dir):
        assert mode(data_dir / "scheduler.db") == 0o600
    assert mode(data_dir / "scheduler.db") == 0o600


def test_plain_user_leaves_the_directory_as_it_is(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)

    with passable(data_dir):
        assert (mode(data_dir), mode(data_dir / "scheduler.db")) == (0o700, 0o644)


def test_missing_servers_are_reported_before_anything_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    settings = load_settings(_env_file=None, data_dir=tmp_path / "data", database_url=None, redis_url=None)

    with pytest.raises(ConfigurationError, match="run `make devstack` in a checkout"):
        serve_devstack(settings)

    assert not (tmp_path / "data").exists()


FAILS = """
import sys
print("said by", sys.argv[1], flush=True)
print("first of the log", file=sys.stderr)
print("wrong setting" if sys.argv[1] == "flower" else "in vain", file=sys.stderr, flush=True)
sys.exit(3) if sys.argv[1] == "flower" else sys.stdin.read()
import signal
signal.pause()
"""


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_terminal_shows_only_the_log_of_a_failed_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    program = tmp_path / "fails.py"
    program.write_text(FAILS)
    monkeypatch.setattr(sys, "argv", [str(program)])
    settings = load_settings(_env_file=None, data_dir=tmp_path, log_format=log_format, drain_seconds=0)
    environment = {**os.environ, "FLOWER_ADDRESS": "127.0.0.1", "FLOWER_PORT": "1"}

    code = asyncio.run(Tree(settings, environment).serve())

    printed = capsys.readouterr().out
    assert code != 0
    assert "flower   | wrong setting" in printed
    if log_format == "console":
        assert "api      | " not in printed
        assert "said by worker" not in printed
        assert {path.stem for path in (tmp_path / "logs").iterdir()} == set(ROLES)
        assert "first of the log" in (tmp_path / "logs/api.log").read_text()
    else:
        assert "api      | first of the log" in printed
        assert not (tmp_path / "logs").exists()
