"""Grants: what callers may see of them, and which live workers hold them."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.grants import usable_grants
from scheduler_service.errors import NotFoundError
from scheduler_service.features.grants.file import Grants, rules_of
from scheduler_service.features.grants.records import OfferedGrant
from scheduler_service.services.liveness import ready_workers
from scheduler_service.storage import workers
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database


class GrantService:
    """Shows the grants of the operator's file. It changes nothing: the file is the only place for that."""

    def __init__(self, database: Database, clock: Clock, grants: Grants, *, heartbeat_seconds: float) -> None:
        self._database = database
        self._clock = clock
        self._grants = grants
        self._rules = rules_of(grants)
        self._heartbeat_seconds = heartbeat_seconds

    async def offered(self, caller: Caller) -> list[OfferedGrant]:
        """Return the grants that jobs of the caller's owner may ask for; all of them to an administrator."""
        caller.require(Scope.READ)
        names = sorted(self._grants) if caller.bound is None else usable_grants(self._rules, caller.bound)
        held = await self._held_by_workers() if names else {}
        return [self._show(name, held, caller.bound) for name in names]

    async def get(self, caller: Caller, name: str) -> OfferedGrant:
        """Return one of these. Raise NotFoundError for any other."""
        for grant in await self.offered(caller):
            if grant.name == name:
                return grant
        raise NotFoundError(f"there is no grant {name!r}")

    async def warnings(self, names: Iterable[str]) -> list[str]:
        """Return a warning for each grant that a job asks for and no live worker holds."""
        wanted = list(names)
        if not wanted:
            return []
        held = await self._held_by_workers()
        return [
            f'no live worker holds the grant "{name}": runs of this job stay queued until one does.'
            for name in wanted
            if not held.get(name)
        ]

    async def _held_by_workers(self) -> dict[str, list[str]]:
        async with self._database.read() as connection:
            living = await workers.living(connection)
        held: dict[str, list[str]] = {}
        for worker in ready_workers(living, self._clock.now(), self._heartbeat_seconds):
            for name in worker.grants:
                held.setdefault(name, []).append(worker.id)
        return held

    def _show(self, name: str, held: dict[str, list[str]], owner_id: str | None) -> OfferedGrant:
        """Return a grant. A caller with an owner learns of no other."""
        grant = self._grants[name]
        owners = grant.owners if grant.owners is None or owner_id is None else [owner_id]
        return OfferedGrant(
            name=name,
            description=grant.description,
            read=tuple(grant.read),
            write=tuple(grant.write),
            connect=tuple(grant.connect),
            sockets=tuple(grant.sockets),
            owners=None if owners is None else tuple(owners),
            workers=tuple(held.get(name, ())),
        )
