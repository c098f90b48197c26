"""Backfills from the browser, and what helps where an instant became no run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fastapi import FastAPI
from testkit.waiting import eventually
from tests.web.conftest import SHARED, Browser, create_job

pytestmark = SHARED


def window(hours: int = 3) -> dict[str, str]:
    end = datetime.now(UTC).replace(minute=30, second=0, microsecond=0) - timedelta(hours=1)
    return {"from": (end - timedelta(hours=hours)).isoformat(), "to": end.isoformat(), "only": "missed"}


async def test_instants_are_shown_before_they_are_run(browser: Browser) -> None:
    job = await create_job(browser, schedule_expr="@hourly", enabled=False)
    path = f"/ui/jobs/{job['id']}/backfill"
    page = await browser.client.get(path, params=window())
    assert "3 instants would be run" in page.text
    answer = await browser.send(path, {**window(), "expected": "3"})
    assert answer.url.path == "/ui/runs"
    assert "3 runs were queued" in answer.text
    assert (await browser.call("GET", f"/jobs/{job['id']}/runs"))["total"] == 3


async def test_nothing_is_run_if_other_instants_were_shown(browser: Browser) -> None:
    job = await create_job(browser, schedule_expr="@hourly", enabled=False)
    page = await browser.send(f"/ui/jobs/{job['id']}/backfill", {**window(), "expected": "2"})
    assert "Nothing was queued" in page.text
    assert (await browser.call("GET", f"/jobs/{job['id']}/runs"))["total"] == 0


async def test_wrong_window_is_shown_again_with_the_fault(browser: Browser) -> None:
    job = await create_job(browser, schedule_expr="@hourly")
    for query in ("from=yesterday", "to=2099-01-01T00:00:00Z", "only=some"):
        answer = await browser.open(f"/ui/jobs/{job['id']}/backfill?{query}")
        assert answer.status_code == 422, query
        assert 'role="alert"' in answer.text


async def test_job_without_a_schedule_has_no_fault(browser: Browser) -> None:
    job = await create_job(browser, schedule_expr=None)
    why = (await browser.open(f"/ui/jobs/{job['id']}")).text.partition('id="why"')[2].partition("</ul>")[0]
    assert "it runs when it is asked to" in why
    assert "give it a schedule_expr" not in why
    assert 'class="bad"' not in why.partition("No worker")[0]


async def test_skipped_instant_names_its_cause_and_what_helps(browser: Browser) -> None:
    payload = {"type": "shell_script", "script": "sleep 60"}
    job = await create_job(browser, schedule_expr="1s", payload=payload)

    async def skipped() -> int | None:
        rows = (await browser.call("GET", f"/runs?job_id={job['id']}&status=skipped"))["runs"]
        return rows[0]["id"] if rows else None

    run_id = await eventually(skipped)
    await browser.call("POST", f"/jobs/{job['id']}/pause")
    page = (await browser.open(f"/ui/runs/{run_id}")).text
    assert "Did not run at" in page
    assert page.count("button primary") + page.count("small primary") == 1
    assert 'id="log"' not in page
    assert "The run that kept the job busy" in page
    assert f'href="/ui/jobs/{job["id"]}/edit#f-overlap_policy"' in page
    assert f"/ui/jobs/{job['id']}/backfill?from=" in page
    why = (await browser.open(f"/ui/jobs/{job['id']}")).text
    assert "Newest instants that became no run" in why
    assert "Active runs" in why
    for run in (await browser.call("GET", f"/runs?job_id={job['id']}&status=running"))["runs"]:
        await browser.call("POST", f"/runs/{run['id']}/cancel")


async def test_reader_backfills_nothing(app: FastAPI, browser: Browser) -> None:
    job = await create_job(browser, schedule_expr="@hourly", owner_id="readers")
    key = await browser.call("POST", "/keys", {"owner_id": "readers", "scopes": ["read"]})
    reader = Browser(app)
    await reader.log_in(key["key"])
    assert (await reader.open(f"/ui/jobs/{job['id']}/backfill")).status_code == 403
    assert (await reader.send(f"/ui/jobs/{job['id']}/backfill", window())).status_code == 403
