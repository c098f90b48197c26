"""Journeys of lists: filters, rows, live changes, keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from testkit.commands import Service
from tests.browser.actions import add, ended

pytestmark = pytest.mark.long


@pytest.mark.journey
def test_filter_is_kept_by_reload_and_back(page: Page, service: Service) -> None:
    ended(service, add(service, "exit 5", name="fails today"))
    page.goto("/ui/runs")
    page.get_by_role("link", name="Failed today").click()
    page.reload()
    expect(page.get_by_role("link", name="Failed today")).to_have_attribute("aria-current", "page")
    page.get_by_role("link", name="fails today").first.click()
    page.wait_for_url("**/ui/jobs/*")
    page.go_back()
    page.wait_for_url("**/ui/runs?*status=failed*")
    expect(page.locator("#rows")).to_contain_text("fails today")


@pytest.mark.journey
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


@pytest.mark.journey
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


@pytest.mark.journey
def test_all_of_a_tag_are_paused_unless_their_number_changes(page: Page, service: Service) -> None:
    ids = [add(service, "true", name=f"of the tag {number}", tags=["together"]) for number in range(3)]
    page.goto("/ui/jobs?tag=together")
    page.get_by_label("Select all").check()
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("heading", name="Pause 3 jobs?")).to_be_visible()
    service.client.delete(f"jobs/{ids[0]}")
    page.get_by_role("button", name="Pause 3 jobs").click()
    page.goto("/ui/jobs/bulk?action=pause&all=1&tag=together")
    ids.append(add(service, "true", name="came later", tags=["together"]))
    page.get_by_role("button", name="Pause 2 jobs").click()
    expect(page.get_by_text("not 2")).to_be_visible()
    assert service.call("GET", f"jobs/{ids[-1]}")["status"] == "active"
    page.goto("/ui/jobs/bulk?action=pause&all=1&tag=together")
    page.get_by_role("button", name="Pause 3 jobs").click()
    expect(page.get_by_role("status").filter(has_text="were paused")).to_be_visible()
    assert {service.call("GET", f"jobs/{job_id}")["status"] for job_id in ids[1:]} == {"paused"}


def test_new_runs_wait_while_the_list_is_read(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="repeated")
    first = ended(service, job_id)
    page.goto(f"/ui/runs?job={job_id}")
    expect(page.locator("#live-badge")).to_have_attribute("data-state", "live")
    second = ended(service, job_id)
    expect(page.get_by_role("link", name="1 new")).to_be_visible()
    expect(page.locator(f"#run-{first}")).to_be_visible()
    expect(page.locator(f"#run-{second}")).to_have_count(0)
    page.get_by_role("link", name="1 new").click()
    expect(page.locator(f"#run-{second}")).to_contain_text("Success")


def test_palette_pauses_the_job_that_is_open(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="to be paused by name")
    page.goto(f"/ui/jobs/{job_id}")
    page.keyboard.press("Control+k")
    page.get_by_role("searchbox").fill("pause to be")
    expect(page.get_by_role("dialog").get_by_role("button")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="is paused")).to_be_visible()
    page.keyboard.press("Control+k")
    page.get_by_role("link", name="Run to be paused by name now").click()
    expect(page.get_by_role("dialog", name="Run to be paused by name now")).to_be_visible()


def test_cancel_leaves_a_form_for_its_list(page: Page) -> None:
    page.goto("/ui/alerts/new")
    page.get_by_role("link", name="Cancel").click()
    page.wait_for_url("**/ui/alerts")
    expect(page.get_by_role("heading", name="Alerts")).to_be_visible()


def test_alert_rule_is_deleted_only_after_a_dialog(page: Page, service: Service) -> None:
    channel = {"type": "webhook", "url": "https://example.org/hook"}
    rule = service.call("POST", "alerts", {"name": "to delete", "on": ["failure"], "channel": channel})
    page.goto(f"/ui/alerts/{rule['id']}")
    page.get_by_label("More actions").click()
    page.get_by_role("link", name="Delete the rule").click()
    expect(page.get_by_role("dialog", name="Delete the rule to delete?")).to_be_visible()
    page.get_by_role("button", name="Delete the rule for good").click()
    page.wait_for_url("**/ui/alerts")
    expect(page.get_by_role("status").filter(has_text="was deleted")).to_be_visible()


def test_jobs_are_selected_on_a_phone(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="on a phone", tags=["phone"])
    ended(service, job_id)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/ui/jobs?tag=phone")
    expect(page.locator(f"#job-{job_id} .last")).to_contain_text("Success")
    expect(page.locator(f"#job-{job_id} .last")).to_be_visible()
    page.get_by_label("Select on a phone").check()
    expect(page.get_by_label("Select all")).to_be_checked()
    page.get_by_label("Select all").uncheck()
    expect(page.get_by_label("Select on a phone")).not_to_be_checked()
    page.get_by_text("Select all on this page", exact=True).click()
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    page.get_by_text("More", exact=True).click()
    panel = page.locator(".bar .menu[open] > .panel").bounding_box()
    assert panel is not None
    assert 0 <= panel["x"] <= 390 - panel["width"]


def test_cards_of_runs_are_selected_and_read_on_a_phone(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="a name of several words", tags=["phone-runs"])
    run_id = ended(service, job_id)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"/ui/runs?tag=phone-runs&job={job_id}")
    name = page.locator(f"#run-{run_id} .row-name").bounding_box()
    assert name is not None
    assert name["height"] < 40, "it stands in one line"
    page.get_by_label(f"Select Run {run_id}").check()
    expect(page.locator("[data-count]")).to_have_text("1")


def test_list_of_jobs_leads_to_the_run_that_executes_now(page: Page, service: Service) -> None:
    job_id = add(service, "sleep 600", name="runs now", tags=["busy"])
    run_id = service.call("POST", f"jobs/{job_id}/run")["id"]
    page.goto("/ui/jobs?tag=busy")
    expect(page.locator(f'#job-{job_id} a.row-link[href="/ui/runs/{run_id}"]')).to_contain_text("Running")
    service.call("POST", f"runs/{run_id}/cancel")
    expect(page.locator(f"#job-{job_id} a.row-link")).to_have_count(0)
