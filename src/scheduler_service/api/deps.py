"""Dependencies of the endpoints."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from scheduler_service.bootstrap import Service


async def current_service(request: Request) -> Service:
    """Return the services that the lifespan opened."""
    service: Service = request.app.state.service
    return service


CurrentService = Annotated[Service, Depends(current_service)]
