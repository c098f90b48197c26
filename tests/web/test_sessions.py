"""Logging in, what a session may do, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from tests.web.conftest import SHARED, Browser, create_job, serving

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.web import session
from scheduler_service.web.login_limit import MAX_WRONG_KEYS

pytestmark = SHARED
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


async def test_root_leads_browsers_to_the_interface(app: FastAPI) -> None:
    answer = await Browser(app).client.get("/", headers={"Accept": "text/html"})
    assert answer.headers["location"] == "ui/"


async def test_page_leads_to_the_login_and_back_again(app: FastAPI) -> None:
    browser = Browser(app)
    first = await browser.open("/ui/jobs?status=paused")
    assert first.url.path == "/ui/login"
    fields = {"key": DEVELOPMENT_API_KEY, "next": first.url.params["next"]}
    answer = await browser.send("/ui/login", fields, page="/ui/login", follow=False)
    assert answer.headers["location"] == "/ui/jobs?status=paused"


async def test_login_leads_to_no_other_site(app: FastAPI) -> None:
    for target in ("https://evil.example/ui/", "//evil.example", "/ui/\\evil", "/api/v1/jobs"):
        answer = await Browser(app).send("/ui/login", {"key": DEVELOPMENT_API_KEY, "next": target}, follow=False)
        assert answer.headers["location"] == "/ui/"


async def test_developer_logs_in_with_one_button_on_loopback(app: FastAPI) -> None:
    browser = Browser(app)
    assert "Continue as developer" in (await browser.open("/ui/login")).text
    await browser.send("/ui/login/development", page="/ui/login")
    assert (await browser.open("/ui/jobs")).url.path == "/ui/jobs"


async def test_development_login_is_refused_from_another_machine(app: FastAPI) -> None:
    browser = Browser(app, address="192.0.2.7")
    assert "Continue as developer" not in (await browser.open("/ui/login")).text
    assert (await browser.send("/ui/login/development", page="/ui/login")).status_code == 403


async def test_development_session_ends_at_another_host_name(app: FastAPI, browser: Browser) -> None:
    other = Browser(app, host="rebound.example")
    other.client.cookies = browser.client.cookies
    other.client.cookies.set("scheduler", browser.client.cookies["scheduler"], domain="rebound.example")
    assert (await other.open("/ui/jobs")).status_code == 403


async def test_cookie_is_out_of_reach_of_scripts_and_other_sites(app: FastAPI) -> None:
    cookie = (await Browser(app).log_in()).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/ui"} <= set(cookie.split("; "))
    assert DEVELOPMENT_API_KEY not in cookie


async def test_cookie_opens_no_door_of_the_api(browser: Browser) -> None:
    assert (await browser.client.get("/api/v1/jobs")).status_code == 401


async def test_wrong_keys_are_limited(app: FastAPI) -> None:
    browser = Browser(app, address="192.0.2.9")
    for _ in range(MAX_WRONG_KEYS):
        assert (await browser.log_in("wrong")).status_code == 401
    answer = await browser.log_in("wrong")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


async def test_addresses_of_one_host_share_its_wrong_keys(app: FastAPI) -> None:
    answers = [await Browser(app, address=f"2001:db8:7:7::{n}").log_in("wrong") for n in range(MAX_WRONG_KEYS + 1)]
    assert answers[-1].status_code == 429


async def test_wrong_key_is_in_the_audit_trail(app: FastAPI, browser: Browser) -> None:
    await Browser(app, address="192.0.2.10").log_in("ключ")
    entries = (await browser.call("GET", "/audit?outcome=refused"))["entries"]
    assert any(entry["address"] == "192.0.2.10" and entry["operation"] == "logIn" for entry in entries)


async def test_form_without_the_token_of_the_session_is_refused(browser: Browser) -> None:
    for token in ("", "AAAA", "ü", "A" * 88):
        answer = await browser.client.post("/ui/logout", data={"csrf_token": token}, headers=SAME_ORIGIN)
        assert answer.status_code == 403


async def test_form_is_accepted_by_its_origin_without_fetch_metadata(app: FastAPI) -> None:
    browser = Browser(app)
    data, headers = {"key": DEVELOPMENT_API_KEY}, {"Origin": "http://localhost"}
    answer = await browser.client.post("/ui/login", data=data, headers=headers)
    assert answer.status_code == 303


async def test_revoked_key_ends_its_session(app: FastAPI, browser: Browser) -> None:
    created = await browser.call("POST", "/keys", {"owner_id": "team", "scopes": ["read"]})
    reader = Browser(app)
    await reader.log_in(created["key"])
    assert (await reader.open("/ui/jobs")).url.path == "/ui/jobs"
    await browser.call("DELETE", f"/keys/{created['id']}")
    assert (await reader.open("/ui/jobs")).url.path == "/ui/login"


async def test_session_shows_the_owners_jobs_only(app: FastAPI, browser: Browser) -> None:
    await create_job(browser, name="of the other team", owner_id="other")
    await create_job(browser, name="of the own team", owner_id="own")
    created = await browser.call("POST", "/keys", {"owner_id": "own", "scopes": ["read"]})
    reader = Browser(app)
    await reader.log_in(created["key"])
    page = (await reader.open("/ui/jobs")).text
    assert "of the own team" in page
    assert "of the other team" not in page


async def test_look_only_session_has_no_right_but_reading(app: FastAPI) -> None:
    browser = Browser(app)
    await browser.log_in()
    page = (await browser.send("/ui/look-only")).text
    assert "look only" in page
    assert "/ui/look-only" not in page


async def test_logging_out_ends_the_session(app: FastAPI) -> None:
    browser = Browser(app)
    await browser.log_in()
    await browser.send("/ui/logout")
    assert (await browser.open("/ui/jobs")).url.path == "/ui/login"


async def test_change_of_a_session_outlives_its_renewal(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "RENEW_SECONDS", 0)
    browser = Browser(app)
    await browser.log_in()
    await browser.send("/ui/look-only")
    assert "/ui/look-only" not in (await browser.open("/ui/jobs")).text
    await browser.send("/ui/logout")
    assert (await browser.open("/ui/jobs")).url.path == "/ui/login"


async def test_link_from_another_site_reloads_once(app: FastAPI) -> None:
    answer = await Browser(app).open("/ui/jobs", **{"Sec-Fetch-Site": "cross-site"})
    assert 'http-equiv="refresh"' in answer.text


async def test_interface_can_be_off_and_read_only(shared_database_url: str, tmp_path: Path) -> None:
    async with serving(shared_database_url, tmp_path / "off", ui="off") as app:
        assert (await Browser(app).client.get("/ui/")).status_code == 404
    async with serving(shared_database_url, tmp_path / "read", ui="read_only") as app:
        browser = Browser(app)
        await browser.log_in()
        assert "look only" in (await browser.open("/ui/jobs")).text
