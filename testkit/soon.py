"""Jobs for an instant in the near future, on a machine of any load."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

LEADS_SECONDS = (1, 5, 25)
Made = TypeVar("Made")


async def create_soon(create: Callable[[str], Awaitable[Made]], refusal: type[Exception]) -> tuple[Made, datetime]:
    """Create a job for an instant in a second. Try a later instant if that one has passed and was refused."""
    for seconds in LEADS_SECONDS:
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        try:
            return await create(at.isoformat()), at
        except refusal as error:
            refused = error
    raise refused
