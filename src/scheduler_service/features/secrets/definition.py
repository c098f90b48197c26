"""Requests about secrets."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from scheduler_service.payloads.stored_text import Storable
from scheduler_service.services.input_models import DefinitionModel

MIN_CHARACTERS = 6
MAX_BYTES = 65_536


def _check_size(value: str) -> str:
    if len(value.strip()) < MIN_CHARACTERS:
        raise ValueError(
            f"must have at least {MIN_CHARACTERS} characters between its blanks: a shorter one cannot be masked in "
            "logs without masking other text; choose a longer one"
        )
    if (size := len(value.encode())) > MAX_BYTES:
        raise ValueError(f"takes {size} bytes, and the limit is {MAX_BYTES}; shorten it")
    return value


class SecretValue(DefinitionModel):
    """The value of a secret."""

    value: Annotated[
        str,
        StringConstraints(min_length=MIN_CHARACTERS, max_length=MAX_BYTES),
        Storable,
        AfterValidator(_check_size),
        Field(
            description="Value of the secret: text of 6 characters up to 64 KiB. It is encrypted, given to runs of the "
            "jobs that use it, and never shown.",
            repr=False,
        ),
    ]
