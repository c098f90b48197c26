"""A notice that the page after a redirect shows once, with a way to undo the change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

_COOKIE, _PATH = "scheduler_notice", "/ui"
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence about what has been done. `undo` is the path to which a form posts to take it back."""

    sentence: str
    undo: str | None


def store(response: Response, seed: str, sentence: str, undo: str | None) -> None:
    """Keep a notice for the next page of the session with this seed."""
    document = {"sentence": sentence, "undo": undo}
    cookie = _serializer(seed).dumps(document)
    response.set_cookie(_COOKIE, cookie, max_age=_SECONDS, path=_PATH, httponly=True, samesite="strict")


def read(request: Request, seed: str) -> Notice | None:
    """Return the notice of the page before, or None."""
    cookie = request.cookies.get(_COOKIE)
    if cookie is None:
        return None
    try:
        document: dict[str, Any] = _serializer(seed).loads(cookie, max_age=_SECONDS)
    except BadData:
        return None
    return Notice(document["sentence"], document["undo"])


def forget(response: Response) -> None:
    """Delete the notice that has been shown."""
    response.delete_cookie(_COOKIE, path=_PATH, httponly=True, samesite="strict")


def _serializer(seed: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(seed, salt="notice")
