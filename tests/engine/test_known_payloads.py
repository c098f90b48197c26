"""Payloads that were validated before."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from testkit.records import job_record

from scheduler_service.engine import known_payloads
from scheduler_service.engine.known_payloads import KnownPayloads
from scheduler_service.payloads.shell_script import ShellScriptPayload

SCRIPT = {"type": "shell_script", "script": "echo one"}


def test_payload_of_a_version_is_validated_once() -> None:
    known = KnownPayloads()
    job = job_record(payload=SCRIPT, version=1)
    assert known.of(job) is known.of(job)


def test_payload_of_another_version_or_job_is_validated_anew() -> None:
    known = KnownPayloads()
    known.of(job_record(payload=SCRIPT, version=1))
    for changed in ({"version": 2}, {"id": 2}):
        payload = known.of(job_record(**{"version": 1, **changed, "payload": {**SCRIPT, "script": "echo two"}}))
        assert isinstance(payload, ShellScriptPayload)
        assert payload.script == "echo two"


def test_payload_that_cannot_be_executed_is_refused_each_time() -> None:
    known = KnownPayloads()
    for _ in range(2):
        with pytest.raises(ValidationError):
            known.of(job_record(payload={"type": "unknown"}))


def test_payload_that_was_used_longest_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_payloads, "MAX_PAYLOADS", 2)
    known = KnownPayloads()
    first, second, third = (job_record(id=number, payload=SCRIPT) for number in range(3))
    kept, lost = known.of(first), known.of(second)
    assert known.of(first) is kept
    known.of(third)
    assert known.of(first) is kept
    assert known.of(second) is not lost
