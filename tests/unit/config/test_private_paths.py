"""Which files the service hides from jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler_service.bootstrap.private_paths import private_paths
from scheduler_service.config.settings import Settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_settings_data_and_hidden_files_are_private(home: Path) -> None:
    paths = private_paths(Settings(_env_file=None))
    assert {f"{home}/{name}" for name in ("data", ".env", ".env*", "data/scheduler.db*", ".*")} <= set(paths)


def test_database_elsewhere_is_private_with_its_journal(home: Path) -> None:
    settings = Settings(_env_file=None, database_url="sqlite+aiosqlite:////opt/app/jobs.db")
    assert {"/opt/app/jobs.db", "/opt/app/jobs.db*"} <= set(private_paths(settings))


def test_target_is_private_when_the_file_is_a_link(home: Path) -> None:
    (home / "real").mkdir()
    (home / "real" / "settings").touch()
    (home / ".env").symlink_to("real/settings")
    assert f"{home}/real/settings" in private_paths(Settings(_env_file=None))


def test_file_named_by_a_variable_is_private(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "key").write_text("k" * 32)
    monkeypatch.setenv("API_KEY_FILE", "key")
    monkeypatch.setenv("PGPASSFILE", "/opt/app/passwords")
    assert {f"{home}/key", "/opt/app/passwords"} <= set(private_paths(Settings(_env_file=None)))


def test_checkout_of_the_service_is_private() -> None:
    assert str(Path(__file__).parents[3]) in private_paths(Settings(_env_file=None))
