"""Sends HTTP requests to receivers that may be slow, wrong or hostile."""

from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx2

from scheduler_service.config import tls
from scheduler_service.errors import ConfigurationError
from scheduler_service.outbound.address_guard import Reach, resolve

# The limit of the whole request. A receiver that responds byte by byte gets no more time than a silent one.
DELIVERY_SECONDS = 10.0

_ASKS_TO_WAIT = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class NotDeliveredError(Exception):
    """The request did not arrive, or its arrival is unknown. A retry is useful after `wait_seconds`."""

    def __init__(self, text: str, wait_seconds: float = 0.0) -> None:
        """Store the reason, and how long the receiver asks to wait."""
        super().__init__(text)
        self.wait_seconds = wait_seconds


async def post(url: str, body: bytes, headers: dict[str, str], reach: Reach) -> None:
    """Send a body, and return after a 2xx status. The rest of the response is not read.

    Redirects are not followed, because they would bypass the address guard and send the body to another server. Raise
    `NotDeliveredError`, or `RefusedError` if the address is not allowed.
    """
    await _ask("POST", url, body, headers, reach)


async def ping(url: str) -> None:
    """Request a URL that the operator configured, at any address; raise as `post` does."""
    await _ask("GET", url, b"", {}, "private")


async def _ask(method: str, url: str, body: bytes, headers: dict[str, str], reach: Reach) -> None:
    try:
        async with asyncio.timeout(DELIVERY_SECONDS):
            status, retry_after = await _answer_of(method, url, body, headers, reach)
    except TimeoutError:
        raise NotDeliveredError(f"no answer within {DELIVERY_SECONDS:g} s") from None
    except ConfigurationError as error:
        raise NotDeliveredError(str(error)) from error
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
        raise NotDeliveredError(f"{type(error).__name__}: {error}") from error
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        wait_seconds = _seconds(retry_after) if status in _ASKS_TO_WAIT else 0.0
        raise NotDeliveredError(f"the receiver answered {status}", wait_seconds)


def _seconds(retry_after: str) -> float:
    """Return the seconds in a Retry-After header (RFC 9110, section 10.2.3), or 0 if it is invalid."""
    if retry_after.isascii() and retry_after.isdecimal():
        return float(retry_after[:9])
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0


async def _answer_of(method: str, url: str, body: bytes, headers: dict[str, str], reach: Reach) -> tuple[int, str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    addresses = await resolve(host, parts.port or (443 if parts.scheme == "https" else 80), reach)
    # Some addresses of a name may not respond, so each gets a share of the time to connect.
    timeout = httpx2.Timeout(DELIVERY_SECONDS, connect=DELIVERY_SECONDS / max(1, len(addresses)))
    verify = tls.context_for(parts.scheme)
    failure: httpx2.TransportError | None = None
    async with httpx2.AsyncClient(verify=verify, follow_redirects=False, trust_env=False, timeout=timeout) as client:
        for address in addresses:
            try:
                async with client.stream(
                    method,
                    httpx2.URL(url).copy_with(host=address),
                    content=body,
                    headers={**headers, "Host": parts.netloc},
                    # Verify the certificate for the name, although the connection uses the address.
                    extensions={"sni_hostname": host},
                ) as answer:
                    return answer.status_code, answer.headers.get("Retry-After", "")
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:  # nothing was sent
                failure = error
    raise failure or NotDeliveredError(f"{host} has no address")
