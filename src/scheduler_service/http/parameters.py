"""Path and query parameters that several routers share."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header, Path
from pydantic import BeforeValidator, Field, StringConstraints

from scheduler_service.domain.listing import Count, Page
from scheduler_service.http.cursors import MAX_CURSOR_CHARACTERS, read_cursor
from scheduler_service.payloads.stored_text import Storable
from scheduler_service.payloads.text_pattern import TextPattern
from scheduler_service.services.input_models import Input

_LARGEST_ID = 2**63 - 1
_DIGITS = re.compile(r"-?(0|[1-9][0-9]*)")


def _is_of_digits(value: object) -> object:
    # int() also accepts 01, 1_0, +1, 1.0 and spaces. Caches and logs would then see several names for one object.
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("must be a whole number, such as 10")
    return value


def _separated(value: object) -> object:
    """Return the items of a parameter that was repeated, or written once with commas, or both."""
    if not isinstance(value, list):
        return value
    return [item for part in value for item in (part.split(",") if isinstance(part, str) else [part])]


Separated = BeforeValidator(_separated)
# Placed after the limits, because pydantic documents only constraints that come before a function.
Digits = BeforeValidator(_is_of_digits)
Id = Annotated[int, Field(ge=1, le=_LARGEST_ID), Digits]
Offset = Annotated[int, Field(ge=0, le=_LARGEST_ID), Digits]
OwnerQuery = Annotated[str, StringConstraints(max_length=128), Storable]
TagQuery = Annotated[str, StringConstraints(max_length=64), Storable]

JobId = Annotated[Id, Path(description="The `id` of the job.", examples=[1])]
RunId = Annotated[Id, Path(description="The `id` of the run.", examples=[1])]

IdempotencyKey = Annotated[
    Annotated[str, TextPattern(r"[\x21-\x7e]{1,255}", "1 to 255 letters, digits and signs of ASCII, without blanks")]
    | None,
    Header(
        alias="Idempotency-Key",
        description="A unique text of your choice, 1 to 255 ASCII characters without blanks. A repeated request with "
        "the same key changes nothing and gets the answer of the first request.",
        examples=["order-4711"],
    ),
]


class Paging(Input):
    """The requested part of a list."""

    page: Annotated[
        int, Field(ge=1, le=1_000_000_000, description="Number of the page, counted from 1. Default 1."), Digits
    ] = 1
    size: Annotated[int, Field(ge=1, le=100, description="Items on a page, 1 to 100. Default 10."), Digits] = 10
    cursor: Annotated[
        Annotated[str, StringConstraints(max_length=MAX_CURSOR_CHARACTERS)] | None,
        Field(description="Where the page starts, as in the `next` link of the page before. Fast on every page."),
    ] = None
    count: Annotated[
        Count,
        Field(
            description="How `total` is counted: `exact`, `capped` (up to 10,000) or `none`. In a list of millions, an "
            "exact count takes longer than the page. Default `exact`."
        ),
    ] = Count.EXACT

    def paging(self, sort: str = "id") -> Page:
        """Return the requested page of a list in this order. Raise `InvalidInputError` for a cursor of another one."""
        return Page(
            self.page,
            self.size,
            cursor=None if self.cursor is None else read_cursor(self.cursor, sort),
            count=self.count,
        )
