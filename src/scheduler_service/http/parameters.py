"""Path and query parameters that several routers share."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from scheduler_service.services.job_definition import Input

_LARGEST_ID = 2**63 - 1
_DIGITS = re.compile(r"-?(0|[1-9][0-9]*)")


def _is_of_digits(value: object) -> object:
    # int() also accepts 01, 1_0, +1, 1.0 and spaces. Caches and logs would then see several names for one object.
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("must be a whole number, written in digits alone")
    return value


# Placed after the limits, because pydantic documents only constraints that come before a function.
Digits = BeforeValidator(_is_of_digits)
Id = Annotated[int, Field(ge=1, le=_LARGEST_ID), Digits]
Offset = Annotated[int, Field(ge=0, le=_LARGEST_ID), Digits]


class Paging(Input):
    """The requested part of a list."""

    page: Annotated[
        int, Field(ge=1, le=1_000_000_000, description="Number of the page, counted from 1. Default 1."), Digits
    ] = 1
    size: Annotated[int, Field(ge=1, le=100, description="Items on a page, 1 to 100. Default 10."), Digits] = 10
