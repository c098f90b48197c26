"""Explains why an attempt failed whose end alone says no more than an exit code.

What knows most comes first: the payload, which may have noted the cause, then the sandbox, which knows what it refused,
then the words at the end of the output.
"""

from __future__ import annotations

import ipaddress

from scheduler_service.engine.output_hints import explain_output
from scheduler_service.payloads.base import Payload
from scheduler_service.sandbox.contract.addresses import is_public
from scheduler_service.sandbox.contract.network_policy import WEB
from scheduler_service.sandbox.contract.spec import End, Outcome, Spec

_SEE = "see docs/grants.md"
_WEB_PORTS = {port for each in WEB for port in range(each.first_port, each.last_port + 1)}
_DNS_PORT = 53


def failure_cause(outcome: Outcome, spec: Spec, payload: Payload, output: str) -> str | None:
    """Return the cause of an exit code other than 0 in a sentence, or None if nothing names one."""
    if outcome.end is not End.EXITED or outcome.exit_code == 0:
        return None
    if (why := payload.failure(output)) is not None:
        return why
    if outcome.refused is not None:
        return explain_refusal(outcome.refused, has_network=spec.limits.network)
    has_network = spec.limits.network or bool(spec.access.destinations)
    return explain_output(output, outcome.isolation.level, has_network=has_network)


def explain_refusal(refused: str, *, has_network: bool) -> str:
    """Return a sentence about the address or the socket file that the sandbox refused, and what opens it."""
    if refused.startswith("/") or ":" not in refused:
        return _explain_name(refused)
    host, _, port = refused.rpartition(":")
    grant = f"name a grant whose connect covers {refused}"
    if int(port) == _DNS_PORT:
        remedy = f"no name can be resolved: set limits.network to true, or {grant}"
    elif not has_network and int(port) in _WEB_PORTS and is_public(ipaddress.ip_address(host.strip("[]"))):
        remedy = f"set limits.network to true, or {grant}"
    else:
        remedy = f"{grant}; limits.network opens only ports 80 and 443 of public addresses"
    return f"the sandbox refused a connection to {refused}; {remedy}; {_SEE}"


def _explain_name(refused: str) -> str:
    if refused.startswith("/"):
        return f"the sandbox refused a connection to the socket {refused}; name a grant with it in sockets; {_SEE}"
    return (
        f"the sandbox refused {refused} to the job; set limits.network to true, or name a grant whose connect covers "
        f"the server; {_SEE}"
    )
