"""`scheduler backup` and `scheduler restore`: the copy is whole, and nothing is overwritten."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import typer

from scheduler_service.cli.backup import backup, restore
from scheduler_service.console.exit_codes import RefusedError
from scheduler_service.errors import ConfigurationError, ConflictError


@pytest.fixture
def data_dir(tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a data directory with an empty database, which the settings name."""
    directory = tmp_path / "data"
    directory.mkdir()
    shutil.copy(migrated_sqlite, directory / "scheduler.db")
    monkeypatch.setenv("SCHEDULER_DATA_DIR", str(directory))
    monkeypatch.chdir(tmp_path)
    return directory


def write(database: Path, name: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "INSERT INTO calendars (owner_id, name, definition, created_at, updated_at) VALUES ('', ?, '{}', '', '')",
            [name],
        )


def names(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [row[0] for row in connection.execute("SELECT name FROM calendars ORDER BY name")]


def test_backup_is_restored_and_the_old_database_kept(data_dir: Path, tmp_path: Path) -> None:
    database, file = data_dir / "scheduler.db", tmp_path / "backup.db"
    write(database, "first")
    with closing(sqlite3.connect(database)) as service:
        service.execute("PRAGMA journal_mode=WAL")
        service.execute("BEGIN IMMEDIATE")
        service.execute("DELETE FROM calendars")  # not committed, so not in the backup
        backup(file)
    write(database, "second")
    restore(file, yes=True)
    assert names(database) == ["first"]
    assert names(data_dir / "scheduler.db.before-restore") == ["first", "second"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_backup_overwrites_nothing(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    file.write_text("precious")
    with pytest.raises(RefusedError, match="exists already"):
        backup(file)
    assert file.read_text() == "precious"


@pytest.mark.parametrize("content", [b"", b"no database at all, but longer than the header of one" * 99])
def test_other_file_is_not_restored(data_dir: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other.db"
    file.write_bytes(content)
    with pytest.raises(ConflictError, match="is no backup of this service"):
        restore(file, yes=True)


def test_newer_backup_is_refused(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    backup(file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(RefusedError, match="is of a newer version"):
        restore(file, yes=True)


def test_restore_needs_a_stopped_service(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "backup.db"
    backup(file)
    write(data_dir / "scheduler.db", "kept")

    def locked(_settings: object) -> None:
        raise ConfigurationError("another instance is already running")

    monkeypatch.setattr("scheduler_service.bootstrap.data_dir.lock_data_dir", locked)
    with pytest.raises(ConfigurationError):
        restore(file, yes=True)
    assert names(data_dir / "scheduler.db") == ["kept"]


def test_postgresql_has_its_own_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://u:hush@localhost/x")
    with pytest.raises(RefusedError, match="pg_dump") as refused:
        backup(tmp_path / "backup.db")
    assert "hush" not in str(refused.value)


def test_nothing_is_replaced_without_consent(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "backup.db"
    backup(file)
    monkeypatch.setattr(typer, "confirm", _refuse)
    with pytest.raises(typer.Abort):
        restore(file)


def _refuse(*_: object, **__: object) -> None:
    raise typer.Abort
