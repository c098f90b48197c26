"""Journeys of lists: filters, rows, live changes, keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from testkit.commands import Service
from tests.browser.actions import add, ended

pytestmark = pytest.mark.long


def test_filter_is_kept_by_reload_and_back(page: Page, service: Service) -> None:
    ended(service, add(service, "exit 5", name="fails today"))
    page.goto("/ui/runs")
    page.get_by_role("link", name="Failed today").click()
    page.reload()
    expect(page.get_by_role("link", name="Failed today")).to_have_attribute("aria-current", "page")
    page.get_by_role("link", name="fails today").first.click()
    page.go_back()
    assert "status=failed" in page.url
    expect(page.locator("#rows")).to_contain_text("fails today")


def test_pause_is_undone(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="to pause")
    page.goto(f"/ui/jobs/{job_id}")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status").filter(has_text="is paused")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    assert service.call("GET", f"jobs/{job_id}")["status"] == "active"


def test_job_is_deleted_only_with_its_name(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="to delete")
    page.goto(f"/ui/jobs/{job_id}")
    page.get_by_label("More actions").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_label("Type the name").fill("to delete")
    page.get_by_role("button", name="Delete the job").click()
    page.wait_for_url("**/ui/jobs")
    expect(page.get_by_role("status").filter(has_text="was deleted")).to_be_visible()


def test_list_follows_changes_of_others(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="changed elsewhere")
    page.goto("/ui/jobs?q=changed+elsewhere")
    expect(page.locator("#live-badge")).to_have_text("Live")
    service.call("POST", f"jobs/{job_id}/pause")
    expect(page.locator(f"#job-{job_id}")).to_contain_text("Paused")


def test_rows_are_reached_by_keyboard(page: Page, service: Service) -> None:
    add(service, "true", name="reached by keys")
    page.goto("/ui/jobs?q=reached+by+keys")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="reached by keys")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/ui/runs")
