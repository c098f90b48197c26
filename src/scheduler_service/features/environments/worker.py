"""Environments of a worker: where they lie on its host, and what its sandbox must be able to open for builds.

Below the data directory, which only the service may enter, the user of a job reaches its environment if it has a file
system of its own. At `standard`, if the service is root, it does not. There the environments lie in a directory that
every user may search, which services of the host share.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from scheduler_service.config.settings import Settings
from scheduler_service.engine.base import Base
from scheduler_service.features.environments.builder import EnvironmentBuilder
from scheduler_service.features.environments.cache import BUILDING, EnvironmentCache
from scheduler_service.features.environments.choices import index_of, rules_of
from scheduler_service.features.environments.provider import EnvironmentProvider, WhileWaiting
from scheduler_service.sandbox import ChosenSandbox, Level
from scheduler_service.sandbox.confinement.run_root import closed_directory

SHARED = Path("/var/lib/scheduler-service/environments")
_SEARCHABLE = 0o755


class EnvironmentPlaces:
    """The directories in which this worker may keep environments, which are created."""

    def __init__(self, settings: Settings, shared: Path = SHARED) -> None:
        self._own = settings.data_dir.absolute() / "environments"
        self._shared = self._own
        may_need_shared = os.geteuid() == 0 and settings.sandbox in {"auto", "standard"}
        if may_need_shared and closed_directory(self._own) is not None and _is_made(shared):
            self._shared = shared
        for place in (self._own, self._shared):
            (place / BUILDING).mkdir(mode=_SEARCHABLE, parents=True, exist_ok=True)
        self.certificates = tuple(filter(os.path.isfile, [os.path.realpath(os.environ.get("SSL_CERT_FILE", ""))]))

    @property
    def writable(self) -> tuple[str, ...]:
        """The paths that the sandbox opens to builds."""
        return (
            *sorted({os.path.realpath(place / BUILDING) for place in (self._own, self._shared)}),
            *self.certificates,
        )

    def at(self, level: Level | None) -> Path:
        """Return the directory for environments at a level."""
        return self._shared if level is Level.STANDARD else self._own


def open_environments(
    base: Base, box: ChosenSandbox, places: EnvironmentPlaces, while_waiting: WhileWaiting
) -> EnvironmentProvider:
    """Build what provides environments to the runs in a sandbox; see `EnvironmentProvider`."""
    return EnvironmentProvider(
        base.database, base.clock, _builder_in(base.settings, box, places), rules_of(base.settings), while_waiting
    )


def _builder_in(settings: Settings, box: ChosenSandbox, places: EnvironmentPlaces) -> Callable[[], EnvironmentBuilder]:
    @cache
    def builder_at(level: Level | None) -> EnvironmentBuilder:
        place = EnvironmentCache(places.at(level).resolve(), settings.package_cache_mb << 20)
        return EnvironmentBuilder(box, place, index_of(settings), places.certificates)

    return lambda: builder_at(box.level)


def _is_made(directory: Path) -> bool:
    try:
        for each in (*reversed(directory.parents), directory):
            if not each.exists():
                each.mkdir(mode=_SEARCHABLE)
                each.chmod(_SEARCHABLE)  # whatever the umask is
    except OSError:
        return False
    return os.access(directory, os.W_OK)
