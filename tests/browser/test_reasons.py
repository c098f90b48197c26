"""Journeys of questions: why did it not run, and what became of each instant?"""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from testkit.commands import Service
from tests.browser.actions import add

pytestmark = pytest.mark.long


def test_reason_of_a_pause_leads_to_its_remedy(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="held back")
    service.call("POST", f"jobs/{job_id}/pause", {"reason": "maintenance"})
    page.goto(f"/ui/jobs/{job_id}")
    why = page.locator("#why")
    expect(why).to_contain_text("maintenance")
    why.get_by_role("button", name="Resume").click()
    expect(page.locator("#why")).to_contain_text("Nothing holds the next run back")
