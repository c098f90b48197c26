"""Calls about quotas, one transaction each."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.quotas import Quotas
from scheduler_service.errors import NotFoundError
from scheduler_service.features.quotas import store
from scheduler_service.features.quotas.definition import QuotaDefinition
from scheduler_service.features.quotas.records import QuotaUse
from scheduler_service.services.audit import Target, record
from scheduler_service.storage import quotas, stored_bytes
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database


class QuotaService:
    """Shows quotas to their owners, and sets them for administrators."""

    def __init__(self, database: Database, clock: Clock, defaults: Quotas) -> None:
        """Take the quotas of owners that were given none."""
        self._database = database
        self._clock = clock
        self._defaults = defaults

    async def get(self, caller: Caller, owner_id: str | None = None) -> QuotaUse:
        """Return the quotas of the caller's owner, or those of another one to an administrator.

        Raise `NotFoundError` if another caller names another owner.
        """
        caller.require(Scope.READ)
        if caller.bound is not None and owner_id not in {None, caller.bound}:
            raise NotFoundError(f"there is no owner {owner_id!r} for this key; GET /api/v1/quotas shows its own")
        named = owner_id or caller.owner_id or ""
        async with self._database.read() as connection:
            return await self._use(connection, named)

    async def list_given(self, caller: Caller) -> list[QuotaUse]:
        """Return the quotas of all owners that were given any."""
        caller.require(Scope.ADMIN)
        async with self._database.read() as connection:
            return [await self._use(connection, owner_id) for owner_id in await store.owners(connection)]

    async def put(self, caller: Caller, owner_id: str, definition: QuotaDefinition) -> QuotaUse:
        """Replace the quotas of an owner. Objects that exceed them stay."""
        caller.require(Scope.ADMIN)
        now = self._clock.now()
        async with self._database.write() as connection:
            before, after = await store.find(connection, owner_id), definition.model_dump()
            await store.put(connection, owner_id, after, now)
            await record(connection, caller, "setQuotas", _target(owner_id), now, before=before, after=after)
            return await self._use(connection, owner_id)

    async def delete(self, caller: Caller, owner_id: str) -> None:
        """Remove the quotas of an owner, so that the defaults hold. Raise `NotFoundError` if it has none."""
        caller.require(Scope.ADMIN)
        async with self._database.write() as connection:
            before = await store.find(connection, owner_id)
            if not await store.remove(connection, owner_id):
                raise NotFoundError(f"the owner {owner_id!r} was given no quotas; the defaults hold")
            await record(connection, caller, "unsetQuotas", _target(owner_id), self._clock.now(), before=before)

    async def _use(self, connection: AsyncConnection, owner_id: str) -> QuotaUse:
        return QuotaUse(
            owner_id=owner_id,
            quotas=await quotas.find(connection, owner_id, self._defaults),
            own=await store.find(connection, owner_id),
            jobs=await quotas.count_jobs(connection, owner_id),
            runs_in_minute=await quotas.count_in_minute(connection, owner_id, self._clock.now()),
            running=await quotas.count_running(connection, owner_id),
            environments=await quotas.count_environments(connection, owner_id),
            stored_mb=(await stored_bytes.find_mb(connection, [owner_id])).get(owner_id),
        )


def _target(owner_id: str) -> Target:
    return Target(f"owners/{owner_id}/quotas", owner_id)
