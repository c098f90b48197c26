"""The server and the path that a URL names."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from scheduler_service.payloads.http_program.failure import RequestFailedError

PORTS = {"http": 80, "https": 443}
_SENT_AS_WRITTEN = "!$%&'()*+,-./:;=?@[]_~"


@dataclass(frozen=True, slots=True)
class Target:
    """One URL, ready to be requested. `path` includes the query and is ASCII."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Target:
        """Return the target of a URL. Raise `ValueError` if the URL cannot be requested."""
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("must be an absolute URL that begins with http:// or https://")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must not contain a user or password; send them in a header, such as Authorization")
        host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
        path = quote(parts.path or "/", safe=_SENT_AS_WRITTEN)
        query = f"?{quote(parts.query, safe=_SENT_AS_WRITTEN)}" if parts.query else ""
        return cls(parts.scheme, host, PORTS[parts.scheme] if parts.port is None else parts.port, path + query)

    @property
    def server(self) -> str:
        """The host with its port, as messages show it."""
        return f"{self._bracketed}:{self.port}"

    @property
    def shown(self) -> str:
        """The URL without its query, which may hold a secret."""
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self._bracketed}{port}{self.path.partition('?')[0]}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """The server, to which alone the request's own headers may go."""
        return self.scheme, self.host, self.port

    def redirected(self, location: str) -> Target:
        """Return the target of a `Location` header. Raise `RequestFailedError` if it must not be followed."""
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        try:
            target = Target.parse(urljoin(f"{self.scheme}://{self._bracketed}{port}{self.path}", location))
        except ValueError as error:
            raise RequestFailedError(f"{self.server} redirected to a URL that cannot be followed: {error}") from None
        if self.scheme == "https" and target.scheme == "http":
            raise RequestFailedError(f"{self.server} redirected from https to http ({target.shown}); not followed")
        return target

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host
