"""Checks that the migrations lead to the tables that the code expects, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from testkit import servers


def main() -> int:
    """Migrate an empty database of each kind and compare; returns the exit code."""
    with _databases() as databases:
        in_step = {name: _alembic(url, "upgrade", "head") and _alembic(url, "check") for name, url in databases.items()}
    for name, is_in_step in in_step.items():
        print(f"{name}: {'in step' if is_in_step else 'the migrations do not lead to the tables of the code'}")
    return int(not all(in_step.values()))


@contextmanager
def _databases() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as directory, servers.postgres() as server:
        yield {"SQLite": f"sqlite+aiosqlite:///{directory}/empty.db", "PostgreSQL": server.create_database()}


def _alembic(url: str, *command: str) -> bool:
    environment = {**os.environ, "DATABASE_URL": url, "LOG_LEVEL": "WARNING"}
    return subprocess.run([sys.executable, "-m", "alembic", *command], env=environment, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
