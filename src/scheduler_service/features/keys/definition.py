"""Requests about API keys."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from scheduler_service.domain.caller import Scope
from scheduler_service.payloads.numbers import Whole
from scheduler_service.services.input_models import DefinitionModel, Name, Owner
from scheduler_service.services.instants import Instant

_Scope = Annotated[Scope, Field(strict=False)]  # JSON has text, no enums


class KeyDefinition(DefinitionModel):
    """A new key: whose objects it reaches, what it may do, and how long."""

    owner_id: Annotated[
        Owner | None,
        Field(
            min_length=1,
            description="Owner whose jobs and runs the key reaches, 1 to 128 characters. Only a key with the scope "
            "`admin` may have none. Default null.",
        ),
    ] = None
    name: Annotated[Name, Field(description="Name of the key for people, 1 to 200 characters. Default `key`.")] = "key"
    scopes: Annotated[
        list[_Scope],
        Field(
            min_length=1,
            max_length=len(Scope),
            description="What the key may do: `read`, `write` (change jobs and alerts), `run` (start, cancel and retry "
            "runs), `admin` (everything, for every owner, and manage keys). Default `read`, `write` and `run`.",
        ),
    ] = [Scope.READ, Scope.WRITE, Scope.RUN]  # noqa: RUF012 (pydantic copies defaults)
    expires_at: Annotated[
        Instant | None, Field(description="When the key stops working. Null: never. Default null.")
    ] = None

    @model_validator(mode="after")
    def _has_an_owner(self) -> Self:
        if self.owner_id is None and Scope.ADMIN not in self.scopes:
            raise ValueError("a key without the scope admin needs an owner_id")
        return self


class Rotation(DefinitionModel):
    """How to replace a key."""

    overlap_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=2_592_000,
            description="How long the old key still works. In seconds, 0 to 2,592,000 (30 days). Default 3,600 "
            "(1 hour).",
        ),
        Whole,
    ] = 3600
