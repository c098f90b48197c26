"""The devstack prepares the data directory before its servers start."""

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


def test_a_directory_is_passed_through_by_others_only_while_root_runs_servers(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)

    with passable(data_dir):
        assert mode(data_dir) == 0o701
    assert mode(data_dir) == 0o700


def test_nothing_in_a_directory_that_others_pass_through_can_be_read_by_them(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)

    with passable(data_dir):
        assert mode(data_dir / "scheduler.db") == 0o600
    assert mode(data_dir / "scheduler.db") == 0o600


def test_a_plain_user_leaves_the_directory_as_it_is(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)

    with passable(data_dir):
        assert (mode(data_dir), mode(data_dir / "scheduler.db")) == (0o700, 0o644)


def test_without_the_servers_nothing_is_touched_and_what_to_do_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    settings = load_settings(_env_file=None, data_dir=tmp_path / "data", database_url=None, redis_url=None)

    with pytest.raises(ConfigurationError, match="run `make devstack` in a checkout"):
        serve_devstack(settings)

    assert not (tmp_path / "data").exists()
