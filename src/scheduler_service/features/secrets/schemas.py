"""Secrets, as the API shows them: never their values."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field

from scheduler_service.features.secrets import examples
from scheduler_service.features.secrets.records import Secret
from scheduler_service.http.answers import Answer


class SecretOut(Answer):
    """A secret without its value."""

    model_config = ConfigDict(title="Secret", json_schema_extra={"examples": [examples.SECRET]})

    name: Annotated[str, Field(description="Name of the secret.")]
    owner_id: Annotated[str, Field(description="Owner whose jobs can use it.")]
    key_id: Annotated[str, Field(description="Id of the key that it is encrypted with.")]
    created_at: Annotated[datetime, Field(description="When it was created.")]
    updated_at: Annotated[datetime, Field(description="When its value was last set.")]
    last_used_at: Annotated[
        datetime | None, Field(description="When a run last used it, to the minute. Null: not yet.")
    ]

    @classmethod
    def of(cls, secret: Secret) -> Self:
        """Build the answer from a secret."""
        return cls(**{name: getattr(secret, name) for name in cls.model_fields})


class SecretList(Answer):
    """Secrets without their values."""

    secrets: Annotated[list[SecretOut], Field(description="The secrets, by owner and name.")]


class ReencryptionOut(Answer):
    """The result of a rotation of the key."""

    model_config = ConfigDict(title="Reencryption", json_schema_extra={"examples": [examples.REENCRYPTION]})

    key_id: Annotated[str, Field(description="Id of the key that all secrets are encrypted with now.")]
    reencrypted: Annotated[int, Field(description="Number of secrets that were encrypted with another key before.")]
