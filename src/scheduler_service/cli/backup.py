"""The commands `scheduler backup` and `scheduler restore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler_service.console import render
from scheduler_service.console.documents import refusal

if TYPE_CHECKING:
    from scheduler_service.config.settings import Settings

File = Annotated[Path, typer.Argument(metavar="FILE", help="File of the backup.")]
_SIDE_FILES = ("-wal", "-shm")


def backup(file: File) -> None:
    """Copy the SQLite database to a file.

    The service may run meanwhile: the copy is one consistent state. It contains jobs, runs and logs, and encrypted
    secrets without SCHEDULER_SECRETS_KEY. Artifacts of runs are not in it. PostgreSQL has pg_dump for this.
    """
    from scheduler_service.storage.sqlite_copy import copy_database  # noqa: PLC0415 (slow)

    source = _database(_settings(), "pg_dump --format=custom --file=FILE")
    if not source.exists():
        raise refusal("SCHEDULER_DATA_DIR", f"there is no database {source}; start the service once")
    if file.exists():
        raise refusal("FILE", f"{file} exists already; name another file")
    size = copy_database(source, file)
    render.line(f"Wrote {file}, a copy of {source} ({size} bytes).")


def restore(
    file: File,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Replace the database without asking.")] = False,
) -> None:
    """Replace the SQLite database by a backup.

    The service must be stopped. The old database is kept beside the new one, with the suffix .before-restore.
    """
    from scheduler_service.bootstrap.data_dir import lock_data_dir  # noqa: PLC0415 (slow)
    from scheduler_service.storage.migrations import HEAD  # noqa: PLC0415 (slow)
    from scheduler_service.storage.sqlite_copy import copy_database, revision_of  # noqa: PLC0415 (slow)

    settings = _settings()
    target = _database(settings, "pg_restore --clean --dbname=URL FILE")
    if (revision := revision_of(file)) > HEAD:
        raise refusal("FILE", f"{file} is of a newer version (revision {revision}; this is {HEAD}); update first")
    if target.exists() and not yes:
        typer.confirm(f"Replace the database {target}?", abort=True, err=True)
    with lock_data_dir(settings):
        if target.exists():
            copy_database(target, target.with_name(f"{target.name}.before-restore"))
            for suffix in _SIDE_FILES:
                target.with_name(target.name + suffix).unlink(missing_ok=True)
        copy_database(file, target)
    render.line(f"Restored {target} at revision {revision}.")


def _settings() -> Settings:
    from scheduler_service.config.loading import load_settings_without_key  # noqa: PLC0415 (slow)
    from scheduler_service.console.settings import read_settings  # noqa: PLC0415 (slow)

    return read_settings(load_settings_without_key)


def _database(settings: Settings, other: str) -> Path:
    """Return the SQLite file. Raise `RefusedError` with the command for PostgreSQL if there is none."""
    from scheduler_service.storage.database import parse_url  # noqa: PLC0415 (slow)

    if not settings.uses_sqlite:
        raise refusal("DATABASE_URL", f"this is a PostgreSQL; use its own program: `{other}`")
    return Path(str(parse_url(settings.effective_database_url).database))
