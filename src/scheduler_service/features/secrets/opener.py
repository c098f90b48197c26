"""Decrypts the secrets of a job when a worker begins its run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from scheduler_service.domain.records import Job
from scheduler_service.domain.secrets import SecretRefusedError
from scheduler_service.features.secrets import store
from scheduler_service.features.secrets.keyring import CannotDecryptError, Keyring, Sealed
from scheduler_service.features.secrets.records import Secret
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

_NOTED_AFTER = timedelta(seconds=60)


class SecretOpener:
    """Opens secrets of jobs with the keys of this worker."""

    def __init__(self, database: Database, clock: Clock, keyring: Keyring) -> None:
        self._database = database
        self._clock = clock
        self._keyring = keyring

    async def values_of(self, job: Job) -> Mapping[str, str]:
        """Return the value of each secret of a job by its name.

        Raise `SecretRefusedError` if one does not exist any more or cannot be decrypted here.
        """
        names = set(job.secrets.values())
        if not names:
            return {}
        async with self._database.read() as connection:
            stored = await store.list_secrets(connection, job.owner_id, names)
        if missing := sorted(names - {secret.name for secret in stored}):
            raise SecretRefusedError(f'the secret "{missing[0]}" does not exist any more; set it again')
        values = {secret.name: self._open(secret) for secret in stored}
        await self._note_use(stored, self._clock.now())
        return values

    def _open(self, secret: Secret) -> str:
        try:
            return self._keyring.open(secret.owner_id, secret.name, Sealed(secret.key_id, secret.sealed))
        except CannotDecryptError as error:
            raise SecretRefusedError(f'the secret "{secret.name}" cannot be decrypted: {error}') from error

    async def _note_use(self, used: Iterable[Secret], now: datetime) -> None:
        """Store the use of secrets, once a minute."""
        stale = [each.id for each in used if each.last_used_at is None or now - each.last_used_at >= _NOTED_AFTER]
        if stale:
            async with self._database.write() as connection:
                await store.note_use(connection, stale, now)
