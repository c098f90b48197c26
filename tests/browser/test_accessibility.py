"""Every page for everybody: axe, narrow screens, dark, without scripts."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from testkit.commands import Service
from testkit.waiting import wait_until
from tests.browser.actions import add, ended, findings, log_in
from tests.browser.conftest import PHONE, visiting

from scheduler_service.web.app import MODULES

pytestmark = pytest.mark.long


EVERY = (
    "", "jobs", "jobs?q=no+such+job", "jobs/{job}", "jobs/{job}/edit", "jobs/{job}/clone", "jobs/{job}/versions",
    "jobs/{job}/versions/1", "jobs/{job}/versions/1/restore",
    "jobs/{job}/run", "jobs/{job}/figures", "jobs/{job}/pause", "jobs/{job}/backfill", "jobs/{job}/delete",
    "jobs/bulk?action=pause&ids={job}", "jobs/new", "runs", "runs/bulk?action=retry&ids={run}",
    "runs/{run}", "runs/{run}/compare", "runs/{run}/cancel",
    "ledger", "ledger?job={job}", "ledger/cell?at={hour}&job={job}", "ledger/lanes", "simulate", "simulate?job={job}",
    "ledger?job={job}&by=instants", "ledger?window=30d", "ledger?window=1h", "ledger/lanes?job={job}",
    "workers", "alerts", "alerts?job={job}", "alerts/new", "calendars", "calendars/new", "calendars/de-holidays",
    "secrets", "secrets/new",
    "grants", "environments", "keys", "keys/new", "quotas", "quotas/new", "audit", "system", "jump?q=a", "keyboard",
    "samples/remove", "docs", "docs/deployment", "nowhere",
)  # fmt: skip
"""Every page of the interface, and those of more than one state."""


def test_every_page_is_listed() -> None:
    """A new page is added to EVERY."""
    listed = [re.sub(r"\?.*", "", path).format(job=1, run=1, hour="") for path in EVERY]
    routes = [route for module in MODULES for route in module.pages.routes if "GET" in (route.methods or ())]
    shown = [route.path for route in routes if route.path not in NO_PAGES]
    missing = [path for path in shown if not any(re.fullmatch(pattern_of(path), f"/{each}") for each in listed)]
    assert missing == []


NO_PAGES = frozenset({
    "/live", "/login", "/jobs/{job_id:int}/ledger", "/jobs/test/{run_id:int}", "/runs/{run_id:int}/lines",
    "/runs/{run_id:int}/search", "/runs/{run_id:int}/log.txt", "/runs/{run_id:int}/artifacts/{name:path}",
    "/runs/{run_id:int}/previous", "/runs/{run_id:int}/next", "/keys/{key_id}/revoke", "/workers/{worker_id}/drain",
    "/environments/{environment_id}", "/alerts/{rule_id:int}", "/alerts/{rule_id:int}/delete",
    "/docs/images/{name}", "/calendars/{name}/delete", "/secrets/delete",
})  # fmt: skip
"""Redirects, downloads, parts of pages, and pages of objects that `objects` adds."""


# Other rules do not depend on colours, and colours not on the width.
CONTRAST_ONLY = {"runOnly": ["color-contrast"]}
NOT_CONTRAST = {"rules": {"color-contrast": {"enabled": False}}}


def pattern_of(path: str) -> str:
    return re.sub(r"\{[^}]*:int\}", r"\\d+", re.sub(r"\{[a-z_]+(?::path)?\}", "[^/]+", path))


def objects(service: Service, job_id: int) -> list[str]:
    """Create an object for each page that needs one, and return the pages."""
    channel = {"type": "webhook", "url": "https://example.org/hook"}
    rule = service.call("POST", "alerts", {"name": "told", "on": ["failure"], "job_id": job_id, "channel": channel})
    key = service.call("POST", "keys", {"owner_id": "looked", "scopes": ["read"]})
    worker = service.call("GET", "workers")["workers"][0]["id"]
    return [
        f"alerts/{rule['id']}",
        f"alerts/{rule['id']}/delete",
        f"keys/{key['id']}/revoke",
        f"workers/{worker}/drain",
    ]


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_pages_are_accessible(browser: Browser, service: Service, look: str) -> None:
    job_id = add(service, "echo hello; exit 2", name=f"looked at in {look}", tags=["tag"], schedule_expr="@daily")
    ended(service, job_id)
    ids = {"job": job_id, "run": ended(service, job_id), "hour": datetime.now(UTC).strftime("%Y-%m-%dT%H:00:00Z")}
    rules = CONTRAST_ONLY if look == "dark" else NOT_CONTRAST if look == "phone" else {}
    options: dict[str, Any] = {"color_scheme": "dark" if look == "dark" else "light"}
    if look == "phone":
        options |= {"viewport": PHONE, "has_touch": True}
    found: list[str] = []
    with visiting(browser, service.url, **options) as page:
        page.goto("/ui/login")
        found += findings(page, rules)
        log_in(page)
        for path in (*EVERY, *objects(service, job_id)):
            page.goto(f"/ui/{path.format(**ids)}")
            found += findings(page, rules)
            width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            found += [f"{path} is {width} px too wide"] if width > 0 else []
        page.goto("/ui/jobs/new")
        page.get_by_role("button", name="Create job").click()
        expect(page.locator("#faults")).to_be_focused()
        found += findings(page, rules)
    assert found == []


def test_pages_work_without_scripts(browser: Browser, service: Service) -> None:
    job_id = add(service, "echo hello", name="without scripts")
    with visiting(browser, service.url, java_script_enabled=False) as page:
        log_in(page)
        page.goto(f"/ui/jobs/{job_id}")
        page.get_by_role("link", name="Run now").click()
        page.get_by_role("button", name="Run", exact=True).click()
        run_id = int(page.url.rpartition("/")[2])
        wait_until(lambda: service.call("GET", f"runs/{run_id}")["finished_at"])
        page.reload()
        expect(page.get_by_role("log")).to_contain_text("hello")
