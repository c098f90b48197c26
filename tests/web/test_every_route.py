"""Rules that hold for every route of the interface, and so for one that is added: forgery, and the data of others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from tests.web.conftest import SHARED, Browser, create_job, run_to_the_end

from scheduler_service.web.app import MODULES

pytestmark = SHARED
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
FORGED: tuple[dict[str, str], ...] = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {},
)
OWNED = frozenset({"job_id", "run_id", "rule_id"})
"""Parameters that name an object of an owner."""
FOR_ADMINISTRATORS = frozenset({"key_id", "worker_id"})
FOR_EVERYBODY = frozenset({"name", "environment_id", "version"})
"""Calendars, guides, and sets of locked packages have no owner; a version or an artifact has one by its job or run."""
FOR_READERS = frozenset({"/ui/keyboard", "/ui/login", "/ui/simulate"})
"""Forms that change no object."""
PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


def routes(method: str) -> list[str]:
    """Return the paths of the interface that answer this method."""
    every = [route for module in MODULES for route in module.pages.routes]
    return [f"/ui{route.path}" for route in every if method in (route.methods or ())]


def routes_about(parameters: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield the methods and paths with one of these parameters."""
    for method in ("GET", "POST"):
        yield from ((method, path) for path in routes(method) if parameters & set(PARAMETER.findall(path)))


def filled(path: str, ids: Mapping[str, Any]) -> str:
    return PARAMETER.sub(lambda found: str(ids.get(found[1], 1)), path)


@pytest.fixture(scope="module")
def posted() -> list[str]:
    paths = routes("POST")
    assert len(paths) > 30
    return paths


async def test_form_of_another_site_is_refused(browser: Browser, posted: list[str]) -> None:
    found = TOKEN.search((await browser.open("/ui/jobs")).text)
    assert found is not None
    for path in (filled(path, {}) for path in posted):
        for headers in FORGED:
            answer = await browser.client.post(path, data={"csrf_token": found[1]}, headers=headers)
            assert answer.status_code == 403, (path, headers)


async def test_form_without_the_token_of_the_session_is_refused(browser: Browser, posted: list[str]) -> None:
    for path in (filled(path, {}) for path in posted):
        if not path.startswith("/ui/login"):  # no session yet; SameSite cookies do not matter there
            answer = await browser.client.post(path, data={}, headers={"Sec-Fetch-Site": "same-origin"})
            assert answer.status_code == 403, path


async def test_objects_of_another_owner_are_not_found(app: FastAPI, browser: Browser) -> None:
    ids = await objects(browser, "theirs")
    other = await logged_in(app, browser)
    for method, path in routes_about(OWNED):
        answer = await asked(other, method, filled(path, ids))
        assert answer.status_code == 404, (method, path)


async def test_objects_of_administrators_are_refused(app: FastAPI, browser: Browser) -> None:
    key = await browser.call("POST", "/keys", {"owner_id": "theirs", "scopes": ["read"]})
    worker = (await browser.call("GET", "/workers"))["workers"][0]
    ids = {"key_id": key["id"], "worker_id": worker["id"]}
    other = await logged_in(app, browser)
    for method, path in routes_about(FOR_ADMINISTRATORS):
        answer = await asked(other, method, filled(path, ids))
        assert answer.status_code in {403, 404}, (method, path)


async def test_form_that_a_reader_may_not_send_is_not_shown(app: FastAPI, browser: Browser) -> None:
    ids = await objects(browser, "readers")
    key = await browser.call("POST", "/keys", {"owner_id": "readers", "scopes": ["read"]})
    reader = Browser(app)
    await reader.log_in(key["key"])
    for path in sorted(set(routes("GET")) & set(routes("POST")) - FOR_READERS):
        query = "?action=run" if path.endswith("/bulk") else ""
        answer = await reader.open(filled(path, ids) + query)
        assert answer.status_code == 403, path


async def test_every_parameter_is_of_somebody() -> None:
    """A new parameter is added to one of the sets."""
    paths = [*routes("GET"), *routes("POST")]
    assert {name for path in paths for name in PARAMETER.findall(path)} == OWNED | FOR_ADMINISTRATORS | FOR_EVERYBODY


async def objects(browser: Browser, owner_id: str) -> dict[str, Any]:
    """Create an object of an owner for each parameter of OWNED. Return their ids."""
    job = await create_job(browser, owner_id=owner_id)
    run_id = await run_to_the_end(browser, job["id"])
    channel = {"type": "webhook", "url": "https://example.org/hook"}
    rule = {"name": "told", "owner_id": owner_id, "on": ["failure"], "channel": channel}
    return {"job_id": job["id"], "run_id": run_id, "rule_id": (await browser.call("POST", "/alerts", rule))["id"]}


async def logged_in(app: FastAPI, browser: Browser) -> Browser:
    """Return the browser of another owner who may do everything but administrate."""
    key = await browser.call("POST", "/keys", {"owner_id": "ours", "scopes": ["read", "write", "run"]})
    other = Browser(app)
    await other.log_in(key["key"])
    return other


async def asked(browser: Browser, method: str, path: str) -> Any:
    return await (browser.open(path) if method == "GET" else browser.send(path, page="/ui/jobs"))
