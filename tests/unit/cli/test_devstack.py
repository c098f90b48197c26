"""How `scheduler up --distributed` prepares the data directory for its servers."""

from __future__ import annotations

import importlib.util
import os
import stat
from pathlib import Path

import pytest

from scheduler_service.cli.devstack import passable, serve_devstack
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
