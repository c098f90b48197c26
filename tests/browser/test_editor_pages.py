"""Journeys of the editor: the first job, faults, previews, test runs, two changes at once, copies."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from testkit.commands import Service
from testkit.waiting import wait_until
from tests.browser.actions import add, create_key, findings, log_in_with
from tests.browser.conftest import visiting

pytestmark = pytest.mark.long


def write_shell(page: Page, script: str, name: str = "written") -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_text("Shell", exact=True).click()
    page.get_by_role("textbox", name="Script", exact=True).fill(script)


@pytest.mark.journey
def test_first_job_is_made_from_the_empty_list(browser: Browser, service: Service) -> None:
    key = create_key(service, "newcomer", "read", "write", "run")
    with visiting(browser, service.url) as page:
        log_in_with(page, key["key"])
        page.goto("/ui/jobs")
        expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
        page.get_by_role("link", name="New job").last.click()
        write_shell(page, "echo hello", "my first")
        page.get_by_role("button", name="Weekdays 9:00").click()
        expect(page.locator("#preview")).to_contain_text("09:00")
        page.get_by_role("button", name="Create job").click()
        expect(page.get_by_role("heading", name="my first")).to_be_visible()
        expect(page.get_by_role("status").filter(has_text="was created")).to_be_visible()


@pytest.mark.journey
def test_four_mistakes_are_shown_at_once(page: Page) -> None:
    page.goto("/ui/jobs/new")
    write_shell(page, "echo hello", "")
    page.get_by_label("Schedule", exact=True).fill("61 * * * *")
    page.get_by_label("Time zone").fill("Mars/Base")
    page.get_by_label("Memory in MiB").fill("-1")
    expect(page.locator("#preview [data-problem]")).to_have_count(3)
    page.get_by_role("button", name="Create job").click()
    faults = page.locator("#faults")
    expect(faults).to_be_focused()
    expect(faults.get_by_role("listitem")).to_have_count(4)
    expect(page.get_by_label("Schedule", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Schedule", exact=True)).to_have_value("61 * * * *")
    faults.get_by_role("link", name="Time zone").click()
    expect(page.get_by_label("Time zone")).to_be_focused()


def test_draft_that_comes_back_is_announced_and_can_be_discarded(page: Page) -> None:
    page.goto("/ui/jobs/new")
    page.get_by_label("Name", exact=True).fill("left alone")
    page.get_by_role("link", name="Jobs", exact=True).first.click()
    page.wait_for_url("**/ui/jobs")
    page.goto("/ui/jobs/new")
    notice = page.locator("#draft")
    expect(notice).to_contain_text("was restored")
    expect(page.get_by_label("Name", exact=True)).to_have_value("left alone")
    notice.get_by_role("button", name="Discard").click()
    expect(notice).to_be_hidden()
    expect(page.get_by_label("Name", exact=True)).to_have_value("")
    page.reload()
    expect(page.get_by_label("Name", exact=True)).to_have_value("")
    expect(notice).to_be_hidden()


def test_relative_times_are_rounded_and_count_calendar_days(browser: Browser, service: Service) -> None:
    days = ("2026-11-30T18:00:00Z", "2026-12-01T11:00:00Z", "2027-01-01T01:00:00Z")
    rounded = ("2026-11-30T17:00:00Z", "2026-11-29T23:44:00Z", "2026-11-29T16:16:00Z", "2026-11-29T17:46:20Z")
    ats = (*days, *rounded)
    with visiting(browser, service.url, timezone_id="UTC") as page:
        page.clock.set_fixed_time("2026-11-29T17:45:00Z")
        # The page brings the clock of the server, which this one replaces.
        page.route("**/ui/login", lambda route: route.fulfill(body=_with_clock(route.fetch().text(), ats)))
        page.goto("/ui/login")
        words = page.locator("#times time").all_inner_texts()
    assert words[:3] == ["tomorrow", "in 2 days", "in 33 days"]
    assert words[3:] == ["in 23 hr.", "in 6 hr.", "89 min. ago", "in 80 sec."]


def _with_clock(html: str, ats: tuple[str, ...]) -> str:
    times = "".join(f'<time data-as="relative" datetime="{at}">-</time>' for at in ats)
    html = re.sub('data-now="[^"]*"', 'data-now="2026-11-29T17:45:00Z"', html)
    return html.replace("</body>", f"<p id='times'>{times}</p></body>")


def test_chip_of_a_grant_adds_its_name_and_removes_it(page: Page) -> None:
    # This service offers no grants, so the page gets the chip of one.
    chip = '<div data-grants hidden><button type="button" data-grant="backup">backup</button></div>'

    def with_chip(route: Route) -> None:
        sent = route.fetch()
        route.fulfill(response=sent, body=sent.text().replace("</form>", f"{chip}</form>"))

    page.route("**/ui/jobs/new", with_chip)
    page.goto("/ui/jobs/new")
    page.get_by_text("Variables, arguments").click()
    grants = page.get_by_label("Grants", exact=True)
    grants.fill("warehouse")
    page.get_by_role("button", name="backup").click()
    expect(grants).to_have_value("warehouse, backup")
    page.get_by_role("button", name="backup").click()
    expect(grants).to_have_value("warehouse")


def test_key_n_begins_a_job_from_the_start_page(page: Page) -> None:
    page.goto("/ui/")
    page.keyboard.press("n")
    page.wait_for_url("**/ui/jobs/new")


def test_faults_are_told_of_controls_that_were_used(page: Page) -> None:
    page.goto("/ui/jobs/new")
    page.get_by_label("Schedule", exact=True).fill("*/5 * * * *")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("Every 5 minutes")
    expect(preview.locator("[data-problem]")).to_have_count(0)
    page.get_by_label("Schedule", exact=True).fill("")
    expect(preview).to_contain_text("No schedule")
    expect(preview.locator("[data-problem]")).to_have_count(1)
    page.get_by_role("button", name="Create job").click()
    expect(page.locator("#faults").get_by_role("listitem")).to_have_count(3)


@pytest.mark.journey
def test_preview_shows_clock_changes_in_both_zones(browser: Browser, service: Service) -> None:
    with visiting(browser, service.url, timezone_id="Asia/Tokyo") as page:
        page.goto("/ui/login")
        page.get_by_role("button", name="Continue as developer").click()
        page.goto("/ui/jobs/new")
        write_shell(page, "true")
        page.get_by_label("Schedule", exact=True).fill("30 2 25-31 3 *")
        page.get_by_label("Time zone").fill("Europe/Berlin")
        change = page.locator("#preview tr", has_text="does not exist").first
        expect(change).to_contain_text("03:00")
        expect(change.locator("td").nth(1)).to_contain_text("10:00")


@pytest.mark.journey
def test_python_error_is_shown_at_its_line(page: Page) -> None:
    page.goto("/ui/jobs/new")
    page.get_by_label("Name", exact=True).fill("wrong")
    page.get_by_role("textbox", name="Code", exact=True).fill("print('hello')\nfor x in\n")
    expect(page.locator("[data-field='/payload/code'] [data-error]")).to_contain_text("line 2")


@pytest.mark.journey
def test_test_run_shows_its_log_and_stores_nothing(page: Page, service: Service) -> None:
    before = service.call("GET", "jobs")["total"]
    page.goto("/ui/jobs/new")
    write_shell(page, "echo tried $SECRET_WORD; echo 1 >$SCHEDULER_ARTIFACTS/a.csv; exit 7", "")
    page.get_by_text("Variables, arguments").click()
    page.get_by_label("Environment variables").fill("SECRET_WORD=here")
    page.get_by_role("textbox", name="Script", exact=True).press("Control+Enter")
    panel = page.locator("#test-run")
    expect(panel).to_contain_text("tried here")
    expect(panel).to_contain_text("Exit code 7")
    expect(panel.get_by_role("link", name="a.csv")).to_be_visible()
    assert service.call("GET", "jobs")["total"] == before
    page.goto("/ui/runs?trigger=manual")
    expect(page.get_by_text("test", exact=True)).to_have_count(0)


@pytest.mark.journey
def test_difference_is_shown_before_it_is_saved(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="to edit", schedule_expr="0 3 * * *")
    page.goto(f"/ui/jobs/{job_id}/edit")
    page.get_by_label("Schedule", exact=True).fill("0 4 * * *")
    expect(page.locator("#preview del")).to_have_text("0 3 * * *")
    expect(page.locator("#preview ins")).to_have_text("0 4 * * *")
    expect(page.locator("#preview")).to_contain_text("The next runs move")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("status").filter(has_text="was saved")).to_be_visible()


@pytest.mark.journey
def test_two_changes_at_once_are_merged(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="before", priority=5)
    page.goto(f"/ui/jobs/{job_id}/edit")
    page.get_by_label("Name", exact=True).fill("mine")
    service.call("PATCH", f"jobs/{job_id}", {"name": "theirs", "priority": 9})
    page.get_by_role("button", name="Save changes").click()
    conflict = page.get_by_role("alert")
    expect(conflict.get_by_role("row")).to_have_count(3)
    expect(conflict.get_by_role("row", name="name")).to_contain_text("theirs")
    conflict.get_by_role("row", name="name").get_by_label("mine").check()
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("heading", name="mine")).to_be_visible()
    job = service.call("GET", f"jobs/{job_id}")
    assert (job["name"], job["priority"]) == ("mine", 9)


def test_restored_draft_is_merged_with_what_others_changed(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="of a draft")
    page.goto(f"/ui/jobs/{job_id}/edit")
    page.get_by_label("Name", exact=True).fill("mine")
    page.get_by_role("link", name="Jobs", exact=True).first.click()
    page.wait_for_url("**/ui/jobs")
    service.call("PATCH", f"jobs/{job_id}", {"name": "theirs"})
    page.goto(f"/ui/jobs/{job_id}/edit")
    expect(page.locator("#draft")).to_contain_text("was restored")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("alert").get_by_role("row", name="Name")).to_contain_text("theirs")
    assert service.call("GET", f"jobs/{job_id}")["name"] == "theirs"


@pytest.mark.journey
def test_copy_runs_with_the_hidden_variables_of_its_original(page: Page, service: Service) -> None:
    job_id = add(service, 'echo "it is $WORD"', name="original", env={"WORD": "kept"})
    page.goto(f"/ui/jobs/{job_id}")
    page.get_by_label("More actions").click()
    page.get_by_role("link", name="Clone").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Copy of original")
    page.get_by_role("button", name="Test run").click()
    expect(page.locator("#test-run")).to_contain_text("it is kept")
    page.get_by_role("button", name="Create job").click()
    expect(page.get_by_role("heading", name="Copy of original")).to_be_visible()


@pytest.mark.journey
def test_draft_survives_the_end_of_the_session(browser: Browser, service: Service) -> None:
    keys = [create_key(service, "writer", "read", "write") for _ in range(2)]
    with visiting(browser, service.url) as page:
        log_in_with(page, keys[0]["key"])
        page.goto("/ui/jobs/new")
        write_shell(page, "echo precious", "kept")
        service.client.delete(f"keys/{keys[0]['id']}")

        def is_logged_out() -> bool:
            if "/ui/login" not in page.url:
                page.keyboard.press(".")
                page.wait_for_timeout(600)  # the preview follows 400 ms after a key
            return "/ui/login" in page.url

        wait_until(is_logged_out)
        page.get_by_text("or use a key").click()
        page.get_by_label("API key").fill(keys[1]["key"])
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/ui/jobs/new")
        expect(page.get_by_role("textbox", name="Script", exact=True)).to_contain_text("echo precious")
        expect(page.get_by_label("Name", exact=True)).to_have_value("kept")


def test_draft_is_simulated_and_kept(page: Page, service: Service) -> None:
    job_id = add(service, "true", name="imagined", schedule_expr="@daily")
    page.goto(f"/ui/jobs/{job_id}/edit")
    page.get_by_label("Schedule", exact=True).fill("0 * * * *")
    expect(page.locator(".day-strip .mark")).to_have_count(24)
    assert findings(page) == []
    page.get_by_role("button", name="What if?").click()
    expect(page.get_by_role("heading", name="As it is")).to_be_visible()
    expect(page.locator(".counts strong").first).to_have_text("24")
    assert findings(page) == []
    page.go_back()
    expect(page.get_by_label("Schedule", exact=True)).to_have_value("0 * * * *")


def test_bar_to_save_is_always_seen_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/ui/jobs/new")
    expect(page.get_by_role("button", name="Create job")).to_be_in_viewport()
    page.get_by_label("Name", exact=True).fill("on a phone")
    page.get_by_role("button", name="Create job").click()
    expect(page.locator("[data-fault-count]")).to_be_in_viewport()
    expect(page.locator("[data-fault-count]")).to_contain_text("to correct")
