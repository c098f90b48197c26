"""The bases of all models of requests, and the fields that several of them have."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from scheduler_service.payloads.stored_text import Storable

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), Storable]
Owner = Annotated[str, StringConstraints(max_length=128, strip_whitespace=True), Storable]


class Input(BaseModel):
    """What comes from outside: nothing unknown is accepted, nothing infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DefinitionModel(Input):
    """What comes as JSON, which has types of its own: no text or boolean is taken for a number, nor the reverse."""

    model_config = ConfigDict(strict=True)
