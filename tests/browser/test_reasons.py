"""Journeys of questions: why did it not run, and what became of each instant?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect
from testkit.commands import Service
from testkit.waiting import wait_until
from tests.browser.actions import add, log_in
from tests.browser.conftest import PHONE, visiting

pytestmark = pytest.mark.long


def test_reason_of_a_pause_leads_to_its_remedy(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="held back")
    service.call("POST", f"jobs/{job_id}/pause", {"reason": "maintenance"})
    page.goto(f"/ui/jobs/{job_id}")
    why = page.locator("#why")
    expect(why).to_contain_text("maintenance")
    why.get_by_role("button", name="Resume").click()
    expect(page.locator("#why")).to_contain_text("Nothing holds the next run back")


@pytest.mark.journey
def test_skipped_instant_leads_to_its_cause_and_its_remedy(page: Page, service: Service) -> None:
    job_id = add(service, "sleep 60", name="busy", schedule_expr="1s")

    def skipped() -> int | None:
        rows = service.call("GET", f"runs?job_id={job_id}&status=skipped")["runs"]
        return rows[0]["id"] if rows else None

    run_id = wait_until(skipped)
    page.goto(f"/ui/jobs/{job_id}")
    expect(page.locator("#why")).to_contain_text("The job was busy")
    page.goto(f"/ui/runs/{run_id}")
    remedies = page.get_by_role("navigation", name="What helps")
    expect(remedies).to_contain_text("the job was busy")
    remedies.get_by_role("link", name="The run that kept the job busy").click()
    expect(page.locator("#head")).to_contain_text("Running")
    page.go_back()
    remedies.get_by_role("link", name="Change the overlap policy").click()
    page.locator("#f-overlap_policy").get_by_text("Allow", exact=True).click()
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("status").filter(has_text="was saved")).to_be_visible()
    assert service.call("GET", f"jobs/{job_id}")["overlap_policy"] == "allow"
    service.client.delete(f"jobs/{job_id}")


def last_sunday_of_october() -> date:
    """Return the next day on which clocks in Berlin are set back."""
    today = datetime.now(UTC).date()
    ends = [date(year, 10, 31) for year in (today.year, today.year + 1)]
    sundays = [end - timedelta(days=(end.weekday() + 1) % 7) for end in ends]
    return next(sunday for sunday in sundays if sunday > today)


@pytest.mark.journey
@pytest.mark.parametrize("has_scripts", [True, False])
def test_phone_shows_the_newest_hours_first(browser: Browser, service: Service, has_scripts: bool) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    ahead = (20 - hour.hour) % 24
    ahead -= 24 if ahead > 14 else 0
    with visiting(browser, service.url, viewport=PHONE, java_script_enabled=has_scripts) as page:
        log_in(page)
        zone = f"Etc/GMT{-ahead:+}".replace("+", "%2B")  # it is about 20 o'clock there
        page.goto(f"/ui/ledger?zone={zone}")
        cell = page.locator(f"[data-cell][href*='at={hour:%Y-%m-%dT%H}']").bounding_box()
        labels = page.locator(".map-labels").bounding_box()
    assert cell is not None
    assert labels is not None
    assert labels["x"] + labels["width"] < cell["x"] < PHONE["width"] - cell["width"]


def test_map_of_days_is_read_by_keyboard(page: Page) -> None:
    page.goto("/ui/ledger?window=30d")
    first = page.locator("[data-cell][tabindex='0']")
    expect(first).to_have_count(1)
    name = first.get_attribute("aria-label") or ""
    first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    focused = page.locator("[data-cell]:focus")
    assert (focused.get_attribute("aria-label") or "") != name
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_heat_map_is_read_by_keyboard_on_a_day_of_25_hours(page: Page) -> None:
    sunday = last_sunday_of_october()
    page.goto(f"/ui/ledger?zone=Europe/Berlin&until={sunday + timedelta(days=2)}T00:00:00Z")
    day = page.locator("[data-line]", has_text=sunday.strftime("Sun %d"))
    expect(day.locator("[data-cell]")).to_have_count(25)
    names = [cell.get_attribute("aria-label") or "" for cell in day.locator("[data-cell]").all()[1:4]]
    assert [name.partition(", ")[2].partition(": ")[0] for name in names] == ["01:00 CEST", "02:00 CEST", "02:00 CET"]
    page.locator("[data-cell][tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    focused = page.locator("[data-cell]:focus")
    expect(focused).to_have_attribute("tabindex", "0")
    expect(page.locator("[data-cell][tabindex='0']")).to_have_count(1)
    name = focused.get_attribute("aria-label") or ""
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_role("dialog").get_by_role("heading")).to_have_text(name.partition(": ")[0])
    page.keyboard.press("Escape")
    expect(focused).to_be_focused()
