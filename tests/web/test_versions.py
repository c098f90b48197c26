"""The versions of a job in the browser."""

from __future__ import annotations

from fastapi import FastAPI
from sqlalchemy import event
from tests.web.conftest import SHARED, Browser, create_job

pytestmark = SHARED


async def test_versions_show_their_changes_and_can_be_restored(browser: Browser) -> None:
    job = await create_job(browser, name="first name", env={"TOKEN": "do-not-show"})
    await browser.call("PATCH", f"/jobs/{job['id']}", {"name": "second name", "env": {"TOKEN": "other-secret"}})
    path = f"/ui/jobs/{job['id']}/versions"
    page = (await browser.open(path)).text
    assert "<del>first name</del><ins>second name</ins>" in page
    assert "do-not-show" not in page
    assert "other-secret" not in page
    restored = await browser.send(f"{path}/1/restore", page=path)
    assert "Version 1 was restored as version 3." in restored.text
    assert (await browser.call("GET", f"/jobs/{job['id']}"))["name"] == "first name"


async def test_pauses_between_edits_are_one_group(browser: Browser) -> None:
    job = await create_job(browser)
    for _ in range(2):
        await browser.call("POST", f"/jobs/{job['id']}/pause")
        await browser.call("POST", f"/jobs/{job['id']}/resume")
    await browser.call("PATCH", f"/jobs/{job['id']}", {"priority": 9})
    page = (await browser.open(f"/ui/jobs/{job['id']}/versions")).text
    assert "Versions 2 to 5: only paused and resumed" in page
    places = [page.index(part) for part in ('id="v6"', '<details class="card pausing"', 'id="v5"', 'id="v1"')]
    assert places == sorted(places)


async def test_tab_of_a_job_leads_to_its_ledger(browser: Browser) -> None:
    job = await create_job(browser, name="in the ledger")
    answer = await browser.open(f"/ui/jobs/{job['id']}/ledger")
    assert answer.status_code == 200
    assert "Ledger: in the ledger" in answer.text


async def test_page_of_versions_costs_the_same_for_many(app: FastAPI, browser: Browser) -> None:
    job = await create_job(browser, name="0")
    path = f"/ui/jobs/{job['id']}/versions"
    counts = []
    for number in range(1, 6):
        await browser.call("PATCH", f"/jobs/{job['id']}", {"name": str(number)})
        counts.append(await _count_queries(app, browser, path))
    assert counts[-1] == counts[0]
    assert (await browser.open(path)).text.count(">Name</dt>") == 5


async def _count_queries(app: FastAPI, browser: Browser, path: str) -> int:
    queries: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        queries.extend([statement] if "job_versions" in statement else [])

    engine = app.state.service.versions._database._reader.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    await browser.open(path)
    event.remove(engine, "before_cursor_execute", note)
    return len(queries)


async def test_restoring_asks_and_shows_what_changes(browser: Browser) -> None:
    job = await create_job(browser, name="asked first")
    await browser.call("PATCH", f"/jobs/{job['id']}", {"name": "asked second"})
    path = f"/ui/jobs/{job['id']}/versions"
    assert "<del>asked second</del><ins>asked first</ins>" in (await browser.open(f"{path}/1/restore")).text
    assert (await browser.call("GET", f"/jobs/{job['id']}"))["name"] == "asked second"
    await browser.send(f"{path}/1/restore", page=path)
    assert "already defined like this version" in (await browser.open(f"{path}/1/restore")).text
    page = (await browser.open(path)).text
    assert [word in page for word in ("Restored from 1", "Edited", "Created", "patchJob")] == [True, True, True, False]


async def test_definition_of_each_version_is_shown(browser: Browser) -> None:
    payload = {"type": "shell_script", "script": "echo one\necho two"}
    job = await create_job(browser, payload=payload, env={"TOKEN": "do-not-show"})
    await browser.call("PATCH", f"/jobs/{job['id']}", {"payload": {**payload, "script": "echo three"}})
    path = f"/ui/jobs/{job['id']}/versions"
    page = (await browser.open(f"{path}/1")).text
    assert "echo one\necho two" in page
    assert "do-not-show" not in page
    assert (await browser.open(f"{path}/7")).status_code == 404
