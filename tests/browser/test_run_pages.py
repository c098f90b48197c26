"""Journeys of runs: start one, follow, search and cancel it, try it again."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from testkit.commands import Service
from tests.browser.actions import add, ended

pytestmark = pytest.mark.long


@pytest.mark.journey
def test_job_is_run_with_arguments_and_followed_to_its_end(page: Page, service: Service) -> None:
    script = 'echo "args $SCHEDULER_ARGS"; sleep 1; printf "\\033[32mdone\\033[0m\\n"'
    job_id = add(service, script, name="followed")
    page.goto(f"/ui/jobs/{job_id}")
    page.keyboard.press("r")
    page.get_by_label("Arguments, as JSON").fill('{"day": 3}')
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/ui/runs/*")
    log = page.get_by_role("log")
    expect(log).to_contain_text('args {"day": 3}')
    expect(log.locator("span.c2")).to_have_text("done")
    expect(page.get_by_text("Success").first).to_be_visible()


@pytest.mark.journey
def test_log_is_searched_linked_and_downloaded(page: Page, service: Service) -> None:
    run_id = ended(service, add(service, "seq 1 400; echo needle; seq 401 800"))
    page.goto(f"/ui/runs/{run_id}")
    page.get_by_label("Search the log").fill("needle")
    expect(page.locator("#L401")).to_have_class(re.compile("hit"))
    page.goto(f"/ui/runs/{run_id}#L120-L122")
    expect(page.locator("#L121")).to_have_class(re.compile("chosen"))
    with page.expect_download() as download:
        page.get_by_label("Download the log").click()
    assert download.value.path().read_text().count("\n") == 801


def test_earlier_lines_come_when_scrolling_up(page: Page, service: Service) -> None:
    run_id = ended(service, add(service, "seq 1 5000"))
    page.goto(f"/ui/runs/{run_id}")
    expect(page.locator("#log li[id]")).to_have_count(2000)
    box = page.locator(".log-box")
    top = page.locator("#L3001").evaluate("line => { line.scrollIntoView(); return line.getBoundingClientRect().top }")
    expect(page.locator("#L1001")).to_be_attached()
    expect(page.get_by_text("1,000 earlier lines")).to_be_visible()
    assert abs(page.locator("#L3001").evaluate("line => line.getBoundingClientRect().top") - top) < 2
    box.evaluate("box => { box.scrollTop = 0 }")
    expect(page.locator("#L1")).to_be_attached()
    expect(page.locator(".log-earlier")).to_be_hidden()
    assert page.locator("#log li[id]").evaluate_all("lines => lines.map(line => line.id)") == [
        f"L{number}" for number in range(1, 5001)
    ]


@pytest.mark.journey
def test_forged_attempt_marker_stays_text(page: Page, service: Service) -> None:
    run_id = ended(service, add(service, "echo '--- attempt 9 ---'; echo '<li class=\"log-attempt\">Attempt 9</li>'"))
    page.goto(f"/ui/runs/{run_id}")
    expect(page.locator(".log-attempt")).to_have_text(["Attempt 1"])


@pytest.mark.journey
def test_running_run_is_cancelled(page: Page, service: Service) -> None:
    job_id = add(service, "echo begun; sleep 60", name="long")
    run_id = service.call("POST", f"jobs/{job_id}/run")["id"]
    page.goto(f"/ui/runs/{run_id}")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.get_by_text("Cancelled").first).to_be_visible()


def test_failed_run_is_tried_again(page: Page, service: Service) -> None:
    run_id = ended(service, add(service, "exit 3", name="failing"))
    page.goto(f"/ui/runs/{run_id}")
    expect(page.get_by_text("Exit code 3")).to_be_visible()
    page.get_by_role("button", name="Retry").click()
    page.wait_for_url(re.compile(r"/ui/runs/\d+$"))
    expect(page.get_by_role("link", name=f"Run {run_id}")).to_be_visible()


@pytest.mark.journey
def test_following_stops_when_the_reader_scrolls(page: Page, service: Service) -> None:
    script = "seq 1 300; i=0; while [ $i -lt 200 ]; do echo more $i; i=$((i+1)); sleep 0.05; done"
    run_id = service.call("POST", f"jobs/{add(service, script, name='talks')}/run")["id"]
    page.goto(f"/ui/runs/{run_id}")
    follow = page.get_by_role("button", name="Follow")
    expect(page.get_by_role("log")).to_contain_text("more 3")
    expect(follow).to_have_attribute("aria-pressed", "true")
    page.get_by_role("log").hover()
    page.mouse.wheel(0, -2000)
    expect(follow).to_have_attribute("aria-pressed", "false")
    fresh = page.get_by_role("button", name="new lines")
    expect(fresh).to_be_visible()
    place = page.evaluate("document.querySelector('.log-box').scrollTop")
    expect(page.get_by_role("log")).to_contain_text("more 60")
    assert page.evaluate("document.querySelector('.log-box').scrollTop") == place
    fresh.click()
    expect(follow).to_have_attribute("aria-pressed", "true")
    expect(fresh).to_be_hidden()
    service.call("POST", f"runs/{run_id}/cancel")


@pytest.mark.journey
def test_run_is_tried_again_and_compared_with_the_failed_one(page: Page, service: Service) -> None:
    job_id = add(service, "echo same; exit 4", name="mended")
    run_id = ended(service, job_id)
    service.call("PATCH", f"jobs/{job_id}", {"payload": {"type": "shell_script", "script": "echo same; echo good"}})
    page.goto(f"/ui/runs/{run_id}")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("link", name=f"Run {run_id}")).to_be_visible()
    expect(page.locator("#head")).to_contain_text("Success")
    page.get_by_role("link", name="Compare").click()
    row = page.locator("tr", has=page.get_by_role("rowheader", name="Exit code"))
    expect(row.get_by_role("cell")).to_have_text(["4", "0"])
    expect(page.locator("ins")).to_contain_text("echo good")
    expect(page.locator(".log-diff .added")).to_contain_text("good")
