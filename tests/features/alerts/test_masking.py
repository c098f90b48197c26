"""Alerts of a run that prints its secret in every way contain none."""

from __future__ import annotations

import base64

import pytest
from testkit.callers import ADMIN
from tests.database_fixtures import ON_SQLITE
from tests.engine.conftest import run_to_its_end
from tests.engine.printed_secrets import SECRET, WAYS
from tests.engine.test_masking import ASCII_SECRET, PRELUDE
from tests.features.alerts.receiver import Receiver
from tests.features.alerts.steps import add_rule, requests_to

from scheduler_service.bootstrap import Service
from scheduler_service.config.settings import Settings
from scheduler_service.domain.secret_forms import forms_of
from scheduler_service.features.secrets.definition import SecretValue
from scheduler_service.features.secrets.service import SecretService


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_validate({**settings.model_dump(), "secrets_key": base64.b64encode(bytes(32)).decode()})


@ON_SQLITE
async def test_alert_of_a_failed_run_has_no_secret(service: Service, receiver: Receiver) -> None:
    for name, value in (("one", SECRET), ("two", ASCII_SECRET)):
        await service.feature(SecretService).put(ADMIN, None, name, SecretValue(value=value))
    await add_rule(service, f"{receiver.url}/hook", "failure")
    code = "\n".join([*(f"{code}\nsys.stdout.flush()" for _, code, _ in WAYS), "raise ValueError(S)"])
    secrets = {"SECRET": "one", "ASCII_SECRET": "two", "./secret.txt": "one"}
    await run_to_its_end(service, {"type": "python_code", "code": PRELUDE + code}, secrets=secrets)
    (received,) = await requests_to(receiver, "/hook", 1)
    assert "ValueError: ***" in received.body.decode()
    assert not [form for value in (SECRET, ASCII_SECRET) for form in forms_of(value) if form in received.body]
