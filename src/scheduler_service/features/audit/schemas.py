"""The audit trail, as the API shows it, and its filters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from scheduler_service.domain.audit import AuditEntry, AuditFilter
from scheduler_service.features.audit import examples
from scheduler_service.http.answers import Answer
from scheduler_service.http.parameters import Digits, Id, OwnerQuery
from scheduler_service.payloads.stored_text import Storable
from scheduler_service.services.input_models import Input
from scheduler_service.services.instants import Instant

Word = Annotated[str, StringConstraints(max_length=200), Storable]


class AuditEntryOut(Answer):
    """One operation, or one refused attempt."""

    model_config = ConfigDict(title="AuditEntry", json_schema_extra={"examples": [examples.ENTRY]})

    id: Annotated[int, Field(description="Identifier of the entry.")]
    at: Annotated[datetime, Field(description="When it happened.")]
    key_id: Annotated[
        str | None, Field(description="Id of the key. `API_KEY`: the key of the setting. Null: no valid key.")
    ]
    caller_owner_id: Annotated[str | None, Field(description="Owner of the key. Null: none.")]
    address: Annotated[str | None, Field(description="Address of the client. Null: unknown.")]
    operation: Annotated[str, Field(description="Name of the operation in this documentation.")]
    object: Annotated[
        str | None, Field(description="Object of the operation, such as `jobs/7`. Of a refused attempt: the path.")
    ]
    owner_id: Annotated[str | None, Field(description="Owner of the object. Null: none.")]
    outcome: Annotated[Literal["done", "refused"], Field(description="Whether it was done or refused.")]
    changes: Annotated[
        dict[str, JsonValue] | None,
        Field(description="Changed fields, each with `before` and `after`, with secrets as `***`. Null: none."),
    ]
    correlation_id: Annotated[str, Field(description="Correlation id of the request.")]

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """Build the answer from an entry."""
        return cls(**{name: getattr(entry, name) for name in cls.model_fields})


class AuditPage(Answer):
    """A page of the audit trail."""

    entries: Annotated[list[AuditEntryOut], Field(description="The entries, the newest first.")]
    next: Annotated[int | None, Field(description="Value of `before` for the next page. Null: this page is the last.")]

    @classmethod
    def of(cls, found: Sequence[AuditEntry], size: int) -> Self:
        """Return a page of `size` from up to one entry more."""
        entries = [AuditEntryOut.of(entry) for entry in found[:size]]
        return cls(entries=entries, next=entries[-1].id if len(found) > size else None)


class AuditQuery(Input):
    """Which entries are wanted."""

    key_id: Annotated[Word | None, Field(description="Only operations with this key.")] = None
    owner_id: Annotated[OwnerQuery | None, Field(description="Only operations on objects of this owner.")] = None
    operation: Annotated[Word | None, Field(description="Only this operation, such as `deleteJob`.")] = None
    object: Annotated[Word | None, Field(description="Only operations on this object, such as `jobs/7`.")] = None
    outcome: Annotated[Literal["done", "refused"] | None, Field(description="Only what was done or refused.")] = None
    since: Annotated[Instant | None, Field(description="Only entries of this instant or later.")] = None
    until: Annotated[Instant | None, Field(description="Only entries of an earlier instant than this.")] = None
    before: Annotated[Id | None, Field(description="Only older entries than the one with this id.")] = None
    size: Annotated[int, Field(ge=1, le=100, description="Entries on a page, 1 to 100. Default 50."), Digits] = 50

    def filters(self) -> AuditFilter:
        """Return the filter for storage."""
        return AuditFilter(**self.model_dump(exclude={"size"}))
