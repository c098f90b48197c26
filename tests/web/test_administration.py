"""Home, and the pages of keys, secrets, calendars, alerts, grants, environments, the audit trail and the system."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import update
from testkit.waiting import eventually
from tests.web.conftest import SHARED, Browser, create_job, run_to_the_end, serving

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.features.ledger import check_store
from scheduler_service.features.ledger.records import Finding
from scheduler_service.features.secrets.keyring import Sealed
from scheduler_service.features.secrets.service import SecretService
from scheduler_service.http.auth import API_KEY_CALLER
from scheduler_service.storage.tables import jobs
from scheduler_service.web.pages.home import SHOWN

pytestmark = SHARED
HOSTILE = "<img src=x onerror=alert(1)>\"'"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FastAPI]:
    """An application that can store secrets."""
    key = base64.b64encode(bytes(32)).decode()
    async with serving(shared_database_url, tmp_path_factory.mktemp("data"), secrets_key=key) as app:
        yield app


async def test_home_tells_of_missed_and_failed_jobs_and_what_is_due(browser: Browser) -> None:
    assert "No jobs yet" in (await browser.open("/ui/")).text
    await create_job(browser, name="due soon", schedule_expr="30m")
    page = (await browser.open("/ui/")).text
    assert "due soon" in page
    assert "1 worker" in page


async def test_key_is_shown_once_and_works(app: FastAPI, browser: Browser) -> None:
    fields = {"name": HOSTILE, "owner_id": "team", "scopes": "read"}
    page = (await browser.send("/ui/keys/new", fields)).text
    key = re.search(r"sk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", page)
    assert key
    assert "<img src=x" not in page
    assert key[0] not in (await browser.open("/ui/keys")).text
    other = Browser(app)
    await other.log_in(key[0])
    assert (await other.open("/ui/jobs")).status_code == 200
    assert (await other.open("/ui/keys")).status_code == 403
    assert "/ui/keys" not in (await other.open("/ui/jobs")).text


async def test_key_is_replaced_and_revoked(browser: Browser) -> None:
    key = await browser.call("POST", "/keys", {"owner_id": "team", "scopes": ["read"]})
    assert "sk_" in (await browser.send(f"/ui/keys/{key['id']}/rotate")).text
    await browser.send(f"/ui/keys/{key['id']}/revoke")
    assert (await browser.call("GET", f"/keys/{key['id']}"))["status"] == "revoked"


async def test_wrong_key_form_is_shown_again(browser: Browser) -> None:
    answer = await browser.send("/ui/keys/new", {"name": "kept", "expires_at": "2020-01-01T00:00"})
    assert answer.status_code == 422
    assert "owner_id" in answer.text
    assert 'value="kept"' in answer.text


async def test_home_leads_to_the_failing_jobs_that_it_does_not_show(app: FastAPI, browser: Browser) -> None:
    ids = [(await create_job(browser, name="failing"))["id"] for _ in range(SHOWN + 1)]
    assert "failing jobs" not in (await browser.open("/ui/")).text
    async with app.state.service.versions._database.write() as connection:
        ended = {"last_run_status": RunStatus.FAILED, "last_run_at": datetime.now(UTC)}
        await connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(**ended))
    page = (await browser.open("/ui/")).text
    assert re.search(r'<a href="/ui/jobs\?last=failed">All \d+ failing jobs</a>', page)
    assert f"<h1>The service is well; {SHOWN + 1} jobs need you</h1>" in page
    assert '<span class="bad">failed</span>' in page
    assert 'class="hero warn"' in page
    for job_id in ids:
        await browser.call("DELETE", f"/jobs/{job_id}")


async def test_secret_is_stored_replaced_and_deleted_but_never_shown(browser: Browser) -> None:
    fields = {"name": "warehouse", "value": "pass<word>&1", "owner": "team"}
    page = (await browser.send("/ui/secrets/new", fields)).text
    assert "warehouse" in page
    assert "pass&lt;word" not in page
    wrong = await browser.send("/ui/secrets/new", {"name": "short", "value": "1<3"})
    assert wrong.status_code == 422
    assert "1&lt;3" not in wrong.text
    assert (await browser.send("/ui/secrets/new", {**fields, "name": "a/b"})).status_code == 422
    asked = (await browser.open("/ui/secrets/delete?name=warehouse&owner=team")).text
    assert "Delete the secret warehouse?" in asked
    assert '<input type="hidden" name="owner" value="team">' in asked
    assert (await browser.open("/ui/secrets/delete?name=unknown")).status_code == 404
    page = (await browser.send("/ui/secrets/delete", {"name": "warehouse", "owner": "team"})).text
    assert '<td class="mono">warehouse' not in page


async def test_secret_of_several_lines_has_the_line_ends_of_its_key(app: FastAPI, browser: Browser) -> None:
    await browser.send("/ui/secrets/new", {"name": "pem", "value": "-----BEGIN\r\nabc\r\n"})
    service = app.state.service.feature(SecretService)
    secret = await service.get(API_KEY_CALLER, None, "pem")
    sealed = Sealed(secret.key_id, secret.sealed)
    assert service._keyring.open(secret.owner_id, secret.name, sealed) == "-----BEGIN\nabc\n"


async def test_calendar_is_stored_shown_and_deleted(browser: Browser) -> None:
    fields = {"name": "closed", "dates": "2026-12-24\n2026-12-31", "country": "de", "subdivision": "BY"}
    assert "closed" in (await browser.send("/ui/calendars/new", fields)).text
    page = (await browser.open("/ui/calendars/closed?year=2026")).text
    assert '<td class="marked">24' in page
    wrong = await browser.send("/ui/calendars/new", {"name": "wrong", "dates": "yesterday"})
    assert wrong.status_code == 422
    assert "yesterday" in wrong.text
    asked = (await browser.open("/ui/calendars/closed/delete")).text
    assert 'method="post" action="/ui/calendars/closed/delete"' in asked
    assert "/ui/calendars/closed" not in (await browser.send("/ui/calendars/closed/delete")).text


async def test_built_in_calendar_shows_its_days(browser: Browser) -> None:
    assert '<td class="marked">25' in (await browser.open("/ui/calendars/us-holidays?year=2026")).text
    assert (await browser.open("/ui/calendars/unknown")).status_code == 404


async def test_alert_rule_is_created_tested_silenced_and_deleted(browser: Browser) -> None:
    address = "http://127.0.0.1:9/hook"
    fields = {"name": HOSTILE, "on": ["failure", "missed"], "channel": "webhook", "url": address}
    answer = await browser.send("/ui/alerts/new", fields)
    path = answer.url.path
    assert "<img src=x" not in answer.text
    assert "Test" in (await browser.send(f"{path}/test")).text
    assert "Enable" in (await browser.send(f"{path}/silence")).text
    assert "Silence" in (await browser.send(f"{path}/enable")).text
    assert f'method="post" action="{path}/delete"' in (await browser.open(f"{path}/delete")).text
    assert (await browser.send(f"{path}/delete")).url.path == "/ui/alerts"
    assert (await browser.open(path)).status_code == 404


async def test_alert_rule_is_told_in_words_with_the_name_of_its_job(browser: Browser) -> None:
    job = await create_job(browser, name="watched closely")
    assert "watched closely. Empty: all jobs." in (await browser.open(f"/ui/alerts/new?job={job['id']}")).text
    fields = {
        "name": "told",
        "on": ["failure"],
        "channel": "webhook",
        "url": "http://127.0.0.1:9/h",
        "job_id": job["id"],
    }
    answer = await browser.send("/ui/alerts/new", fields)
    page = answer.text
    assert f'<a href="/ui/jobs/{job["id"]}">watched closely</a>' in page
    assert "<dt>Channel</dt><dd>Webhook: JSON to an address</dd>" in page
    assert "<dt>secret</dt>" not in page
    assert f'<a href="/ui/jobs/{job["id"]}">watched closely</a>' in (await browser.open("/ui/alerts")).text
    assert "<dt>Late after</dt><dd>1 min</dd>" in page
    assert "every 2s" not in page
    assert 'hx-trigger="every 2s"' in (await browser.send(f"{answer.url.path}/test")).text, "a test arrives by itself"
    assert "null" not in page.partition("<aside")[2]


async def test_wrong_alert_rule_is_shown_again(browser: Browser) -> None:
    answer = await browser.send("/ui/alerts/new", {"name": "kept", "channel": "slack", "failures": "many"})
    assert answer.status_code == 422
    assert 'value="kept"' in answer.text
    assert ".url: " in answer.text
    assert "failures" in answer.text


async def test_audit_trail_names_what_a_session_did(browser: Browser) -> None:
    job = await create_job(browser)
    await browser.send(f"/ui/jobs/{job['id']}/pause")
    page = (await browser.open(f"/ui/audit?object=jobs/{job['id']}&operation=pauseJob")).text
    assert "pauseJob" in page
    assert "API_KEY" in page


async def test_system_shows_settings_without_secrets(app: FastAPI, browser: Browser) -> None:
    page = (await browser.open("/ui/system")).text
    assert "SCHEDULER_TICK_SECONDS" in page
    assert DEVELOPMENT_API_KEY not in page
    assert base64.b64encode(bytes(32)).decode() not in page
    key = await browser.call("POST", "/keys", {"owner_id": "team", "scopes": ["read"]})
    reader = Browser(app)
    await reader.log_in(key["key"])
    assert "SCHEDULER_TICK_SECONDS" not in (await reader.open("/ui/system")).text


async def test_system_and_runs_link_to_flower_if_its_address_is_set(tmp_path: Path) -> None:
    store = "s3://writer:hush-hush@bucket/artifacts"
    async with serving(
        f"sqlite:///{tmp_path}/jobs.db",
        tmp_path / "data",
        flower_url="https://flower.example.org/",
        artifacts_url=store,
    ) as app:
        browser = Browser(app)
        await browser.log_in()
        job = await create_job(browser)
        run_id = await run_to_the_end(browser, job["id"])
        system = (await browser.open("/ui/system")).text
        run = (await browser.open(f"/ui/runs/{run_id}")).text

    assert 'href="https://flower.example.org">Flower' in system
    assert f'href="https://flower.example.org/task/run-{run_id}-1">Attempt 1' in run
    assert "hush-hush" not in system
    assert "s3://writer:…@bucket/artifacts" in system


async def test_system_shows_the_check_of_the_ledger(app: FastAPI, browser: Browser) -> None:
    async def is_checked() -> bool:
        return "every owed instant is accounted for" in (await browser.open("/ui/system")).text

    await eventually(is_checked)
    job = await create_job(browser)
    now = datetime.now(UTC)
    async with app.state.service.versions._database.write() as connection:
        last = await check_store.newest(connection)
        assert last is not None
        found = replace(last, id=last.id + 1, ended_at=now, settled_at=now, unaccounted=2)
        assert await check_store.begin(connection, replace(found, ended_at=None))
        assert await check_store.note_page(
            connection, replace(found, ended_at=None), found, [Finding(job["id"], 2, "missing", now)]
        )
    page = (await browser.open("/ui/system")).text
    assert "2 instants are not accounted for" in page
    assert f'href="/ui/jobs/{job["id"]}/ledger"' in page
    key = await browser.call("POST", "/keys", {"owner_id": "another", "scopes": ["read"]})
    reader = Browser(app)
    await reader.log_in(key["key"])
    assert "every owed instant is accounted for" in (await reader.open("/ui/system")).text


async def test_editor_offers_the_grants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "opened").mkdir()
    (tmp_path / "grants.toml").write_text(f'[backup]\nread = ["{tmp_path}/opened"]\n')
    monkeypatch.setenv("SCHEDULER_GRANTS_FILE", str(tmp_path / "grants.toml"))
    async with serving(f"sqlite:///{tmp_path}/jobs.db", tmp_path / "data") as app:
        reader = Browser(app)
        await reader.log_in()
        assert 'data-grant="backup"' in (await reader.open("/ui/jobs/new")).text


async def test_empty_page_of_grants_shows_how_one_is_made(browser: Browser) -> None:
    page = (await browser.open("/ui/grants")).text
    for words in ("[backup]", "SCHEDULER_GRANTS_FILE", "restart the service", "docs/grants.md"):
        assert words in page


@pytest.mark.parametrize("path", ["grants", "environments", "secrets", "calendars", "alerts", "system", "runs"])
async def test_reader_sees_every_page_without_its_buttons(app: FastAPI, browser: Browser, path: str) -> None:
    key = await browser.call("POST", "/keys", {"owner_id": "team", "scopes": ["read"]})
    reader = Browser(app)
    await reader.log_in(key["key"])
    answer = await reader.open(f"/ui/{path}")
    assert answer.status_code == 200
    assert f'href="/ui/{path}/new"' not in answer.text
    assert (await reader.open(f"/ui/{path}/new")).status_code in {403, 404}


async def test_lists_ask_before_they_delete(browser: Browser) -> None:
    await browser.send("/ui/secrets/new", {"name": "asked", "value": "pass-word"})
    await browser.send("/ui/calendars/new", {"name": "asked", "dates": "2026-12-24"})
    for path in ("secrets", "calendars"):
        page = (await browser.open(f"/ui/{path}")).text
        assert re.search(rf'<a class="[^"]*danger" data-dialog href="/ui/{path}/[^"]*delete', page)
        assert not re.search(rf'<form[^>]*action="/ui/{path}/[^"]*delete', page)


@pytest.mark.parametrize("path", ["secrets/delete?name=asked", "calendars/asked/delete", "samples/remove"])
async def test_reader_is_not_asked_to_delete(app: FastAPI, browser: Browser, path: str) -> None:
    key = await browser.call("POST", "/keys", {"owner_id": "team", "scopes": ["read"]})
    reader = Browser(app)
    await reader.log_in(key["key"])
    assert (await reader.open(f"/ui/{path}")).status_code == 403
