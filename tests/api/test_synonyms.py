"""Fields and values of other schedulers are refused with a hint at those of this one."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from tests.api.conftest import DEFINITION, SHARED
from tests.database_fixtures import SHARED_ON_SQLITE

pytestmark = [SHARED, SHARED_ON_SQLITE]

SCRIPT = {"type": "shell_script", "script": "true"}
RULE: dict[str, Any] = {"name": "x", "on": ["failure"], "channel": {"type": "email", "to": ["a@example.org"]}}
MEANT: list[tuple[dict[str, Any], str, str]] = [
    ({"timeout": 5}, "timeout", "did you mean timeout_seconds?"),
    ({"timeoutSeconds": 5}, "timeoutSeconds", "did you mean timeout_seconds?"),
    ({"cron": "* * * * *"}, "cron", "did you mean schedule_expr?"),
    ({"schedule": "* * * * *"}, "schedule", "did you mean schedule_expr?"),
    ({"scheduleExpr": "* * * * *"}, "scheduleExpr", "did you mean schedule_expr?"),
    ({"tz": "UTC"}, "tz", "did you mean timezone?"),
    ({"time-zone": "UTC"}, "time-zone", "did you mean timezone?"),
    ({"retries": 3}, "retries", "did you mean retry_policy.max_retries?"),
    ({"max_retries": 3}, "max_retries", "did you mean retry_policy.max_retries?"),
    ({"command": "ls"}, "command", 'did you mean payload, such as {"type": "shell_script", "script": "…"}?'),
    ({"script": "ls"}, "script", 'did you mean payload, such as {"type": "shell_script", "script": "…"}?'),
    ({"cmd": "ls"}, "cmd", 'did you mean payload, such as {"type": "shell_script", "script": "…"}?'),
    ({"code": "1"}, "code", 'did you mean payload, such as {"type": "python_code", "code": "…"}?'),
    ({"memory": 5}, "memory", "did you mean limits.memory_mb?"),
    ({"concurrencyPolicy": "Forbid"}, "concurrencyPolicy", "did you mean overlap_policy?"),
    ({"suspend": True}, "suspend", "did you mean enabled?"),
    ({"environment": {}}, "environment", "did you mean env?"),
    ({"limits": {"memory": 5}}, "limits.memory", "did you mean memory_mb?"),
    ({"retry_policy": {"attempts": 5}}, "retry_policy.attempts", "did you mean max_retries?"),
    ({"payload": {**SCRIPT, "command": "ls"}}, "payload.command", "did you mean script?"),
    ({"payload": {"type": "program", "command": "ls"}}, "payload.command", "did you mean argv?"),
    ({"payload": {"type": "shell"}}, "payload.type", "did you mean shell_script?"),
    ({"payload": {"type": "bash"}}, "payload.type", "did you mean shell_script?"),
    ({"payload": {"type": "python"}}, "payload.type", "did you mean python_code?"),
    ({"payload": {"type": "exec"}}, "payload.type", "did you mean program?"),
    ({"overlap_policy": "Forbid"}, "overlap_policy", "did you mean skip?"),
    ({"misfire_policy": "coalesce"}, "misfire_policy", "did you mean fire_once?"),
    ({"schedule_expr": "every 5 minutes"}, "schedule_expr", "write 5m or */5 * * * *"),
]


@pytest.mark.parametrize(("changes", "field", "hint"), MEANT, ids=lambda value: str(value)[:40])
async def test_job_field_of_another_scheduler_is_refused_with_a_hint(
    client: httpx2.AsyncClient, changes: dict[str, Any], field: str, hint: str
) -> None:
    answer = await client.post("/api/v1/jobs", json={**DEFINITION, **changes})

    assert answer.status_code == 422
    details = {error["field"]: error["detail"] for error in answer.json()["errors"]}
    assert details[field].endswith(hint)


@pytest.mark.parametrize(
    ("changes", "field", "hint"),
    [
        ({"events": ["failure"]}, "events", "did you mean on?"),
        ({"on": ["failed"]}, "on.0", "did you mean failure?"),
        ({"webhook": "https://x.org"}, "webhook", 'did you mean channel, such as {"type": "webhook"'),
        ({"channel": {"type": "mail", "to": ["a@example.org"]}}, "channel", "did you mean email?"),
    ],
)
async def test_rule_field_of_another_scheduler_is_refused_with_a_hint(
    client: httpx2.AsyncClient, changes: dict[str, Any], field: str, hint: str
) -> None:
    answer = await client.post("/api/v1/alerts", json={**RULE, **changes})

    assert answer.status_code == 422
    details = {error["field"]: error["detail"] for error in answer.json()["errors"]}
    assert hint in details[field]


async def test_duration_with_a_unit_is_refused_with_an_example(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/v1/jobs", json={**DEFINITION, "timeout_seconds": "5m"})

    assert answer.json()["errors"][0]["detail"] == "must be a number, such as 1.5"
