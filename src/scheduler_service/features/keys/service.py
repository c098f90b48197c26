"""Calls about API keys, one transaction each, and the check of keys that clients send."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.errors import ConflictError, FieldProblem, InvalidInputError, NotFoundError
from scheduler_service.features.keys import store
from scheduler_service.features.keys.definition import KeyDefinition, Rotation
from scheduler_service.features.keys.records import ApiKey
from scheduler_service.features.keys.rules import digest_of, is_same, is_valid_at, new_key, read_key, write_key
from scheduler_service.services.audit import Target, record
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

FRESH_SECONDS = 2.0
"""How long a process relies on what it has read of a key. A revocation takes effect everywhere within this time."""
_NOTED_AFTER = timedelta(seconds=60)
_MAX_CACHED = 4096


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key and its text, which is shown this once."""

    key: ApiKey
    text: str


class KeyService:
    """Creates, rotates and revokes keys, for callers with the scope `admin`, and checks keys of requests."""

    def __init__(self, database: Database, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._monotonic = monotonic
        self._pepper: bytes | None = None
        self._read: OrderedDict[str, tuple[ApiKey, float]] = OrderedDict()

    async def create(self, caller: Caller, definition: KeyDefinition) -> CreatedKey:
        """Create a key. Raise `InvalidInputError` if it would be expired already."""
        caller.require(Scope.ADMIN)
        now = self._clock.now()
        if definition.expires_at is not None and definition.expires_at <= now:
            raise InvalidInputError(FieldProblem("expires_at", "must lie in the future, or be null"))
        values = {
            "name": definition.name,
            "owner_id": definition.owner_id,
            "scopes": [str(scope) for scope in dict.fromkeys(definition.scopes)],
            "expires_at": definition.expires_at,
        }
        async with self._database.write() as connection:
            return await self._add(connection, caller, "createKey", values)

    async def list_keys(self, caller: Caller) -> list[ApiKey]:
        """Return all keys, the oldest first, without their secrets."""
        caller.require(Scope.ADMIN)
        async with self._database.read() as connection:
            return await store.list_keys(connection)

    async def get(self, caller: Caller, public_id: str) -> ApiKey:
        """Return a key without its secret. Raise `NotFoundError` if there is none."""
        caller.require(Scope.ADMIN)
        async with self._database.read() as connection:
            key = await store.find(connection, public_id)
        if key is None:
            raise NotFoundError(f"there is no key {public_id!r}")
        return key

    async def rotate(self, caller: Caller, public_id: str, rotation: Rotation) -> CreatedKey:
        """Create a key with the same rights, and let the old one expire after the overlap.

        Raise `NotFoundError` if there is no such key, and `ConflictError` if it is not valid any more.
        """
        await self.get(caller, public_id)
        now = self._clock.now()
        async with self._database.write() as connection:
            # Locked, so that a revocation at the same time does not leave a valid successor.
            old = await store.find(connection, public_id, is_locked=True)
            if old is None or not is_valid_at(old, now):
                raise ConflictError("the key is revoked or expired; create a new one")
            values = {"name": old.name, "owner_id": old.owner_id, "scopes": old.scopes, "expires_at": old.expires_at}
            created = await self._add(connection, caller, "rotateKey", values)
            await store.expire_at(connection, public_id, now + timedelta(seconds=rotation.overlap_seconds))
        self._read.pop(public_id, None)
        return created

    async def revoke(self, caller: Caller, public_id: str) -> None:
        """Revoke a key for good. Raise `NotFoundError` if there is none that is not revoked."""
        caller.require(Scope.ADMIN)
        async with self._database.write() as connection:
            if not await store.revoke(connection, public_id, self._clock.now()):
                raise NotFoundError(f"there is no key {public_id!r} that is not revoked")
            await record(connection, caller, "revokeKey", Target(f"keys/{public_id}"), self._clock.now())
        self._read.pop(public_id, None)

    async def caller_of(self, text: str) -> Caller | None:
        """Return the caller whose key this is, or None if there is no valid key of this text."""
        parts = read_key(text)
        if parts is None:
            return None
        public_id, secret = parts
        key = await self._find(public_id)
        # Hashed in any case, so that the time does not tell whether the id exists.
        computed = digest_of(secret, await self._find_pepper())
        if key is None or not is_same(key.digest, computed) or not is_valid_at(key, self._clock.now()):
            return None
        return _caller_of(key)

    async def caller_with_id(self, public_id: str) -> Caller | None:
        """Return the caller of a key by its id, or None if there is no valid one. A session has checked the secret."""
        key = await self._find(public_id)
        return None if key is None or not is_valid_at(key, self._clock.now()) else _caller_of(key)

    def is_known(self, text: str) -> bool:
        """Return whether this process has read the key that a text names, without reading it now."""
        parts = read_key(text)
        return parts is not None and parts[0] in self._read

    async def _add(
        self, connection: AsyncConnection, caller: Caller, operation: str, rights: Mapping[str, Any]
    ) -> CreatedKey:
        public_id, secret = new_key()
        now, pepper = self._clock.now(), await store.pepper(connection)
        values = {**rights, "public_id": public_id, "digest": digest_of(secret, pepper), "created_at": now}
        key = await store.add(connection, values)
        await record(connection, caller, operation, Target(f"keys/{public_id}", key.owner_id), now, after=rights)
        return CreatedKey(key, write_key(public_id, secret))

    async def _find(self, public_id: str) -> ApiKey | None:
        known = self._read.get(public_id)
        if known is not None and self._monotonic() - known[1] < FRESH_SECONDS:
            return known[0]
        async with self._database.read() as connection:
            key = await store.find(connection, public_id)
        if key is None:  # not kept: invented ids would drive out those of others
            self._read.pop(public_id, None)
            return None
        self._read[public_id] = key, self._monotonic()
        self._read.move_to_end(public_id)
        if len(self._read) > _MAX_CACHED:
            self._read.popitem(last=False)
        await self._note_use(key)
        return key

    async def _note_use(self, key: ApiKey) -> None:
        """Store the use of a valid key, once a minute."""
        now = self._clock.now()
        if not is_valid_at(key, now) or (key.last_used_at is not None and now - key.last_used_at < _NOTED_AFTER):
            return
        async with self._database.write() as connection:
            await store.note_use(connection, key.public_id, now)

    async def _find_pepper(self) -> bytes:
        if self._pepper is None:
            async with self._database.write() as connection:
                self._pepper = await store.pepper(connection)
        return self._pepper


def _caller_of(key: ApiKey) -> Caller:
    scopes = frozenset(map(Scope, key.scopes))
    return Caller(key.owner_id, frozenset(Scope) if Scope.ADMIN in scopes else scopes, key.public_id)
