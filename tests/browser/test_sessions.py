"""Journeys of sessions: logging in, wrong and revoked keys, readers."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect
from testkit.commands import Service
from testkit.waiting import wait_until
from tests.browser.actions import add, log_in_with
from tests.browser.conftest import visiting

pytestmark = pytest.mark.long


@pytest.mark.journey
def test_deep_link_is_kept_by_the_login(browser: Browser, service: Service) -> None:
    with visiting(browser, service.url) as page:
        page.goto("/ui/runs?status=failed")
        page.get_by_role("button", name="Continue as developer").click()
        page.wait_for_url("**/ui/runs?status=failed")


@pytest.mark.journey
def test_link_from_another_site_opens_the_page(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="linked")
    page.route("http://other.example/", lambda route: route.fulfill(
        content_type="text/html", body=f'<a href="{service.url}/ui/jobs/{job_id}">link</a>'
    ))  # fmt: skip
    page.goto("http://other.example/")
    page.get_by_role("link", name="link").click()
    expect(page.get_by_role("heading", name="linked")).to_be_visible()


def test_wrong_key_is_refused(browser: Browser, service: Service) -> None:
    # One only: the limit of wrong keys would keep the other journeys of this address out.
    with visiting(browser, service.url) as page:
        page.goto("/ui/login")
        page.get_by_text("or use a key").click()
        page.get_by_label("API key").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_contain_text("not valid")


@pytest.mark.journey
def test_revoked_key_ends_its_session_soon(browser: Browser, service: Service) -> None:
    key = service.call("POST", "keys", {"owner_id": "a", "scopes": ["read"]})
    with visiting(browser, service.url) as page:
        log_in_with(page, key["key"])
        service.client.delete(f"keys/{key['id']}")
        wait_until(lambda: page.goto("/ui/jobs") is not None and "/ui/login" in page.url)


@pytest.mark.journey
def test_reader_has_no_buttons_that_change(browser: Browser, service: Service) -> None:
    key = service.call("POST", "keys", {"owner_id": "readers", "scopes": ["read"]})
    job_id = add(service, "true", owner_id="readers")
    with visiting(browser, service.url) as page:
        log_in_with(page, key["key"])
        page.goto(f"/ui/jobs/{job_id}")
        for name in ("Run now", "Pause", "Edit", "New job"):
            # Exactly so: cells of the ledger are links, too, and some say that the job was paused.
            expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
            expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)
