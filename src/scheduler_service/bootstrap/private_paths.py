"""The service's own files, which jobs must not read although they may be in a readable directory such as /opt."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy.engine import make_url

import scheduler_service
from scheduler_service.config.secret_files import SECRET_VARIABLES
from scheduler_service.config.settings import ENV_FILE, Settings

_CREDENTIALS = (
    "AWS_SHARED_CREDENTIALS_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "KUBECONFIG",
    "NETRC",
    "PGPASSFILE",
    "PGSERVICEFILE",
)
"""Variables of other programs that name a file with secrets."""

_SYSTEM = {
    Path(name)
    for name in ("/", "/bin", "/sbin", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/sbin")
}
"""Working directories and homes that contain programs and no settings."""


def private_paths(settings: Settings) -> list[str]:
    """Return the paths that the sandbox excludes from what jobs may read; see `confinement/readable_paths`.

    Each path is returned as written, and with links resolved.
    """
    written = [Path.cwd() / path for path in _find(settings)]
    return sorted({str(path) for each in written for path in (each, _resolve(each))})


def _find(settings: Settings) -> Iterator[Path]:
    yield settings.data_dir
    yield settings.effective_run_dir
    if settings.artifacts_url is not None and (parsed := urlsplit(settings.artifacts_url)).scheme == "file":
        yield Path(unquote(parsed.path))
    yield from _with_neighbours(Path(ENV_FILE))
    if settings.uses_sqlite and (database := make_url(settings.effective_database_url).database):
        yield from _with_neighbours(Path(database))
    for variable in (*(f"{name}_FILE" for name in SECRET_VARIABLES), *_CREDENTIALS):
        if path := os.environ.get(variable):
            yield Path(path)
    if checkout := _find_checkout():
        yield checkout
    for directory in {Path.cwd(), *_homes()} - _SYSTEM:
        if directory.stat().st_uid == os.geteuid():
            yield directory / ".*"  # .pgpass, .netrc, .ssh, .git


def _with_neighbours(path: Path) -> Iterator[Path]:
    """Yield a file and the pattern of files beside it: -wal and -journal of SQLite, backups of editors."""
    yield path
    for each in (path, path.resolve()):
        yield each.with_name(f"{each.name}*")


def _find_checkout() -> Path | None:
    """Return the directory of the project if the service runs from a checkout."""
    for parent in Path(scheduler_service.__file__).resolve().parents:
        if (parent / "src" / scheduler_service.__name__).is_dir():
            return parent
    return None


def _homes() -> Iterator[Path]:
    named = [os.environ.get("HOME", "/")]
    with suppress(KeyError):  # a container's user may have no passwd entry
        named.append(pwd.getpwuid(os.geteuid()).pw_dir)
    yield from (path for home in named if (path := Path(home)).is_absolute() and path.is_dir())


def _resolve(path: Path) -> Path:
    """Return a path with links resolved, except in a pattern's last part."""
    return path.parent.resolve() / path.name if path.name.endswith("*") else path.resolve()
