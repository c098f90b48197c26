"""Routes of pages: they find the caller of a request, check its origin, and call the page's handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scheduler_service.web.admission import admit
from scheduler_service.web.visit import Visit

Handler: TypeAlias = Callable[[Visit], Awaitable[Response]]


@dataclass(slots=True)
class Pages:
    """The pages of one noun. `is_public` pages need no login."""

    is_public: bool = False
    routes: list[Route] = field(default_factory=list)

    def get(self, path: str) -> Callable[[Handler], Handler]:
        """Register a handler that shows a page."""
        return self._register(path, "GET")

    def post(self, path: str) -> Callable[[Handler], Handler]:
        """Register a handler that changes something. Its form has been checked."""
        return self._register(path, "POST")

    def _register(self, path: str, method: str) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            endpoint = _endpoint(handler, is_public=self.is_public)
            self.routes.append(Route(path, endpoint, methods=[method], name=handler.__name__))
            return handler

        return register


def _endpoint(handler: Handler, *, is_public: bool) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        visit = await admit(request, is_public=is_public)
        request.state.visit = visit
        with visit.site.gate.working():
            response = await handler(visit)
        response.headers.update(visit.headers())
        if visit.session is not None:
            visit.site.sessions.renew(request, response, visit.session)
        return response

    return answer
