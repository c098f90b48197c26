"""The sample jobs: created by one click, at work at once, and removed by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from testkit.waiting import eventually
from tests.web.conftest import SHARED, Browser, create_job, serving

pytestmark = SHARED


async def jobs_of(browser: Browser) -> dict[str, dict[str, Any]]:
    listed = (await browser.call("GET", "/jobs?tag=sample"))["jobs"]
    return {job["external_key"].removeprefix("sample-"): job for job in listed}


async def test_samples_are_created_once_run_and_removed(browser: Browser) -> None:
    for _ in range(2):
        assert (await browser.send("/ui/samples")).status_code == 200
    jobs = await jobs_of(browser)
    assert sorted(jobs) == ["backup", "check", "load", "report"]
    assert [rule["job_id"] for rule in (await browser.call("GET", "/alerts"))["alerts"]] == [jobs["check"]["id"]]

    async def loaded() -> dict[str, Any] | None:
        runs = (await browser.call("GET", f"/jobs/{jobs['load']['id']}/runs"))["runs"]
        return next((run for run in runs if run["finished_at"]), None)

    run = await eventually(loaded)
    assert (run["status"], run["trigger"]) == ("success", "dependency")
    assert "the report before this run has the mean" in run["logs"]
    (report,) = (await browser.call("GET", f"/jobs/{jobs['report']['id']}/runs"))["runs"][-1:]
    (plot,) = (await browser.call("GET", f"/runs/{report['id']}/artifacts"))["artifacts"]
    assert plot["name"] == "walk.svg"

    backup = await browser.call("POST", f"/jobs/{jobs['backup']['id']}/run")

    async def packed() -> str | None:
        found = await browser.call("GET", f"/runs/{backup['id']}")
        return found["status"] if found["finished_at"] else None

    assert await eventually(packed) == "success"
    assert "Remove the samples" in (await browser.open("/ui/jobs")).text
    asked = (await browser.open("/ui/samples/remove")).text
    assert all(job["name"] in asked for job in jobs.values())
    await browser.send("/ui/samples/remove")
    assert "Create 4 sample jobs" in (await browser.open("/ui/jobs")).text
    assert await jobs_of(browser) == {}
    assert (await browser.call("GET", "/alerts"))["alerts"] == []


async def test_samples_are_created_where_no_job_may_use_the_network(shared_database_url: str, tmp_path: Path) -> None:
    async with serving(shared_database_url, tmp_path, allow_network=False) as app:
        browser = Browser(app)
        await browser.log_in()
        answer = await browser.send("/ui/samples")
        assert answer.status_code == 200
        assert "SCHEDULER_ALLOW_NETWORK" in answer.text
        assert sorted(await jobs_of(browser)) == ["backup", "load", "report"]
        await browser.send("/ui/samples/remove")


async def test_page_of_a_new_job_offers_the_samples(browser: Browser) -> None:
    job = await create_job(browser)
    assert 'action="/ui/samples"' in (await browser.open("/ui/jobs/new")).text
    assert 'action="/ui/samples"' not in (await browser.open(f"/ui/jobs/{job['id']}/edit")).text


async def test_palette_offers_the_samples(browser: Browser) -> None:
    assert "Create 4 sample jobs" in (await browser.open("/ui/jump?q=sample")).text
