"""The ledger, its cells and lanes, and simulations in the browser."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from testkit.waiting import eventually
from tests.storage.stored_runs import put
from tests.web.conftest import SHARED, Browser, create_job

from scheduler_service.bootstrap import Service
from scheduler_service.domain.run_state import RunStatus, Trigger
from scheduler_service.http.auth import API_KEY_CALLER

pytestmark = SHARED


async def run_once(browser: Browser, **changes: object) -> tuple[int, int]:
    """Create a job that fires once, and return both ids after the end of its run."""
    job = await create_job(browser, schedule_expr="1s", max_runs=1, **changes)

    async def ended() -> int | None:
        runs = (await browser.call("GET", f"/jobs/{job['id']}/runs"))["runs"]
        return next((run["id"] for run in runs if run["finished_at"]), None)

    return job["id"], await eventually(ended)


async def test_ledger_of_a_job_counts_and_links_its_instants(browser: Browser) -> None:
    job_id, _ = await run_once(browser, name="counted")
    page = (await browser.open(f"/ui/ledger?job={job_id}&zone=Europe/Berlin")).text
    assert "counted" in page
    assert re.search(r"<strong>1</strong> owed = <strong class=\"good\">1</strong> served", page)
    assert "data-cell" in page
    assert 'aria-current="true">Instants' in page, "the few instants of a job are shown one by one"
    by_hours = (await browser.open(f"/ui/ledger?job={job_id}&zone=Europe/Berlin&by=hours")).text
    assert by_hours.count("data-cell") == 8 * 24
    by_days = (await browser.open(f"/ui/ledger?job={job_id}&zone=Europe/Berlin&by=days")).text
    assert by_days.count("data-cell") == 8


async def test_many_planned_instants_hide_no_row(app: FastAPI, browser: Browser) -> None:
    service: Service = app.state.service
    job = await service.jobs.get(API_KEY_CALLER, (await create_job(browser, schedule_expr="30s"))["id"])
    past = {"scheduled_for": datetime.now(UTC) - timedelta(minutes=1), "trigger": Trigger.SCHEDULE}
    await put(service.versions._database, job, RunStatus.SUCCESS, **past)
    page = (await browser.open(f"/ui/ledger?job={job.id}&by=instants")).text
    assert re.search(r'aria-label="[^"]*: 1 success"', page)
    assert page.count("data-cell") <= 400
    assert "Only the 400 instants nearest to now are drawn." in page
    assert re.search(r"\d jobs? ha(s|ve) a next instant", (await browser.open("/ui/ledger")).text), "not all planned"


async def test_page_of_a_job_loads_its_ledger(browser: Browser) -> None:
    job = await create_job(browser, name="with a ledger")
    page = (await browser.open(f"/ui/jobs/{job['id']}")).text
    assert f'id="map" hx-get="/ui/ledger?job={job["id"]}" hx-select="#map"' in page
    part = (await browser.client.get(f"/ui/ledger?job={job['id']}", headers={"HX-Request": "true"})).text
    assert 'id="map"' in part
    assert f'href="/ui/ledger?job={job["id"]}&amp;by=days"' in part, "the links lead to the ledger from any page"


async def test_ledger_of_all_jobs_shows_instants_of_an_hour_only(browser: Browser) -> None:
    _, run_id = await run_once(browser, name="of this hour")
    page = (await browser.open("/ui/ledger?window=1h&zone=UTC")).text
    assert 'aria-current="true">Instants' in page
    assert re.search(r'aria-label="[^"]*UTC, of this hour: 1 success"', page)
    assert f'href="/ui/runs/{run_id}"' in page
    refused = (await browser.open("/ui/ledger?by=instants")).text
    assert "Instants of all jobs are shown for an hour at a time." in refused
    assert 'aria-current="true">Hours' in refused
    assert 'aria-current="true">Days' in (await browser.open("/ui/ledger?window=30d")).text
    paused = await create_job(browser, name="paused", schedule_expr="@hourly")
    await browser.call("POST", f"/jobs/{paused['id']}/pause")
    page = (await browser.open(f"/ui/ledger?job={paused['id']}&by=instants")).text
    assert "cell-hatched" in page
    assert page.count("nothing owed: paused or without a schedule") >= 2, "in the map and in the table"


async def test_cell_says_what_is_planned_and_when_nothing_was_owed(browser: Browser) -> None:
    job = await create_job(browser, name="yearly", schedule_expr="0 0 1 1 *", timezone="Asia/Tokyo")
    path = f"/ui/ledger/cell?at=2030-12-31T15:00:00Z&to=2030-12-31T15:00:00Z&zone=Asia/Tokyo&job={job['id']}"
    page = (await browser.open(path)).text
    assert "Planned" in page
    assert re.search(r"00:00:00 JST</span> <span class=\"muted nowrap\">\(15:00:00 UTC\)", page)
    assert f"/ui/jobs/{job['id']}#why" in page
    await browser.call("POST", f"/jobs/{job['id']}/pause")
    assert "Nothing was owed" in (await browser.open(path)).text


async def test_cell_lists_its_rows(browser: Browser) -> None:
    job_id, run_id = await run_once(browser, name="listed")
    hour = datetime.now(UTC).strftime("%Y-%m-%dT%H:00:00Z")
    page = (await browser.open(f"/ui/ledger/cell?at={hour}&job={job_id}")).text
    assert f"/ui/runs/{run_id}" in page
    before = (await browser.open(f"/ui/ledger/cell?at=2026-01-01T00:00:00Z&job={job_id}")).text
    assert "Nothing was owed" in before


async def test_cell_is_a_dialog_for_scripts(browser: Browser) -> None:
    headers = {"HX-Request": "true"}
    part = (await browser.client.get("/ui/ledger/cell?at=2026-01-01T00:00:00Z&zone=Asia/Tokyo", headers=headers)).text
    assert '<h2 id="dialog-title">Thu 01 Jan, 09:00 JST</h2>' in part
    assert "No instant" in part
    assert "<html" not in part


async def test_cell_shows_missed_instants_of_a_row_before_it(app: FastAPI, browser: Browser) -> None:
    service: Service = app.state.service
    job = await service.jobs.get(API_KEY_CALLER, (await create_job(browser, name="missed"))["id"])
    at = datetime(2026, 1, 15, 10, tzinfo=UTC)
    covered = {"scheduled_for": at, "missed_until": at + timedelta(hours=3), "missed_count": 4}
    await put(service.versions._database, job, RunStatus.MISSED, trigger=Trigger.SCHEDULE, **covered)
    page = (await browser.open(f"/ui/ledger/cell?at=2026-01-15T12:00:00Z&job={job.id}")).text
    assert re.search("15 Jan 10:00:00 . 13:00:00 UTC</span> . 4", page)
    assert "backfill?from=2026-01-15T10:00:00Z&amp;to=2026-01-15T13:00:00Z" in page
    assert "10:00:00" not in (await browser.open(f"/ui/ledger/cell?at=2026-01-15T14:00:00Z&job={job.id}")).text


async def test_cell_has_the_owner_of_its_map(browser: Browser) -> None:
    await run_once(browser, name="of somebody", owner_id="somebody")
    page = (await browser.open("/ui/ledger?owner=nobody")).text
    assert "&amp;owner=nobody" in page
    hour = datetime.now(UTC).strftime("%Y-%m-%dT%H:00:00Z")
    assert "of somebody" in (await browser.open(f"/ui/ledger/cell?at={hour}&owner=somebody")).text
    assert "of somebody" not in (await browser.open(f"/ui/ledger/cell?at={hour}&owner=nobody")).text


async def test_unknown_zone_and_window_count_as_the_default(browser: Browser) -> None:
    page = (await browser.open("/ui/ledger?zone=Mars/X&window=99")).text
    assert 'value="UTC"' in page
    assert "“Mars/X” is no time zone that is known" in page
    assert '<option value="7d" selected>' in page


async def test_place_in_the_ledger_means_its_zone(browser: Browser) -> None:
    page = (await browser.open("/ui/ledger?zone=berlin")).text
    assert 'value="Europe/Berlin"' in page
    assert "“berlin” is read as Europe/Berlin." in page


async def test_start_page_draws_the_week_in_the_zone_of_the_browser(browser: Browser) -> None:
    await run_once(browser, name="of this week")
    hour = datetime.now(UTC).strftime("%Y-%m-%dT%H:00:00Z")
    assert f'href="/ui/ledger/cell?at={hour}&amp;zone=UTC"' in (await browser.open("/ui/")).text
    browser.client.cookies.set("scheduler_zone", "Asia/Tokyo", path="/ui")
    page = (await browser.open("/ui/")).text
    assert f'href="/ui/ledger/cell?at={hour}&amp;zone=Asia/Tokyo"' in page
    assert datetime.now(ZoneInfo("Asia/Tokyo")).strftime("%H:00 JST: ") in page


async def test_start_page_marks_crowded_minutes_and_links_their_jobs(browser: Browser) -> None:
    at = (datetime.now(UTC) + timedelta(minutes=20)).replace(second=30, microsecond=0)
    for number in range(3):
        await create_job(browser, name=f"crowd {number}", schedule_expr=at.isoformat())
    page = (await browser.open("/ui/")).text
    assert "crowded" in page
    begin = at.replace(second=0)
    due = f"{begin:%Y-%m-%dT%H:%M:%SZ}/{begin + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    assert f'href="/ui/jobs?due={due}&amp;sort=next_run_at">3 jobs<' in page
    jobs = (await browser.open(f"/ui/jobs?due={due}&sort=next_run_at")).text
    assert [f"crowd {number}" in jobs for number in range(3)] == [True] * 3
    assert "yearly" not in jobs
    assert f'value="{due}" selected' in jobs
    assert "due_since=" in jobs, "the command for the API has the same filter"
    bulk = (await browser.open(f"/ui/jobs/bulk?action=pause&all=1&due={due}")).text
    assert "3 jobs" in bulk


async def test_lanes_show_runs_of_the_last_hours(browser: Browser) -> None:
    job_id, run_id = await run_once(browser, name="in a lane")
    for query in ("hours=3", f"hours=1&job={job_id}"):
        page = (await browser.open(f"/ui/ledger/lanes?{query}")).text
        assert "in a lane" in page
        assert f"/ui/runs/{run_id}" in page
    assert "of somebody" not in page


async def test_simulation_puts_what_if_beside_what_is(browser: Browser) -> None:
    job = await create_job(browser, name="simulated", schedule_expr="*/10 * * * *")
    window = f"/ui/simulate?job={job['id']}&from=2026-01-15T10:00:00Z&to=2026-01-15T12:00:00Z&run_seconds=900"
    alone = (await browser.open(window)).text
    assert (alone.count('class="track"'), "What if</h2>" in alone) == (1, True)
    both = (await browser.open(window + "&overlap_policy=allow")).text
    assert both.count('class="track"') == 2
    assert 'class="ring"' in both
    outage = (await browser.open(window + "&outages=2026-01-15T10:25:00Z 2026-01-15T11:05:00Z")).text
    assert "No dispatcher fired it in time" in outage


async def test_simulation_tells_where_it_is_cut_and_what_ran_late(browser: Browser) -> None:
    job = await create_job(browser, name="queue", schedule_expr="30s", overlap_policy="queue")
    window = f"/ui/simulate?job={job['id']}&from=2026-01-15T00:00:00Z&to=2026-01-16T00:00:00Z&run_seconds=45"
    page = (await browser.open(window)).text
    assert "The simulation ends after 2,000 rows" in page
    assert "Ran late <strong>1,999</strong>" in page
    assert 'for="s-overlap_policy">If it is still running at the next instant<' in page
    refused = (await browser.open(window + "&schedule_expr=often")).text
    assert "Schedule: " in refused


async def test_simulation_proposes_the_median_duration(browser: Browser) -> None:
    job_id, _ = await run_once(browser, name="measured")
    page = (await browser.open(f"/ui/simulate?job={job_id}")).text
    assert "the median" in page
    assert 'name="run_seconds" value="60"' not in page


async def test_unsaved_definition_is_simulated_without_its_values(browser: Browser) -> None:
    job = await create_job(browser, name="stored", schedule_expr="*/10 * * * *", env={"TOKEN": "hidden-value"})
    assert f'formaction="/ui/simulate?job={job["id"]}"' in (await browser.open(f"/ui/jobs/{job['id']}/edit")).text
    fields = {"/name": "drafted", "/payload/type": "shell_script", "/payload/script": "true", "/env": "TOKEN=***"}
    answer = await browser.send(f"/ui/simulate?job={job['id']}", {**fields, "/schedule_expr": "*/30 * * * *"})
    assert answer.status_code == 200
    assert "drafted" in answer.text
    assert "hidden-value" not in answer.text
    definition = html.unescape(re.findall(r'name="definition" value="([^"]*)"', answer.text)[0])
    window = {"from": "2026-01-15T10:00:00Z", "to": "2026-01-15T12:00:00Z", "run_seconds": "60"}
    page = (await browser.send("/ui/simulate", {"definition": definition, **window})).text
    assert re.findall(r"<strong>(\d+)</strong>", page) == ["4"], "an instant each half hour"
    page = (await browser.send("/ui/simulate", {"definition": definition, "schedule_expr": "@hourly", **window})).text
    assert re.findall(r"<strong>(\d+)</strong>", page) == ["4", "2"]
    assert (await browser.send("/ui/simulate", {"definition": "[1"})).status_code == 422
    assert (await browser.call("GET", f"/jobs/{job['id']}"))["name"] == "stored"


async def test_fault_of_a_simulation_is_told(browser: Browser) -> None:
    job = await create_job(browser, schedule_expr="*/10 * * * *")
    for query in ("from=yesterday", "run_seconds=long", "overlap_policy=perhaps"):
        answer = await browser.open(f"/ui/simulate?job={job['id']}&{query}")
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text


async def test_simulation_begins_with_the_choice_of_a_job(browser: Browser) -> None:
    job = await create_job(browser, name="to be chosen", schedule_expr="*/10 * * * *")
    link = f'href="/ui/simulate?job={job["id"]}">to be chosen<'
    assert link in (await browser.open("/ui/simulate")).text
    assert link in (await browser.open("/ui/simulate?q=be+chosen")).text
    assert "Nothing matches" in (await browser.open("/ui/simulate?q=no+such+job")).text
