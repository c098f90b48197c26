"""What the pages of one process share."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from scheduler_service.bootstrap import Service
from scheduler_service.config.settings import Settings
from scheduler_service.http.request_gate import RequestGate
from scheduler_service.web.feed import Feed, LogFeed
from scheduler_service.web.login_limit import LoginLimit
from scheduler_service.web.session import Sessions

KEY = "scheduler_service.site"


@dataclass(frozen=True, slots=True)
class Site:
    """The services, the sessions, the count of wrong keys, the limits of requests, and the feeds of events and logs."""

    settings: Settings
    service: Service
    sessions: Sessions
    logins: LoginLimit
    gate: RequestGate
    feed: Feed
    logs: LogFeed

    @property
    def flower_url(self) -> str | None:
        """Return where Flower is, without a slash at the end, or None if nobody has set it."""
        url = self.settings.flower_url
        return None if url is None else url.rstrip("/")


def site_of(request: Request) -> Site:
    """Return what the pages share, for a request that was sent to one of them."""
    site: Site = request.scope[KEY]
    return site
