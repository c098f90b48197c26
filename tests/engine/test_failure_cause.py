"""Which cause of a failure becomes the message of the run."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler_service.engine.failure_cause import explain_refusal, failure_cause
from scheduler_service.payloads import registry
from scheduler_service.sandbox import Access, Destination, End, Isolation, Level, Limits, Outcome, Program, Spec

ABSENT = "cat: /data/a: No such file or directory\n"
SCRIPT = {"type": "shell_script", "script": "true"}


def cause(
    output: str = "", spec: Spec | None = None, payload: dict[str, Any] | None = None, **outcome: Any
) -> str | None:
    ended = Outcome(**{"end": End.EXITED, "exit_code": 1, "isolation": Isolation(Level.STRICT), **outcome})
    model = registry.adapter().validate_python(payload or SCRIPT)
    return failure_cause(ended, spec or Spec(Program(("true",))), model, output)


def test_sandbox_is_asked_before_the_output() -> None:
    assert (cause(ABSENT, refused="10.0.0.5:5432") or "").startswith(
        "the sandbox refused a connection to 10.0.0.5:5432"
    )
    assert (cause(ABSENT) or "").startswith("a run does not see /data/a")


def test_payload_is_asked_before_the_sandbox() -> None:
    payload = {"type": "http_request", "url": "https://example.com/"}
    assert cause("GET …\nfailed: it broke\n", payload=payload, refused="10.0.0.5:80") == "it broke"


@pytest.mark.parametrize(
    "outcome",
    [
        {"exit_code": 0},
        {"end": End.TIMEOUT, "exit_code": None},
        {"end": End.OUT_OF_MEMORY, "exit_code": None},
        {"end": End.SIGNALLED, "exit_code": None, "signal": 9},
    ],
)
def test_success_and_stronger_ends_have_no_cause(outcome: dict[str, Any]) -> None:
    assert cause(ABSENT, refused="10.0.0.5:80", **outcome) is None


@pytest.mark.parametrize(
    "spec",
    [
        Spec(Program(("true",)), Limits(network=True)),
        Spec(Program(("true",)), access=Access(destinations=(Destination("10.0.0.5", 1, 1),))),
    ],
)
def test_run_with_network_is_not_told_to_ask_for_it(spec: Spec) -> None:
    assert cause("curl: (6) Could not resolve host: example.com", spec) is None


@pytest.mark.parametrize(
    ("refused", "has_network", "remedy"),
    [
        ("1.1.1.1:443", False, "; set limits.network to true, or name a grant whose connect covers 1.1.1.1:443; see "),
        (
            "1.1.1.1:443",
            True,
            "; name a grant whose connect covers 1.1.1.1:443; limits.network opens only ports 80 and",
        ),
        ("1.1.1.1:5432", False, "; name a grant whose connect covers 1.1.1.1:5432; limits.network opens only ports"),
        ("10.0.0.5:80", False, "; name a grant whose connect covers 10.0.0.5:80; limits.network opens only ports 80 "),
        ("[fd00::1]:80", False, "; name a grant whose connect covers [fd00::1]:80; limits.network opens only ports"),
        ("10.0.0.2:53", False, "; no name can be resolved: set limits.network to true, or name a grant whose connect"),
        ("/run/pg.sock", False, "to the socket /run/pg.sock; name a grant with it in sockets; see docs/grants.md"),
        ("the network", False, "the sandbox refused the network to the job; set limits.network to true, or name a gr"),
    ],
)
def test_refusal_is_told_with_what_opens_it(refused: str, has_network: bool, remedy: str) -> None:
    assert remedy in explain_refusal(refused, has_network=has_network)
