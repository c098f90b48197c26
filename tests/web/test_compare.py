"""Comparing two runs of a job."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from tests.web.conftest import SHARED, Browser, create_job, run_to_the_end

pytestmark = SHARED


def shell(script: str) -> dict[str, Any]:
    return {"payload": {"type": "shell_script", "script": script}}


async def test_runs_differ_in_figures_definition_and_log(browser: Browser) -> None:
    job = await create_job(browser, **shell("seq 1 20; echo good"))
    first = await run_to_the_end(browser, job["id"])
    await browser.call("PATCH", f"/jobs/{job['id']}", shell("seq 1 20; echo '<b>bad'; exit 3"))
    second = await run_to_the_end(browser, job["id"])
    page = (await browser.open(f"/ui/runs/{second}/compare")).text
    assert f'href="/ui/runs/{first}"' in page
    assert '<th scope="row">Exit code</th><td>0</td><td>3</td>' in page
    assert '<dt title="payload.script">Script</dt>' in page
    assert "17 equal lines" in page
    assert 'class="removed"' in page
    assert "<code>&lt;b&gt;bad</code>" in page


async def test_last_good_run_is_compared_beyond_failed_ones(browser: Browser) -> None:
    job = await create_job(browser, **shell('[ -n "$GOOD" ]'))
    good = await run_to_the_end(browser, job["id"], env={"GOOD": "1"})
    await run_to_the_end(browser, job["id"])
    last = await run_to_the_end(browser, job["id"])
    page = (await browser.open(f"/ui/runs/{last}/compare?with=good")).text
    assert f"With the last good run, {good}</a>" in page
    assert "Both ran the same version" in page
    assert "Both wrote the same" in page


async def test_two_selected_runs_are_compared(browser: Browser) -> None:
    job = await create_job(browser, **shell("true"))
    older, newer = [await run_to_the_end(browser, job["id"]) for _ in range(2)]
    answer = await browser.client.get(f"/ui/runs/bulk?action=compare&ids={newer}&ids={older}")
    assert answer.headers["location"] == f"/ui/runs/{newer}/compare?with={older}"
    page = (await browser.open(f"/ui/runs/bulk?action=compare&ids={newer}")).text
    assert "Select two runs of one job to compare them." in page


async def test_first_run_has_nothing_to_compare_with(browser: Browser) -> None:
    job = await create_job(browser, **shell("true"))
    run_id = await run_to_the_end(browser, job["id"])
    assert "Nothing to compare with" in (await browser.open(f"/ui/runs/{run_id}/compare")).text
    assert "first run of its job" in (await browser.open(f"/ui/runs/{run_id}/previous")).text


async def test_run_of_another_job_or_owner_is_not_compared(app: FastAPI, browser: Browser) -> None:
    runs = [await run_to_the_end(browser, (await create_job(browser, owner_id=name))["id"]) for name in ("a", "b")]
    assert (await browser.open(f"/ui/runs/{runs[0]}/compare?with={runs[1]}")).status_code == 404
    key = await browser.call("POST", "/keys", {"owner_id": "a", "scopes": ["read"]})
    reader = Browser(app)
    await reader.log_in(key["key"])
    assert (await reader.open(f"/ui/runs/{runs[1]}/compare")).status_code == 404
