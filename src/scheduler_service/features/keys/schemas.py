"""API keys, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field

from scheduler_service.domain.caller import Scope
from scheduler_service.features.keys import examples
from scheduler_service.features.keys.records import ApiKey
from scheduler_service.features.keys.rules import is_valid_at
from scheduler_service.features.keys.service import CreatedKey
from scheduler_service.http.answers import Answer

_COPIED = ("name", "owner_id", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")


class KeyOut(Answer):
    """A key without its secret."""

    model_config = ConfigDict(title="ApiKey", json_schema_extra={"examples": [examples.KEY]})

    id: Annotated[str, Field(description="Public part of the key, which names it.")]
    name: Annotated[str, Field(description="Name of the key for people.")]
    owner_id: Annotated[str | None, Field(description="Owner whose objects the key reaches. Null: every owner's.")]
    scopes: Annotated[list[Scope], Field(description="What the key may do.")]
    status: Annotated[Literal["active", "expired", "revoked"], Field(description="Whether the key works.")]
    created_at: Annotated[datetime, Field(description="When the key was created.")]
    expires_at: Annotated[datetime | None, Field(description="When the key stops working. Null: never.")]
    last_used_at: Annotated[
        datetime | None, Field(description="When the key was last used, to the minute. Null: not yet.")
    ]
    revoked_at: Annotated[datetime | None, Field(description="When the key was revoked. Null: it was not.")]

    @classmethod
    def of(cls, record: ApiKey, now: datetime, **more: Any) -> Self:
        """Return a key as it is shown at an instant."""
        status = "revoked" if record.revoked_at is not None else "active" if is_valid_at(record, now) else "expired"
        return cls(id=record.public_id, status=status, **{name: getattr(record, name) for name in _COPIED}, **more)


class KeyCreated(KeyOut):
    """A new key with its secret, which is shown once."""

    model_config = ConfigDict(title="NewApiKey", json_schema_extra={"examples": [examples.CREATED]})

    key: Annotated[str, Field(description="The key for the header `X-API-Key`. Store it now: it is not shown again.")]

    @classmethod
    def of_new(cls, created: CreatedKey, now: datetime) -> Self:
        """Return a new key as it is shown."""
        return cls.of(created.key, now, key=created.text)


class KeyList(Answer):
    """All keys."""

    keys: Annotated[list[KeyOut], Field(description="The keys, the oldest first.")]
