"""Locks on the data directory and on the directories of runs.

Theory of operation. A lock is a flock(2) on a file that is kept open. The kernel releases it when the process ends,
even after kill -9, so a stale lock cannot exist. SQLite allows one writing process (see `Database`), which holds the
lock of the data directory. Workers that share a data directory each lock a separate directory for their runs.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO

from scheduler_service.config.directories import make_own_directory
from scheduler_service.config.settings import Settings
from scheduler_service.errors import ConfigurationError


@contextmanager
def lock_data_dir(settings: Settings) -> Iterator[None]:
    """Hold the lock of the data directory. Raise `ConfigurationError` if another process holds it."""
    with _open_lock(settings.data_dir / "lock", "SCHEDULER_DATA_DIR") as file:
        if not _lock(file):
            where = str(settings.data_dir.absolute())
            raise ConfigurationError(
                f"SCHEDULER_DATA_DIR: another instance is already running on {where}; stop it or name another directory"
            )
        yield


@contextmanager
def lock_run_directory(settings: Settings) -> Iterator[Path]:
    """Lock a directory for the runs of this worker, and yield its path.

    It may contain files of a worker that has ended. The sandbox removes them.
    """
    parent, variable = (
        settings.effective_run_dir,
        "SCHEDULER_DATA_DIR" if settings.run_dir is None else "SCHEDULER_RUN_DIR",
    )
    for number in count():
        with _open_lock(parent / f"{number}.lock", variable) as file:
            if _lock(file):
                yield parent / str(number)
                return


def _open_lock(path: Path, variable: str) -> IO[str]:
    try:
        make_own_directory(path.parent)
        # Mode 0600, because any process that can open the file can hold the lock.
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "w", encoding="ascii")
    except OSError as error:
        raise ConfigurationError(
            f"{variable}: cannot write in {str(path.parent.absolute())!r}: {error.strerror}; "
            "make it writable or name another directory"
        ) from None


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
