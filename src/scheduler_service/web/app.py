"""Builds the web interface and mounts it beside the API."""

from __future__ import annotations

from http import HTTPStatus
from importlib import import_module
from pkgutil import iter_modules

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from scheduler_service.config.settings import Settings
from scheduler_service.web import pages
from scheduler_service.web.assets import load_assets, serve_asset
from scheduler_service.web.errors import HANDLERS
from scheduler_service.web.feed import Feed, LogFeed
from scheduler_service.web.login_limit import LoginLimit
from scheduler_service.web.rendering import environment
from scheduler_service.web.session import Sessions
from scheduler_service.web.site import KEY, Site

MOUNT = "/ui"
MODULES = tuple(import_module(f"{pages.__name__}.{found.name}") for found in iter_modules(pages.__path__))
"""Every module of the package `pages`, which needs no other registration."""


def install(app: FastAPI, settings: Settings) -> None:
    """Mount the interface at `/ui`, and lead browsers from `/` there."""
    load_assets()
    environment()
    app.add_route(MOUNT, _add_slash)
    app.mount(MOUNT, SiteApplication(app, settings))
    app.state.entrance = "ui/"


async def _add_slash(_request: Request) -> Response:
    return RedirectResponse(f"{MOUNT}/", HTTPStatus.PERMANENT_REDIRECT)


class SiteApplication:
    """The application of all pages, which gets its services from the application that it is mounted in."""

    def __init__(self, host: FastAPI, settings: Settings) -> None:
        self._host = host
        self._settings = settings
        self._sessions = Sessions(settings)
        self._logins = LoginLimit()
        self._shared: Site | None = None
        routes = [route for module in MODULES for route in module.pages.routes]
        routes.append(Route("/static/{name}", serve_asset))
        self._app = Starlette(routes=routes, exception_handlers=HANDLERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to its page."""
        scope[KEY] = self._site()
        await self._app(scope, receive, send)

    def _site(self) -> Site:
        """Return what the pages share. The services are those that the application's lifespan has opened."""
        state = self._host.state
        if self._shared is None or self._shared.service is not state.service:
            feed = Feed(state.service.events, state.service.stopping)
            logs = LogFeed(state.service.logs, state.service.stopping)
            self._shared = Site(self._settings, state.service, self._sessions, self._logins, state.gate, feed, logs)
            self._app.state.keys, self._app.state.gate = state.keys, state.gate
        return self._shared
