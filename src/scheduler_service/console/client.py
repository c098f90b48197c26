"""The HTTP client of the commands."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NoReturn, Self

import httpx2

from scheduler_service.config import tls
from scheduler_service.console.exit_codes import RefusedError, UnreachableError
from scheduler_service.errors import FieldProblem

TIMEOUT_SECONDS = 30.0
# A log stream is silent as long as the job is. The service then sends a comment from time to time.
READ_TIMEOUT_SECONDS = 60.0
_FIRST_FAILURE = 500
# X509_V_ERR_… in OpenSSL's x509_vfy.h: self-signed, or signed by an unknown authority.
_UNKNOWN_ISSUER = frozenset({18, 19, 20, 21})
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class Client:
    """A client of the API at `url`, which has no path. Every call can raise `RefusedError` or `UnreachableError`."""

    def __init__(self, url: str, api_key: str) -> None:
        """Check the URL and the key without connecting.

        Raise `RefusedError` if the URL or the key is invalid, `ConfigurationError` if the trusted certificates are
        unreadable.
        """
        parsed = _checked_url(url)
        # Without credentials that the URL may contain.
        self._origin = f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"
        self._http = httpx2.Client(
            base_url=f"{parsed}/api/v1/",
            headers={"X-API-Key": _checked_key(api_key)},
            timeout=TIMEOUT_SECONDS,
            verify=tls.context_for(parsed.scheme),
            # Proxies from the environment are for remote hosts; they cannot reach this machine's loopback.
            trust_env=parsed.host not in _LOOPBACK_HOSTS,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        """Return a document. Parameters that are None are omitted."""
        return self._document(self._call("GET", path, **params))

    def post(self, path: str, document: Any = None) -> Any:
        """Create an object or start an action, and return the response's document."""
        return self._document(self._call("POST", path, document=document))

    def put(self, path: str, document: Any, **params: Any) -> bool:
        """Store an object under a name of the caller's. Return whether it is new."""
        return self._call("PUT", path, document=document, **params).status_code == httpx2.codes.CREATED

    def patch(self, path: str, changes: Any) -> Any:
        """Change an object with a JSON merge patch (RFC 7396), and return its new state."""
        kind = {"Content-Type": "application/merge-patch+json"}
        return self._document(self._call("PATCH", path, document=changes, headers=kind))

    def delete(self, path: str, **params: Any) -> None:
        """Delete an object."""
        self._call("DELETE", path, **params)

    def read(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of a text response."""
        with self._stream(path, "text/plain", {}) as response:
            yield from response.iter_bytes()

    def follow(self, path: str, **params: Any) -> Iterator[httpx2.ServerSentEvent]:
        """Yield the events of a stream until the service ends it."""
        with self._stream(path, "text/event-stream", params) as response:
            yield from httpx2.EventSource(response)

    def _call(
        self, method: str, path: str, *, document: Any = None, headers: Mapping[str, str] | None = None, **params: Any
    ) -> httpx2.Response:
        content = None if document is None else json.dumps(document)
        sent = {"Content-Type": "application/json", **(headers or {})} if content else {}
        with self._reaching():
            response = self._http.request(method, path, content=content, headers=sent, params=_given(params))
        self._check(response)
        return response

    @contextmanager
    def _stream(self, path: str, media_type: str, params: Mapping[str, Any]) -> Iterator[httpx2.Response]:
        headers = {"Accept": media_type}
        timeout = httpx2.Timeout(TIMEOUT_SECONDS, read=READ_TIMEOUT_SECONDS)
        with (
            self._reaching(),
            self._http.stream("GET", path, params=_given(params), headers=headers, timeout=timeout) as response,
        ):
            if not response.is_success:
                response.read()
            self._check(response)
            yield response

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except httpx2.ConnectError as error:
            if (why := _untrusted(error)) is not None:
                raise UnreachableError(f"no TLS connection to {self._origin}: {why}") from None
            raise UnreachableError(
                f"no service answers at {self._origin}; start one with `scheduler up`, "
                "or name its address with --url or SCHEDULER_URL"
            ) from None
        except httpx2.TimeoutException:
            raise UnreachableError(f"{self._origin} did not answer within {TIMEOUT_SECONDS:g} s; try again") from None
        except httpx2.HTTPError as error:
            raise UnreachableError(f"the connection to {self._origin} was lost: {error}; try again") from None

    def _check(self, response: httpx2.Response) -> None:
        if response.is_success:
            return
        problem = self._document(response)
        if response.status_code >= _FIRST_FAILURE:
            raise UnreachableError(f"{self._origin} answers {response.status_code}: {problem['detail']}")
        errors = problem.get("errors") or [_Answer(field="", detail=problem["detail"])]
        raise RefusedError(*(FieldProblem(error["field"], error["detail"], error.get("value")) for error in errors))

    def _document(self, response: httpx2.Response) -> _Answer:
        """Return the JSON object of a response.

        Raise `UnreachableError` if it is none, which means another server answered.
        """
        kind = response.headers.get("Content-Type", "")
        try:
            document = json.loads(response.content, object_hook=_Answer) if "json" in kind else None
        except ValueError:
            document = None
        if isinstance(document, _Answer):
            return document
        raise UnreachableError(
            f"the server at {self._origin} is not a Scheduler Service (status {response.status_code}, "
            f"{kind or 'no content type'}); name the right address with --url or SCHEDULER_URL"
        )


class _Answer(dict[str, Any]):
    """A JSON object of a response. A missing field raises `UnreachableError`, since the API always sends all fields."""

    def __missing__(self, name: str) -> NoReturn:
        raise UnreachableError(
            f"the answer has no field {name!r}: the server is another service, or another version of this one; "
            "name the right address with --url or SCHEDULER_URL"
        )


def _untrusted(error: BaseException | None) -> str | None:
    """Return why the TLS handshake failed, or None if the connection failed for another reason."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            hint = (
                "; name the certificate of its issuer with SSL_CERT_FILE"
                if error.verify_code in _UNKNOWN_ISSUER
                else ""
            )
            return f"its certificate is not valid ({error.verify_message.rstrip('.')}){hint}"
        if isinstance(error, ssl.SSLError):
            return f"{error.reason}; if the server has no TLS, write http://"
        error = error.__cause__ or error.__context__
    return None


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _checked_url(url: str) -> httpx2.URL:
    try:
        parsed = httpx2.URL(url.rstrip("/"))
    except httpx2.InvalidURL as error:
        raise RefusedError(FieldProblem("--url", f"not a URL: {error}")) from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise RefusedError(FieldProblem("--url", "not an HTTP address; write http://host:port"))
    return parsed


def _checked_key(api_key: str) -> str:
    if not (api_key.isascii() and api_key.isprintable()):
        raise RefusedError(FieldProblem("API_KEY", "only printable ASCII characters are allowed; check the key"))
    return api_key
