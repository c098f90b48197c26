"""The session of a browser: a signed cookie that names a key.

Theory of operation. The cookie holds the id of the key, not the key. It is signed with a secret that is derived from
the setting API_KEY, so that every process accepts it, and a new API_KEY ends all sessions. The key is looked up for
each request: a revoked one ends its sessions within seconds. The cookie is for `/ui` only; the API does not read it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from urllib.parse import urlsplit

from itsdangerous import BadData, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import Response

from scheduler_service.config.settings import Settings

IDLE_SECONDS = 12 * 3600
MAX_SECONDS = 7 * 86_400
# How old a cookie gets before a response renews it.
RENEW_SECONDS = 300
# Raised when the meaning of the cookie changes, which ends older sessions.
_EPOCH = 1
_SECURE_NAME, _PLAIN_NAME = "__Host-scheduler", "scheduler"


@dataclass(frozen=True, slots=True)
class Session:
    """A login. `issued_at` and `seen_at` are Unix times: of the login, and of the last renewal."""

    key_id: str
    issued_at: int
    seen_at: int
    seed: str
    is_read_only: bool = False
    epoch: int = _EPOCH

    def is_valid_at(self, now: float) -> bool:
        """Return whether the session has neither ended nor been idle for too long."""
        return self.epoch == _EPOCH and now - self.issued_at < MAX_SECONDS and now - self.seen_at < IDLE_SECONDS


class Sessions:
    """Reads and writes the cookie."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._api_key = settings.api_key
        public = urlsplit(settings.public_url or "")
        self._secure_host = public.netloc if public.scheme == "https" else None
        self._clock = clock

    def begin(self, key_id: str, *, is_read_only: bool = False) -> Session:
        """Return a new session of a key."""
        now = int(self._clock())
        return Session(key_id, now, now, secrets.token_urlsafe(16), is_read_only)

    def find(self, request: Request) -> Session | None:
        """Return the session of a request, or None if it has no valid one."""
        cookie = request.cookies.get(self._name(request))
        if cookie is None:
            return None
        try:
            session = Session(**self._serializer.loads(cookie))
        except (BadData, TypeError):
            return None
        return session if session.is_valid_at(self._clock()) else None

    def renew(self, request: Request, response: Response, session: Session) -> None:
        """Send the cookie again if it has not been renewed for a while. One that the page has set or deleted stays."""
        is_set = any(cookie.startswith(f"{self._name(request)}=") for cookie in response.headers.getlist("set-cookie"))
        if not is_set and self._clock() - session.seen_at >= RENEW_SECONDS:
            self.store(request, response, replace(session, seen_at=int(self._clock())))

    def store(self, request: Request, response: Response, session: Session) -> None:
        """Send the cookie of a session."""
        response.set_cookie(
            self._name(request),
            self._serializer.dumps(asdict(session)),
            path="/" if self.is_secure(request) else "/ui",
            secure=self.is_secure(request),
            httponly=True,
            samesite="strict",
        )

    def end(self, request: Request, response: Response) -> None:
        """Delete the cookie."""
        is_secure = self.is_secure(request)
        path = "/" if is_secure else "/ui"
        response.delete_cookie(self._name(request), path=path, secure=is_secure, httponly=True, samesite="strict")

    def is_secure(self, request: Request) -> bool:
        """Return whether the browser reaches this service over TLS, which a proxy may end."""
        return request.url.scheme == "https" or request.headers.get("host") == self._secure_host

    @cached_property
    def _serializer(self) -> URLSafeSerializer:
        return URLSafeSerializer(_derived_secret(self._api_key.get_secret_value()), salt="session")

    def _name(self, request: Request) -> str:
        return _SECURE_NAME if self.is_secure(request) else _PLAIN_NAME


@lru_cache(maxsize=8)
def _derived_secret(api_key: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 (large, and only for browsers)
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    return HKDF(SHA256(), length=32, salt=None, info=b"scheduler web session").derive(api_key.encode())
