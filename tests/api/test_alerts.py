"""Alert rules over HTTP."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from testkit.callers import ADMIN
from tests.api.conftest import SHARED, create

from scheduler_service.features.alerts.service import AlertService

pytestmark = SHARED

WEBHOOK = {"type": "webhook", "url": "https://example.org/alerts", "secret": "correct-horse"}
DEFINITION: dict[str, Any] = {"name": "a rule", "on": ["failure"], "channel": WEBHOOK}
ALERTS = "/api/v1/alerts"
JSON = {"Content-Type": "application/json"}


async def made(client: httpx2.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post(ALERTS, json={**DEFINITION, **changes})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{ALERTS}/{answer.json()['id']}"
    rule: dict[str, Any] = answer.json()
    return rule


async def every(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    """Return all rules, those of other tests included."""
    answer = (await client.get(ALERTS)).json()
    assert list(answer) == ["alerts"]
    rules: list[dict[str, Any]] = answer["alerts"]
    return rules


async def test_rule_is_stored_and_shown_without_its_secrets(client: httpx2.AsyncClient) -> None:
    others = await every(client)
    rule = await made(client)
    slack = await made(client, channel={"type": "slack", "url": "https://hooks.example.org/services/T0/B0/x"})

    assert rule["channel"] == {**WEBHOOK, "secret": "***"}
    assert slack["channel"]["url"] == "https://hooks.example.org/***"
    assert (await client.get(f"{ALERTS}/{rule['id']}")).json() == rule
    assert await every(client) == [*others, rule, slack]


async def test_rule_is_replaced_and_deleted(client: httpx2.AsyncClient) -> None:
    rule = await made(client)
    changed = {**DEFINITION, "on": ["missed", "late", "late"], "late_seconds": 5}

    answer = await client.put(f"{ALERTS}/{rule['id']}", json=changed)
    assert (answer.json()["on"], answer.json()["late_seconds"]) == (["late", "missed"], 5)
    assert (await client.delete(f"{ALERTS}/{rule['id']}")).status_code == 204
    assert (await client.get(f"{ALERTS}/{rule['id']}")).status_code == 404


async def test_rule_can_be_sent_back_as_it_was_read(client: httpx2.AsyncClient) -> None:
    slack = {"type": "slack", "url": "https://hooks.example.org/services/T0/B0/x"}
    for channel in (WEBHOOK, slack):
        rule = await made(client, channel=channel)
        sent_back = {name: value for name, value in rule.items() if name not in {"id", "created_at", "updated_at"}}
        answer = await client.put(f"{ALERTS}/{rule['id']}", json={**sent_back, "name": "renamed"})
        assert answer.status_code == 200, answer.text
        assert await stored_channel(client, rule["id"]) == channel


async def test_patch_changes_only_the_fields_it_names(client: httpx2.AsyncClient) -> None:
    rule = await made(client, late_seconds=5)
    answer = await client.patch(f"{ALERTS}/{rule['id']}", json={"enabled": False, "late_seconds": None})
    assert answer.status_code == 200, answer.text
    unchanged = {name: value for name, value in rule.items() if name not in {"enabled", "late_seconds", "updated_at"}}
    assert answer.json().items() >= unchanged.items()
    assert (answer.json()["enabled"], answer.json()["late_seconds"]) == (False, 60)
    assert await stored_channel(client, rule["id"]) == WEBHOOK

    for changes, field in (({"name": None}, "name"), ({"nmae": "x"}, "nmae"), ({"on": ["test"]}, "on")):
        refused = await client.patch(f"{ALERTS}/{rule['id']}", json=changes)
        assert refused.status_code == 422, refused.text
        assert [error["field"].split(".")[0] for error in refused.json()["errors"]] == [field]
    assert (await client.patch(f"{ALERTS}/4711", json={})).status_code == 404


@pytest.mark.parametrize(
    ("channel", "warning"),
    [
        ({"type": "email", "to": ["a@example.org"]}, "channel: this server has no mail server (SCHEDULER_SMTP_URL)"),
        (
            {**WEBHOOK, "url": "http://10.1.2.3/x"},
            "channel.url: 10.1.2.3 is not allowed by SCHEDULER_ALERT_REACH=loop",
        ),
        ({**WEBHOOK, "url": "http://[64:ff9b::a9fe:a9fe]/x"}, "channel.url: 64:ff9b::a9fe:a9fe is not allowed"),
        ({"type": "slack", "url": "http://0xa9fea9fe/services/x"}, "channel.url: 0xa9fea9fe is not allowed"),
        ({**WEBHOOK, "url": "http://localhost/x"}, None),
        (WEBHOOK, None),
    ],
)
async def test_rule_warns_when_this_server_cannot_deliver(
    client: httpx2.AsyncClient, channel: dict[str, Any], warning: str | None
) -> None:
    rule = await made(client, channel=channel)

    assert [text[: len(warning or "")] for text in rule["warnings"]] == ([warning] if warning else [])
    assert (await client.get(f"{ALERTS}/{rule['id']}")).json() == rule


async def test_rule_about_workers_cannot_name_a_job_or_owner(client: httpx2.AsyncClient) -> None:
    job = await create(client)
    document = {**DEFINITION, "on": ["worker_unfit"], "job_id": job["id"], "owner_id": "me"}

    refused = await client.post(ALERTS, json=document)
    made = await client.post(ALERTS, json={**document, "job_id": None, "owner_id": None})

    assert {error["field"] for error in refused.json()["errors"]} == {"job_id", "owner_id"}
    assert made.status_code == 201


async def test_rule_of_a_deleted_job_can_still_be_changed(client: httpx2.AsyncClient) -> None:
    job = await create(client)
    rule = await made(client, job_id=job["id"])
    await client.delete(f"/api/v1/jobs/{job['id']}")
    answer = await client.patch(f"{ALERTS}/{rule['id']}", json={"enabled": False})
    assert (answer.status_code, answer.json()["enabled"]) == (200, False)


async def test_secret_is_kept_only_while_the_address_is_the_same(client: httpx2.AsyncClient) -> None:
    rule = await made(client)
    here = {**WEBHOOK, "secret": None}
    kept = await client.put(f"{ALERTS}/{rule['id']}", json={**DEFINITION, "channel": here})
    assert kept.json()["channel"] == rule["channel"]
    elsewhere = {**here, "url": "https://other.example.org/alerts"}
    moved = await client.put(f"{ALERTS}/{rule['id']}", json={**DEFINITION, "channel": elsewhere})
    assert moved.json()["channel"]["secret"] is None


async def test_preview_shows_the_messages_and_stores_nothing(client: httpx2.AsyncClient) -> None:
    others = await every(client)

    answer = await client.post(f"{ALERTS}/preview", json={**DEFINITION, "on": ["failure", "too_long"]})

    previews = answer.json()["previews"]
    assert [preview["kind"] for preview in previews] == ["failure", "too_long"]
    assert previews[0]["headline"] == "Mathematical Analysis failed: exit code 3"
    assert previews[0]["document"]["kind"] == "failure"
    assert await every(client) == others


async def stored_channel(client: httpx2.AsyncClient, rule_id: int) -> dict[str, Any]:
    service = client._transport.app.state.service  # type: ignore[attr-defined]
    return dict((await service.feature(AlertService).get(ADMIN, rule_id)).channel)


async def test_alert_is_queued_at_once(client: httpx2.AsyncClient) -> None:
    rule = await made(client)
    answer = await client.post(f"{ALERTS}/{rule['id']}/test")
    assert (answer.status_code, answer.json()["kind"], answer.json()["status"]) == (202, "test", "pending")
    shown = (await client.get(f"{ALERTS}/{rule['id']}/deliveries")).json()["deliveries"]
    assert [delivery["id"] for delivery in shown] == [answer.json()["id"]]


async def test_rule_names_the_job_it_is_for(client: httpx2.AsyncClient) -> None:
    job = await create(client)
    assert (await made(client, job_id=job["id"]))["job_id"] == job["id"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"on": []}, "on"),
        ({"on": ["test"]}, "on"),
        ({"on": ["never"]}, "on"),
        ({"job_id": 4711}, "job_id"),
        ({"failures": 1}, "failures"),
        ({"channel": {"type": "webhook", "url": "ftp://example.org"}}, "channel"),
        ({"channel": {"type": "webhook", "url": "https://user:secret@example.org"}}, "channel"),
        ({"channel": {"type": "webhook", "url": "https://example.org/\r\nX: y"}}, "channel"),
        ({"channel": {"type": "email", "to": ["a@b.org\r\nBcc: c@d.org"]}}, "channel"),
        ({"channel": {"type": "pigeon"}}, "channel"),
        ({"channel": {"type": "email", "to": ["a\0@b.org"]}}, "channel.to"),
        ({"channel": {"type": "email", "to": ["\xfc@b.org"]}}, "channel.to"),
        ({"channel": {**WEBHOOK, "secret": "a\0long secret"}}, "channel.secret"),
        ({"channel": {**WEBHOOK, "secret": "a\ud800long secret"}}, "channel.secret"),
        ({"channel": {**WEBHOOK, "secret": "short"}}, "channel.secret"),
        ({"channel": {**WEBHOOK, "secret": "***"}}, "channel.secret"),
        ({"channel": {"type": "slack", "url": "https://hooks.example.org/***"}}, "channel.url"),
        ({"channel": {"type": "webhook", "url": "https://example.org:99999/"}}, "channel.url"),
        ({"channel": {"type": "webhook", "url": "https://example.org:0/"}}, "channel.url"),
        ({"channel": {"type": "webhook", "url": f"https://{'a' * 70}.org/"}}, "channel.url"),
        ({"channel": {"type": "webhook", "url": "https://a..b/"}}, "channel.url"),
        ({"channel": {"type": "webhook", "url": "https://[::1/"}}, "channel.url"),
        ({"channel": {"type": "webhook", "url": "https://example.org/\x7f"}}, "channel.url"),
        ({"failures": "3"}, "failures"),
        ({"enabled": "yes"}, "enabled"),
        ({"late_seconds": 0.5}, "late_seconds"),
        ({"too_long_seconds": -1}, "too_long_seconds"),
        ({"window_seconds": 1e9}, "window_seconds"),
        ({"owner_id": "a\0b"}, "owner_id"),
        ({"name": ""}, "name"),
        ({"job_id": 0}, "job_id"),
        ({"unknown": 1}, "unknown"),
    ],
)
async def test_invalid_rule_is_refused_with_its_field(
    client: httpx2.AsyncClient, changes: dict[str, Any], field: str
) -> None:
    answer = await client.post(ALERTS, content=json.dumps({**DEFINITION, **changes}), headers=JSON)
    assert answer.status_code == 422, answer.text
    assert all(error["field"].startswith(field) for error in answer.json()["errors"])
