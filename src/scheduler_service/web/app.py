"""Builds the web interface and mounts it beside the API."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from scheduler_service.config.settings import Settings
from scheduler_service.web.assets import load_assets, serve_asset
from scheduler_service.web.errors import HANDLERS
from scheduler_service.web.login_limit import LoginLimit
from scheduler_service.web.pages import account, editor, jobs, login
from scheduler_service.web.rendering import environment
from scheduler_service.web.session import Sessions
from scheduler_service.web.site import KEY, Site

MOUNT = "/ui"
MODULES = (login, account, editor, jobs)


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
        routes = [route for module in MODULES for route in module.pages.routes]
        routes.append(Route("/static/{name}", serve_asset))
        self._app = Starlette(routes=routes, exception_handlers=HANDLERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to its page."""
        state = self._host.state
        scope[KEY] = Site(self._settings, state.service, self._sessions, self._logins, state.gate)
        await self._app(scope, receive, send)
