"""Dependencies of the routes of features."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import Request

Provided = TypeVar("Provided")


def provide(kind: type[Provided]) -> Callable[[Request], Awaitable[Provided]]:
    """Return the dependency that provides the process's service of a kind."""

    async def find(request: Request) -> Provided:
        service: Provided = request.app.state.service.feature(kind)
        return service

    return find
