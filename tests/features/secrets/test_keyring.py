"""The encryption of secrets: what opens a value, and what does not."""

from __future__ import annotations

import pytest

from scheduler_service.features.secrets.keyring import CannotDecryptError, Keyring, Sealed

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
VALUE = "correct horse ü"


def test_value_is_opened_with_the_same_key() -> None:
    assert Keyring([OLD]).open("ann", "db", Keyring([OLD]).seal("ann", "db", VALUE)) == VALUE


def test_stored_bytes_hide_the_value_and_differ_each_time() -> None:
    one, two = (Keyring([OLD]).seal("ann", "db", VALUE) for _ in range(2))
    assert VALUE.encode() not in one.data
    assert one.data != two.data


def test_first_key_encrypts_and_every_key_decrypts() -> None:
    sealed = Keyring([OLD]).seal("ann", "db", VALUE)
    both = Keyring([NEW, OLD])
    assert both.open("ann", "db", sealed) == VALUE
    assert both.seal("ann", "db", VALUE).key_id == Keyring([NEW]).key_id != sealed.key_id


@pytest.mark.parametrize(("owner", "name"), [("bob", "db"), ("ann", "other"), ("an", "ndb"), ("", "db")])
def test_value_is_bound_to_its_owner_and_name(owner: str, name: str) -> None:
    sealed = Keyring([OLD]).seal("ann", "db", VALUE)
    with pytest.raises(CannotDecryptError, match="damaged or belongs to another secret"):
        Keyring([OLD]).open(owner, name, sealed)


def test_changed_bytes_are_refused() -> None:
    sealed = Keyring([OLD]).seal("ann", "db", VALUE)
    for position in (0, 12, len(sealed.data) - 1):
        changed = bytearray(sealed.data)
        changed[position] ^= 1
        with pytest.raises(CannotDecryptError):
            Keyring([OLD]).open("ann", "db", Sealed(sealed.key_id, bytes(changed)))


def test_missing_key_is_named() -> None:
    sealed = Keyring([OLD]).seal("ann", "db", VALUE)
    with pytest.raises(CannotDecryptError, match=f"its key {sealed.key_id} is not in SCHEDULER_SECRETS_KEY"):
        Keyring([NEW]).open("ann", "db", sealed)
