"""Warnings about requests that the sandbox would refuse."""

from __future__ import annotations

from typing import Any

import pytest
from testkit.records import job_record

from scheduler_service.services.job_limits import JobLimits
from scheduler_service.services.request_warnings import request_warnings


def warnings_for(url: str, *, network: bool, seconds: float = 30, **changes: Any) -> list[str]:
    payload = {"type": "http_request", "url": url, "timeout_seconds": seconds}
    limits = JobLimits(network=network).model_dump()
    return list(request_warnings(job_record(payload=payload, limits=limits, timeout_seconds=300, **changes)))


def test_request_without_network_has_a_warning_with_the_remedy() -> None:
    (warning,) = warnings_for("https://example.com/", network=False)
    assert warning == (
        "the job has no network, so the sandbox refuses the request: set limits.network to true, or name a grant in "
        "grants whose connect covers example.com:443."
    )


@pytest.mark.parametrize(
    "url",
    ["http://example.com:8080/", "http://10.0.0.5/", "http://localhost/", "https://[::1]/", "http://db.internal/"],
)
def test_request_beyond_the_public_web_has_a_warning(url: str) -> None:
    for network in (False, True):
        (warning,) = warnings_for(url, network=network)
        assert "limits.network opens only ports 80 and 443 of public addresses" in warning
        assert "name a grant in grants whose connect covers " in warning


@pytest.mark.parametrize(("url", "grants"), [("https://example.com/", []), ("http://10.0.0.5:8080/", ["intranet"])])
def test_request_that_may_succeed_has_no_warning(url: str, grants: list[str]) -> None:
    assert warnings_for(url, network=not grants, grants=grants) == []


def test_request_that_outlasts_its_run_has_a_warning() -> None:
    (warning,) = warnings_for("https://example.com/", network=True, seconds=300)
    assert warning.startswith("payload.timeout_seconds (300) is not below timeout_seconds (300)")


def test_other_kinds_and_jobs_in_lists_have_no_warning() -> None:
    for payload in ({"type": "shell_script", "script": "true"}, {"type": "http_request"}):
        assert list(request_warnings(job_record(payload=payload))) == []
