"""Every page for everybody: axe, narrow screens, dark, without scripts."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from testkit.commands import Service
from testkit.waiting import wait_until
from tests.browser.actions import add, ended, findings, log_in
from tests.browser.conftest import PHONE, visiting

pytestmark = pytest.mark.long


PAGES = ("", "jobs", "jobs/{job}", "runs", "runs/{run}", "jobs/new")
MORE_PAGES = (
    "alerts",
    "alerts/new",
    "keys",
    "keys/new",
    "secrets",
    "system",
    "calendars/de-holidays",
    "audit",
    "grants",
)


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_pages_are_accessible(browser: Browser, service: Service, look: str) -> None:
    run_id = ended(service, add(service, "echo hello; exit 2", name=f"looked at in {look}", tags=["tag"]))
    job_id = service.call("GET", f"runs/{run_id}")["job_id"]
    options: dict[str, Any] = {"color_scheme": "dark" if look == "dark" else "light"}
    if look == "phone":
        options |= {"viewport": PHONE, "has_touch": True}
    found: list[str] = []
    with visiting(browser, service.url, **options) as page:
        log_in(page)
        for path in (*PAGES, *(MORE_PAGES if look == "light" else ())):
            page.goto(f"/ui/{path.format(job=job_id, run=run_id)}")
            found += findings(page)
            width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            found += [f"{path} is {width} px too wide"] if width > 0 else []
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
