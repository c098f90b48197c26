"""Encrypts and decrypts values with the keys of SCHEDULER_SECRETS_KEY."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from scheduler_service.config.secrets_key import read_keys
from scheduler_service.config.settings import Settings
from scheduler_service.errors import SchedulerError

VARIABLE = "SCHEDULER_SECRETS_KEY"
NONCE_BYTES = 12
_KEY_ID_CHARACTERS = 8


class CannotDecryptError(SchedulerError):
    """No key decrypts a value, or the value is not the one that was stored for this owner and name."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted value and the id of its key."""

    key_id: str
    data: bytes


class Keyring:
    """Keys of 32 bytes: the first encrypts, all decrypt. A keyring can be empty."""

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self._keys = {key_id_of(key): key for key in keys}

    @property
    def key_id(self) -> str | None:
        """Return the id of the key that encrypts, or None if there is no key."""
        return next(iter(self._keys), None)

    def seal(self, owner_id: str, name: str, value: str) -> Sealed:
        """Encrypt a value for an owner and a name. The keyring must have a key."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 (slow, and often not needed)

        key_id, key = next(iter(self._keys.items()))
        nonce = secrets.token_bytes(NONCE_BYTES)
        return Sealed(key_id, nonce + AESGCM(key).encrypt(nonce, value.encode(), _bound_to(owner_id, name)))

    def open(self, owner_id: str, name: str, sealed: Sealed) -> str:
        """Return the value that was encrypted for this owner and name. Raise `CannotDecryptError` if that fails."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 (slow, and often not needed)
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        key = self._keys.get(sealed.key_id)
        if key is None:
            raise CannotDecryptError(f"its key {sealed.key_id} is not in {VARIABLE}; add that key, or set it again")
        nonce, encrypted = sealed.data[:NONCE_BYTES], sealed.data[NONCE_BYTES:]
        try:
            return AESGCM(key).decrypt(nonce, encrypted, _bound_to(owner_id, name)).decode()
        except InvalidTag:
            raise CannotDecryptError("what is stored is damaged or belongs to another secret; set it again") from None


def key_id_of(key: bytes) -> str:
    """Return the id of a key, which reveals nothing of it."""
    return hashlib.sha256(b"id of a key for secrets\0" + key).hexdigest()[:_KEY_ID_CHARACTERS]


def keyring_of(settings: Settings) -> Keyring:
    """Return the keys of the settings."""
    return Keyring() if settings.secrets_key is None else Keyring(read_keys(settings.secrets_key.get_secret_value()))


def _bound_to(owner_id: str, name: str) -> bytes:
    """Return the associated data: the authenticated text that a value can be decrypted with only."""
    return json.dumps([owner_id, name]).encode()
