"""Journeys through an outage, with a service of their own: live pages, missed instants, wrong keys, many tabs."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Browser, Page, expect
from testkit.waiting import wait_until
from tests.browser.actions import add, log_in
from tests.browser.conftest import visiting
from tests.browser.installations import Host

pytestmark = pytest.mark.long
REFUSED = ("Failed to load resource: net::ERR_", "htmx: htmx:sse:error", "htmx: htmx:error")
# A browser without windows shows all its tabs at once; these tabs are hidden by hand.
HIDEABLE = "Object.defineProperty(document, 'hidden', {get: () => globalThis.isHidden ?? false})"
HIDE = "globalThis.isHidden = true; document.dispatchEvent(new Event('visibilitychange'))"
SHOW = "globalThis.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))"
TABS = 8


def badge_of(page: Page, state: str) -> None:
    expect(page.locator("#live-badge")).to_have_attribute("data-state", state)


@pytest.mark.journey
def test_page_goes_on_after_a_restart(browser: Browser, host: Host) -> None:
    job_id = add(host.service, "true", name="watched")
    with visiting(browser, host.service.url, *REFUSED) as page:
        log_in(page)
        page.goto("/ui/jobs")
        badge_of(page, "live")
        host.kill()
        badge_of(page, "polling")
        host.start().call("POST", f"jobs/{job_id}/pause")
        badge_of(page, "live")
        expect(page.locator(f"#job-{job_id}")).to_contain_text("Paused")


@pytest.mark.journey
def test_missed_range_is_run_after_all(browser: Browser, host: Host) -> None:
    policy = {"misfire_policy": "skip", "misfire_grace_seconds": 1, "overlap_policy": "allow"}
    job_id = add(host.service, "true", name="missed", schedule_expr="1s", **policy)
    wait_until(lambda: host.service.call("GET", f"jobs/{job_id}/runs")["total"] > 0)
    host.kill()
    killed_at = time.monotonic()
    wait_until(lambda: time.monotonic() > killed_at + 4)  # several instants, beyond their grace time
    service = host.start()

    def missed() -> int | None:
        rows = service.call("GET", f"runs?job_id={job_id}&status=missed")["runs"]
        return rows[0]["id"] if rows else None

    run_id = wait_until(missed)
    service.call("POST", f"jobs/{job_id}/pause")
    with visiting(browser, service.url) as page:
        log_in(page)
        page.goto(f"/ui/runs/{run_id}")
        page.get_by_role("link", name="Backfill").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("would be run")
        dialog.get_by_role("button", name="Run").click()
        page.wait_for_url("**/ui/runs?job=*&trigger=backfill")
        expect(page.locator("#rows")).to_contain_text("Success")


@pytest.mark.journey
def test_eight_tabs_are_live_one_after_the_other(browser: Browser, host: Host) -> None:
    with visiting(browser, host.service.url) as page:
        page.context.add_init_script(HIDEABLE)
        log_in(page)
        tabs = [page.context.new_page() for _ in range(TABS)]
        for tab in tabs:
            tab.goto("/ui/jobs")
            badge_of(tab, "live")
            tab.evaluate(HIDE)
        tabs[0].evaluate(SHOW)
        add(host.service, "true", name="seen by the first tab")
        expect(tabs[0].locator("#rows")).to_contain_text("seen by the first tab")


def test_tabs_in_the_background_hold_no_connection(browser: Browser, host: Host) -> None:
    with visiting(browser, host.service.url) as page:
        log_in(page)
        page.context.add_init_script(f"{HIDEABLE}; globalThis.isHidden = true")
        tabs = [page.context.new_page() for _ in range(TABS)]
        for tab in tabs:
            tab.goto("/ui/jobs")
        tabs[-1].evaluate(SHOW)
        badge_of(tabs[-1], "live")


@pytest.mark.journey
def test_sixth_wrong_key_within_a_minute_waits(browser: Browser, host: Host) -> None:
    with visiting(browser, host.service.url) as page:
        page.goto("/ui/login")
        for _ in range(5):
            send_key(page, "wrong")
            expect(page.get_by_role("alert")).to_contain_text("not valid")
        send_key(page, "wrong")
        expect(page.get_by_role("alert")).to_contain_text("Too many")


def send_key(page: Page, key: str) -> None:
    if page.get_by_label("API key").is_hidden():
        page.get_by_text("or use a key").click()
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Log in").click()
