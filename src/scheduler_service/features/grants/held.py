"""The grants that a worker offers: those of its file whose paths exist on this host."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import structlog

from scheduler_service.domain.grants import GrantRefusedError
from scheduler_service.domain.records import Job
from scheduler_service.errors import ConfigurationError
from scheduler_service.features.grants.destinations import NamedDestination
from scheduler_service.features.grants.file import VARIABLE, Grant, Grants
from scheduler_service.features.grants.resolver import Resolver
from scheduler_service.sandbox.contract.access import Access

_SYSTEM_DIRECTORIES = ("/proc", "/sys", "/dev", "/job")
"""No grant may lie in these; `/job` is where a run with a file system of its own works."""

log = structlog.get_logger(__name__)


class HeldGrants:
    """Turns the names of grants into what a run may reach."""

    def __init__(self, grants: Grants, private: Sequence[str], resolver: Resolver | None = None) -> None:
        """Resolve the links in all paths once; later changes of links have no effect.

        `private` are the paths of the service, as `private_paths` lists them. Raise ConfigurationError if a grant
        covers one of them, the whole file system, or a directory of the kernel.
        """
        self._resolver = resolver or Resolver()
        self._grants = {name: _with_real_paths(name, grant, private) for name, grant in grants.items()}
        self.missing = {name: paths for name, grant in self._grants.items() if (paths := _missing(grant))}
        for name, paths in self.missing.items():
            log.warning("grant_check_failed", grant=name, missing=paths)

    @property
    def names(self) -> list[str]:
        """The grants that runs can have here."""
        return sorted(self._grants.keys() - self.missing.keys())

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that some run may be granted."""
        held = [self._grants[name] for name in self.names]
        return tuple(sorted({path for grant in held for path in (*grant.read, *grant.write, *grant.sockets)}))

    async def access_of(self, job: Job) -> Access:
        """Return what a job may reach by its grants. Raise GrantRefusedError if one is not open to it here."""
        for name in job.grants:
            if name not in self._grants or not self._grants[name].rule.is_for(job.owner_id):
                raise GrantRefusedError(f'the grant "{name}" is no longer open to this job; ask the operator for it')
            if name in self.missing:
                raise GrantRefusedError(
                    f'the grant "{name}" is not usable here: missing {", ".join(self.missing[name])}'
                )
        return await self.access(job.grants)

    async def access(self, names: Iterable[str]) -> Access:
        """Return what a run with these grants may reach. Every grant must be among `names`."""
        grants = [self._grants[name] for name in names]
        destinations = [destination for grant in grants for destination in grant.destinations]
        addresses = await self._resolver.resolve(each.host for each in destinations if each.is_name)
        write = _once(path for grant in grants for path in grant.write)
        return Access(
            read=tuple(path for path in _once(path for grant in grants for path in grant.read) if path not in write),
            write=write,
            sockets=_once(path for grant in grants for path in grant.sockets),
            destinations=tuple(
                destination.at(network) for destination in destinations for network in _networks(destination, addresses)
            ),
            hosts=tuple((name, found[0]) for name, found in addresses.items() if found),
        )


def _networks(destination: NamedDestination, addresses: dict[str, list[str]]) -> list[str]:
    return addresses[destination.host] if destination.is_name else [destination.host]


def _once(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(paths))


def _with_real_paths(name: str, grant: Grant, private: Sequence[str]) -> Grant:
    real = {
        key: [_check(name, path, os.path.realpath(path), private) for path in getattr(grant, key)]
        for key in ("read", "write", "sockets")
    }
    return grant.model_copy(update=real)


def _check(name: str, path: str, real: str, private: Sequence[str]) -> str:
    why = _why_refused(real, private)
    if why:
        shown = path if path == real else f"{path} (which is {real})"
        raise ConfigurationError(f"{VARIABLE}: grant {name!r}: {shown} {why}; grant a directory of its own")
    return real


def _why_refused(path: str, private: Sequence[str]) -> str:
    if path == "/":
        return "is the whole file system"
    for system in _SYSTEM_DIRECTORIES:
        if _is_within(path, system):
            return f"lies in {system}, which no grant opens"
    for own in private:
        bare = own.removesuffix("*")
        if _is_within(path, own) or _is_within(bare, path) or (own.endswith("*") and path.startswith(bare)):
            return f"covers {own}, which belongs to the service"
    return ""


def _is_within(path: str, directory: str) -> bool:
    return Path(path).is_relative_to(directory)


def _missing(grant: Grant) -> list[str]:
    return [path for path in (*grant.read, *grant.write, *grant.sockets) if not os.path.lexists(path)]
