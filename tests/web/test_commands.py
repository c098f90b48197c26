"""The menu *As curl*: what each page shows and offers, as commands for the API."""

from __future__ import annotations

import html
import json
import re
import shlex
from datetime import UTC, datetime
from string import Formatter

import pytest
from fastapi import FastAPI
from tests.web.conftest import SHARED, Browser, create_job, run_to_the_end

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.web.commands import COMMANDS, commands_of

pytestmark = SHARED
_COMMAND = re.compile(r'<code id="curl-[^"]*">([^<]*)</code>')
PAGES = {
    "home": "/",
    "ledger": "/ledger?window=30d&job={job}&zone=Asia/Kolkata",
    "lanes": "/ledger/lanes?job={job}",
    "simulate": "/simulate?job={job}&schedule_expr=@hourly",
    "job": "/jobs/{job}",
    "version": "/jobs/{job}/versions/1",
    "compare": "/runs/{run}/compare",
    "workers": "/workers",
    "alerts": "/alerts",
    "alert": "/alerts/{rule}",
    "keys": "/keys",
    "secrets": "/secrets",
    "grants": "/grants",
    "environments": "/environments",
    "calendars": "/calendars",
    "calendar": "/calendars/days_off",
    "quotas": "/quotas",
    "audit": "/audit?operation=create",
    "system": "/system",
}
ASKED_ONLY = ("environment",)
"""Pages of objects that a test would have to wait for."""


async def commands(browser: Browser, path: str) -> list[list[str]]:
    """Return the commands of a page, each as its words."""
    page = await browser.open(f"/ui{path}")
    assert page.status_code == 200, path
    return [shlex.split(html.unescape(found)) for found in _COMMAND.findall(page.text)]


async def test_commands_of_every_page_are_requests_of_the_api(app: FastAPI, browser: Browser) -> None:
    job = await create_job(browser, name="as curl")
    await run_to_the_end(browser, job["id"])
    run = await run_to_the_end(browser, job["id"])
    channel = {"type": "webhook", "url": "https://example.org/hook"}
    rule = await browser.call("POST", "/alerts", {"name": "told", "on": ["failure"], "channel": channel})
    await browser.call("PUT", "/calendars/days_off", {"dates": ["2026-12-24"]})
    operations = {
        (method.upper(), re.compile(re.sub(r"{\w+}", "[^/]+", path)))
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }
    for name, path in PAGES.items():
        found = await commands(browser, path.format(job=job["id"], run=run, rule=rule["id"]))
        labels = len(COMMANDS[name]) - (name == "job")  # it is paused or resumed
        assert len(found) >= labels, name
        for words in found:
            method = words[words.index("-X") + 1] if "-X" in words else "GET"
            url = words[-1].removeprefix("http://localhost")
            assert any(method == known and shape.fullmatch(url.partition("?")[0]) for known, shape in operations), url
            if method == "GET":
                await browser.call("GET", url.removeprefix("/api/v1"))
    assert COMMANDS.keys() == PAGES.keys() | set(ASKED_ONLY)


async def test_command_of_a_simulation_makes_the_same(browser: Browser) -> None:
    job = await create_job(browser, name="simulated", schedule_expr="*/10 * * * *", env={"TOKEN": "hidden-value"})
    window = "from=2026-01-15T10:00:00Z&to=2026-01-15T12:00:00Z&run_seconds=60"
    for change, rows in (("", 12), ("&schedule_expr=@hourly", 2)):
        (words,) = await commands(browser, f"/simulate?job={job['id']}&{window}{change}")
        document = words[words.index("-d") + 1]
        assert "hidden-value" not in document
        answer = await browser.call("POST", "/schedules/simulate", json.loads(document))
        assert len(answer["rows"]) == rows


@pytest.mark.parametrize("page", COMMANDS)
async def test_reader_is_shown_no_command_that_changes(page: str) -> None:
    fields = {name: "x" for each in COMMANDS[page] for _, name, *_ in Formatter().parse(each.path) if name}
    reader = Caller(key_id="k", owner_id="o", scopes=frozenset({Scope.READ}))
    assert {method for _, method, *_ in commands_of(page, reader, {}, fields)} <= {"GET", "POST"}
    assert all(method == "GET" or "simulate" in path for _, method, path, _ in commands_of(page, reader, {}, fields))


async def test_names_in_commands_stay_one_part_of_the_path() -> None:
    caller = Caller(key_id="k", owner_id="o", scopes=frozenset(Scope))
    requests = commands_of("calendar", caller, {"name": "a/../b c?"}, {"year": datetime.now(UTC).year})
    assert {path.split("/")[2].partition("?")[0] for _, _, path, _ in requests} == {"a%2F..%2Fb%20c%3F"}
