"""What a session is: its theme, its rights, and its end."""

from __future__ import annotations

from dataclasses import replace

from starlette.responses import Response

from scheduler_service.web.routes import Pages
from scheduler_service.web.texts import text
from scheduler_service.web.visit import HOME, KEYS_COOKIE, THEME_COOKIE, THEMES, Visit

pages = Pages()
_YEAR_SECONDS = 365 * 86_400


@pages.post("/logout")
async def log_out(visit: Visit) -> Response:
    """End the session in this browser."""
    response = visit.redirect("/ui/login")
    visit.site.sessions.end(visit.request, response)
    return response


@pages.post("/look-only")
async def look_only(visit: Visit) -> Response:
    """Keep only the right to read, until the next login."""
    assert visit.session is not None  # noqa: S101 (the page needs a login)
    response = visit.redirect(HOME, text("account.now_looking"))
    visit.site.sessions.store(visit.request, response, replace(visit.session, is_read_only=True))
    return response


@pages.post("/keyboard")
async def switch_keys(visit: Visit) -> Response:
    """Switch single letters off, or on again."""
    response = visit.redirect(HOME)
    if visit.keys_are_off:
        response.delete_cookie(KEYS_COOKIE, path="/ui")
    else:
        response.set_cookie(KEYS_COOKIE, "off", max_age=_YEAR_SECONDS, path="/ui", samesite="strict", httponly=True)
    return response


@pages.post("/theme")
async def choose_theme(visit: Visit) -> Response:
    """Keep the chosen theme in a cookie, so that pages have it before they are drawn."""
    back = visit.text_of("back")
    response = visit.redirect(back if back.startswith(HOME) else HOME)
    theme = visit.text_of("theme")
    if theme in THEMES:
        response.set_cookie(THEME_COOKIE, theme, max_age=_YEAR_SECONDS, path="/ui", samesite="strict", httponly=True)
    else:
        response.delete_cookie(THEME_COOKIE, path="/ui")
    return response
