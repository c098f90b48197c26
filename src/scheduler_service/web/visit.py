"""One request of a page: who makes it, what it may use, and how it is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from scheduler_service.bootstrap import Service
from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.schedules.zone import meant_zone, zone_names
from scheduler_service.errors import FieldProblem, InvalidInputError
from scheduler_service.web import flash, navigation
from scheduler_service.web.commands import Request as ApiRequest
from scheduler_service.web.commands import commands_of
from scheduler_service.web.compression import compressed
from scheduler_service.web.csrf import TOKEN_FIELD, make_token
from scheduler_service.web.headers import page_headers
from scheduler_service.web.queries import LARGEST_ID
from scheduler_service.web.rendering import render
from scheduler_service.web.session import Session
from scheduler_service.web.site import Site
from scheduler_service.web.texts import text
from scheduler_service.web.views.curl import curl

HOME = "/ui/"
EDITOR = "editor.html"
KEYS_COOKIE = "scheduler_keys"
ZONE_COOKIE = "scheduler_zone"
THEME_COOKIE, THEMES = "scheduler_theme", ("light", "dark")
UP_TO = "upto"
"""The query parameter with the newest row that a list shows, by which it asks for its rows again."""
FeatureService = TypeVar("FeatureService")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request with its caller. `session` is None on pages that need no login; their caller has no scopes."""

    request: Request
    site: Site
    session: Session | None
    caller: Caller
    nonce: str
    form: FormData

    @property
    def service(self) -> Service:
        """Return the services."""
        return self.site.service

    @property
    def query(self) -> Mapping[str, str]:
        """Return the query parameters."""
        return self.request.query_params

    @property
    def url(self) -> str:
        """Return the path and query of this request, for links back to it."""
        path = self.request.url.path
        return f"{path}?{self.request.url.query}" if self.request.url.query else path

    @property
    def is_fragment(self) -> bool:
        """Return whether a script of a page asks, which shows the answer within that page."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def theme(self) -> str | None:
        """Return the chosen theme, or None if the system's is used."""
        chosen = self.request.cookies.get(THEME_COOKIE)
        return chosen if chosen in THEMES else None

    @property
    def keys_are_off(self) -> bool:
        """Return whether the reader has switched single letters off (WCAG 2.1.4)."""
        return self.request.cookies.get(KEYS_COOKIE) == "off"

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone of drawings by hours and days: the one asked for, the browser's, or UTC."""
        wanted = (meant_zone(self.query.get("zone", "")), self.request.cookies.get(ZONE_COOKIE))
        return ZoneInfo(next((name for name in wanted if name in zone_names()), "UTC"))

    @property
    def written_zone(self) -> str | None:
        """Return what the address says of a zone if that is not the name of the zone that is used."""
        written = self.query.get("zone", "")
        return written if written not in {"", self.zone.key} else None

    @property
    def section(self) -> str:
        """Return the name of the page's entry in the navigation."""
        return self.request.url.path.removeprefix(HOME).partition("/")[0] or "home"

    @property
    def open_job_id(self) -> int | None:
        """Return the id of the job that the page shows, or None."""
        found = self.request.path_params.get("job_id")
        return found if isinstance(found, int) else None

    @property
    def navigation(self) -> Sequence[tuple[str, str]]:
        """Return names and paths of the pages in the bar."""
        return [(name, path) for name, path, scope in navigation.MAIN if self.can(scope)]

    @property
    def more_navigation(self) -> Sequence[tuple[str, str]]:
        """Return names and paths of the pages in its menu."""
        return [(name, path) for name, path, scope in navigation.MORE if self.can(scope)]

    @property
    def guide(self) -> str:
        """Return the address of the guide to this page."""
        return f"/ui/docs/{navigation.GUIDES.get(self.section, '')}".rstrip("/")

    @property
    def account(self) -> str:
        """Return whose objects the caller reaches, in a word."""
        name = self.caller.owner_id or text("account.all_owners")
        return text("account.looking", name=name) if self.caller.scopes == {Scope.READ} else name

    def can(self, scope: str) -> bool:
        """Return whether the caller has a scope."""
        return Scope(scope) in self.caller.scopes

    def feature(self, kind: type[FeatureService]) -> FeatureService:
        """Return the service of a feature by its class."""
        return self.service.feature(kind)

    def path_id(self, name: str) -> int:
        """Return an id in the path. Raise `HTTPException` if no object can have it."""
        number = int(self.request.path_params[name])
        if number > LARGEST_ID:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return number

    def text_of(self, name: str) -> str:
        """Return a text field of the form without surrounding spaces, or an empty text. Refuse U+0000."""
        value = self.form.get(name, "")
        if isinstance(value, str) and "\0" in value:
            raise InvalidInputError(FieldProblem(name, "must not contain the character U+0000; remove it"))
        return value.strip() if isinstance(value, str) else ""

    def show(self, template: str, *, status: int = HTTPStatus.OK, **context: Any) -> Response:
        """Return a page. Templates in `templates/pages` get this visit as `visit`."""
        notice = None
        if self.session is not None and not self.is_fragment:
            notice = flash.read(self.request, self.session.seed)
        self.request.state.template = template
        shared = {"visit": self, "nonce": self.nonce, "csrf": self.form_token_field, "notice": notice}
        html = render(template, **shared, now=datetime.now(UTC), **context)
        response = compressed(self.request, html, int(status))
        if notice is not None:
            flash.forget(response)
        return response

    def redirect(self, path: str, notice: str | None = None, *, undo: str | None = None) -> Response:
        """Return a redirect after a change. `notice` is a sentence to show there, `undo` a path to post to."""
        response: Response = RedirectResponse(path, HTTPStatus.SEE_OTHER)
        if self.is_fragment:  # a script follows redirects by itself and would lose the new address
            response = Response(status_code=HTTPStatus.OK, headers={"HX-Redirect": path})
        if notice is not None and self.session is not None:
            flash.store(response, self.session.seed, notice, undo)
        return response

    def form_token_field(self) -> Markup:
        """Return the hidden field that every form of a session contains."""
        token = "" if self.session is None else make_token(self.session.seed)
        return Markup('<input type="hidden" name="{}" value="{}">').format(TOKEN_FIELD, token)

    def headers(self) -> dict[str, str]:
        """Return the headers of every response to this visit."""
        has_code = getattr(self.request.state, "template", None) == EDITOR
        return page_headers(self.nonce, is_secure=self.site.sessions.is_secure(self.request), has_code=has_code)

    def curl(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> str:
        """Return the command for a request to the API at the address of this page."""
        return curl(f"{self.request.url.scheme}://{self.request.url.netloc}", method, path, document)

    def commands(self, page: str, **fields: object) -> list[ApiRequest]:
        """Return what a page shows and offers as requests to the API. The fields of the address are known."""
        return commands_of(page, self.caller, self.request.path_params, fields)

    def link(self, **changes: object) -> str:
        """Return the address of this page with other query parameters. None removes one."""
        left_out = {UP_TO, *changes}
        items = [(name, value) for name, value in self.request.query_params.multi_items() if name not in left_out]
        kept = [(name, value) for name, value in (*items, *changes.items()) if value not in {None, ""}]
        return f"?{urlencode(kept)}" if kept else self.request.url.path

    def filter_link(self, **changes: object) -> str:
        """Return the address of the first page of this list with other filters. None removes one."""
        return self.link(**{"cursor": None, "from": None, "back": None, **changes})
