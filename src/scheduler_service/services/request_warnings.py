"""Warnings about jobs of the kind `http_request` whose requests cannot succeed as the job is defined."""

from __future__ import annotations

from collections.abc import Iterator

from scheduler_service.domain.records import Job
from scheduler_service.payloads.http_program.target import PORTS, Target
from scheduler_service.sandbox.contract.addresses import is_public


def request_warnings(job: Job) -> Iterator[str]:
    """Yield a warning if the sandbox would refuse the connection, or would end the run before its request can fail."""
    if job.payload["type"] != "http_request" or "url" not in job.payload:
        return
    target = Target.parse(job.payload["url"])
    if not job.grants:
        yield from _network_warnings(target, has_network=job.limits["network"])
    if (seconds := job.payload["timeout_seconds"]) >= job.timeout_seconds:
        yield (
            f"payload.timeout_seconds ({seconds:g}) is not below timeout_seconds ({job.timeout_seconds:g}): a request "
            "that takes too long ends with the reason timeout, without a message about the request."
        )


def _network_warnings(target: Target, *, has_network: bool) -> Iterator[str]:
    grant = f"name a grant in grants whose connect covers {target.server}"
    is_open = target.port in PORTS.values() and _may_be_public(target.host)
    if not has_network and is_open:
        yield f"the job has no network, so the sandbox refuses the request: set limits.network to true, or {grant}."
    elif not is_open:
        yield (
            f"the sandbox refuses the request: limits.network opens only ports 80 and 443 of public addresses. To "
            f"reach {target.server}, {grant}."
        )


def _may_be_public(host: str) -> bool:
    """Return whether a host may have a public address. A name is not resolved here."""
    if host == "localhost" or host.endswith((".localhost", ".internal", ".local")):
        return False
    try:
        return is_public(host)
    except ValueError:
        return True
