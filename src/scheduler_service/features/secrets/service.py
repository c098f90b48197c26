"""Calls about secrets, one transaction each. No call returns a value."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.errors import ConflictError, NotFoundError
from scheduler_service.features.secrets import store
from scheduler_service.features.secrets.definition import SecretValue
from scheduler_service.features.secrets.keyring import VARIABLE, CannotDecryptError, Keyring, Sealed
from scheduler_service.features.secrets.records import Secret
from scheduler_service.services.audit import Target, record
from scheduler_service.services.ownership import owner_named_by
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

MAX_SECRETS_OF_OWNER = 1000


@dataclass(frozen=True, slots=True)
class Reencryption:
    """How many secrets a rotation encrypted again, and the id of their key."""

    key_id: str
    count: int


class SecretService:
    """Stores secrets, and shows their names."""

    def __init__(self, database: Database, clock: Clock, keyring: Keyring) -> None:
        self._database = database
        self._clock = clock
        self._keyring = keyring

    async def put(self, caller: Caller, owner_id: str | None, name: str, value: SecretValue) -> Secret | None:
        """Store a value. Return the secret if it is new, else None.

        Raise `ConflictError` if this service has no key for secrets, or if the owner has too many.
        """
        caller.require(Scope.WRITE)
        owner_id = owner_named_by(caller, owner_id)
        self._check_key()
        sealed = self._keyring.seal(owner_id, name, value.value)
        async with self._database.write() as connection:
            now = self._clock.now()
            names = await store.names_of(connection, owner_id)
            if name not in names and len(names) >= MAX_SECRETS_OF_OWNER:
                raise ConflictError(f"an owner has at most {MAX_SECRETS_OF_OWNER} secrets; delete one that no job uses")
            is_new = await store.put(connection, owner_id, name, sealed, now)
            after = {"key_id": sealed.key_id}
            await record(connection, caller, "putSecret", _target(owner_id, name), now, after=after)
            return await store.find(connection, owner_id, name) if is_new else None

    async def list_secrets(self, caller: Caller, owner_id: str | None) -> list[Secret]:
        """Return the secrets of an owner; without one, those of the caller's owner, or all to an administrator."""
        caller.require(Scope.READ)
        wanted = caller.bound if owner_id is None else owner_named_by(caller, owner_id)
        async with self._database.read() as connection:
            return await store.list_secrets(connection, wanted)

    async def get(self, caller: Caller, owner_id: str | None, name: str) -> Secret:
        """Return a secret without its value. Raise `NotFoundError` if there is none."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            secret = await store.find(connection, owner_named_by(caller, owner_id), name)
        if secret is None:
            raise _not_found(name)
        return secret

    async def delete(self, caller: Caller, owner_id: str | None, name: str) -> None:
        """Delete a secret. Runs of jobs that use it fail from then on. Raise `NotFoundError` if there is none."""
        caller.require(Scope.WRITE)
        owner_id = owner_named_by(caller, owner_id)
        async with self._database.write() as connection:
            if not await store.remove(connection, owner_id, name):
                raise _not_found(name)
            await record(connection, caller, "deleteSecret", _target(owner_id, name), self._clock.now())

    async def rotate_key(self, caller: Caller) -> Reencryption:
        """Encrypt every secret with the first key that is not encrypted with it yet.

        Raise `ConflictError` if there is no key, or if a secret cannot be decrypted; nothing is changed then.
        """
        caller.require(Scope.ADMIN)
        key_id, count = self._check_key(), 0
        async with self._database.write() as connection:
            for secret in await store.list_secrets(connection, None):
                if secret.key_id != key_id:
                    count += await store.reseal(connection, secret, self._reseal(secret))
            after = {"key_id": key_id, "reencrypted": count}
            await record(connection, caller, "rotateSecretsKey", Target("secrets"), self._clock.now(), after=after)
        return Reencryption(key_id, count)

    def _reseal(self, secret: Secret) -> Sealed:
        try:
            value = self._keyring.open(secret.owner_id, secret.name, Sealed(secret.key_id, secret.sealed))
        except CannotDecryptError as error:
            raise ConflictError(f"the secret {secret.name!r} of {secret.owner_id!r}: {error}") from error
        return self._keyring.seal(secret.owner_id, secret.name, value)

    def _check_key(self) -> str:
        key_id = self._keyring.key_id
        if key_id is None:
            raise ConflictError(
                f"this service has no key for secrets; set {VARIABLE} for every process, "
                "such as one of `openssl rand -base64 32`"
            )
        return key_id


def _target(owner_id: str, name: str) -> Target:
    return Target(f"secrets/{name}", owner_id)


def _not_found(name: str) -> NotFoundError:
    return NotFoundError(f"there is no secret {name!r}")
