"""The code editor and the chart: scripts of others, which need a browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect
from testkit.commands import Service
from testkit.waiting import wait_until
from tests.browser.actions import findings, log_in
from tests.browser.conftest import visiting

pytestmark = pytest.mark.long
CODE = "[aria-label='Code']"


def test_code_editor_marks_a_syntax_error_at_its_line(page: Page) -> None:
    page.goto("/ui/jobs/new")
    page.get_by_label("Name", exact=True).fill("written")
    page.locator(CODE).click()
    page.keyboard.type("print(1)\nprint((\n")

    expect(page.locator(".cm-lint-marker-error")).to_have_count(1)
    expect(page.locator(".cm-lintRange-error, .cm-lintPoint-error").first).to_be_attached()
    assert page.locator("textarea[name='/payload/code']").input_value().startswith("print(1)\nprint((\n")
    assert findings(page) == []


def test_tab_indents_code_and_leaves_it_after_escape(page: Page) -> None:
    page.goto("/ui/jobs/new")
    code = page.locator(CODE)
    code.click()
    page.keyboard.press("Tab")
    expect(code).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(code).not_to_be_focused()

    assert page.locator("textarea[name='/payload/code']").input_value() == "    "
    page.locator("textarea[name='/payload/code']").evaluate("area => { area.value = '' }")  # nothing to ask about


def test_code_of_the_editor_is_what_the_form_sends(page: Page, service: Service) -> None:
    page.goto("/ui/jobs/new")
    page.get_by_label("Name", exact=True).fill("sent from the editor")
    page.get_by_label("Shell", exact=True).check()
    page.locator("[aria-label='Script']").click()
    page.keyboard.type("echo sent")
    page.get_by_label("No schedule").check()
    page.get_by_role("button", name="Create job").click()
    page.wait_for_url(re.compile(r"/ui/jobs/\d+$"))

    job = service.call("GET", page.url.partition("/ui/")[2])
    assert job["payload"]["script"] == "echo sent"


def test_chart_replaces_its_picture_and_survives_updates(browser: Browser, service: Service) -> None:
    payload = {"type": "shell_script", "script": "true"}
    job = service.call("POST", "jobs", {"name": "charted", "schedule_expr": "2099-01-01T00:00:00Z", "payload": payload})
    run = service.call("POST", f"jobs/{job['id']}/run")
    wait_until(lambda: service.call("GET", f"runs/{run['id']}")["finished_at"])
    with visiting(browser, service.url, color_scheme="dark") as page:
        log_in(page)
        expect(page.locator(".uplot canvas")).to_be_visible()
        assert findings(page) == []
        service.call("POST", f"jobs/{job['id']}/run")
        expect(page.locator(".uplot canvas")).to_have_count(1)
    with visiting(browser, service.url, java_script_enabled=False) as page:
        log_in(page)
        expect(page.locator("[data-pace] svg")).to_be_visible()
        expect(page.locator(".uplot")).to_have_count(0)
