"""Copies a SQLite database with SQLite's backup API, which reads one consistent state while the service writes."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from scheduler_service.errors import ConflictError

_TABLE = "alembic_version"


def copy_database(source: Path, target: Path) -> int:
    """Copy a database to a new file with the mode 0600, and return its size in bytes.

    The file appears when the copy is whole. Raise `ConflictError` if the copy is impossible or not whole.
    """
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(_open(source)) as read, closing(sqlite3.connect(partial)) as written:
            read.backup(written)
            written.execute("PRAGMA journal_mode=DELETE")  # a single file, without a log beside it
            _check(written)
        partial.replace(target)
        return target.stat().st_size
    except (OSError, sqlite3.Error) as error:
        raise ConflictError(f"{source} cannot be copied to {target}: {error}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def revision_of(path: Path) -> str:
    """Return the revision of the tables in a database of the service. Raise `ConflictError` if it is none."""
    try:
        with closing(_open(path)) as connection:
            _check(connection)
            (revision,) = connection.execute(f"SELECT version_num FROM {_TABLE}").fetchone()  # noqa: S608 (a constant)
    except (OSError, sqlite3.Error, TypeError) as error:
        raise ConflictError(f"{path} is no backup of this service: {error}") from error
    return str(revision)


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)


def _check(connection: sqlite3.Connection) -> None:
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)
