"""Changing many jobs at once, and jumping."""

from __future__ import annotations

from fastapi import FastAPI
from testkit.waiting import eventually
from tests.web.conftest import NEVER, SHARED, Browser, create_job, run_to_the_end

pytestmark = SHARED


async def test_selected_jobs_are_paused_together(browser: Browser) -> None:
    first, second = [(await create_job(browser))["id"] for _ in range(2)]
    page = (await browser.open(f"/ui/jobs/bulk?action=pause&ids={first}&ids={second}")).text
    assert "Pause 2 jobs?" in page
    fields = {"action": "pause", "ids": [first, second], "expected": "2"}
    assert "2 jobs were paused." in (await browser.send("/ui/jobs/bulk", fields)).text
    assert (await browser.call("GET", f"/jobs/{second}"))["status"] == "paused"


async def test_undo_resumes_only_jobs_that_were_paused_now(browser: Browser) -> None:
    already, first = [(await create_job(browser, tags=["undone"]))["id"] for _ in range(2)]
    await browser.call("POST", f"/jobs/{already}/pause")
    fields = {"action": "pause", "ids": [already, first], "expected": "2", "back": "?tag=undone"}
    page = await browser.send("/ui/jobs/bulk", fields)
    assert page.url.path == "/ui/jobs"
    assert page.url.params["tag"] == "undone"
    path = f"/ui/jobs/bulk/undo?action=resume&ids={first}&back=%3Ftag%3Dundone"
    assert path.replace("&", "&amp;") in page.text
    assert "1 job was resumed." in (await browser.send(path)).text
    statuses = [(await browser.call("GET", f"/jobs/{job_id}"))["status"] for job_id in (already, first)]
    assert statuses == ["paused", "active"]


async def test_selected_jobs_are_tagged_and_untagged(browser: Browser) -> None:
    job = await create_job(browser, tags=["old"])
    assert 'name="tags"' in (await browser.open(f"/ui/jobs/bulk?action=tag&ids={job['id']}")).text
    fields = {"action": "tag", "ids": job["id"], "expected": "1", "tags": "nightly, of finance"}
    assert "1 job was tagged." in (await browser.send("/ui/jobs/bulk", fields)).text
    assert (await browser.send("/ui/jobs/bulk", {**fields, "tags": " , "})).status_code == 422
    await browser.send("/ui/jobs/bulk", {**fields, "action": "untag", "tags": "old"})
    assert (await browser.call("GET", f"/jobs/{job['id']}"))["tags"] == ["nightly", "of finance"]


async def test_all_matching_jobs_are_meant_by_the_filter(browser: Browser) -> None:
    for _ in range(3):
        await create_job(browser, tags=["bulk"])
    page = (await browser.open("/ui/jobs/bulk?action=pause&all=1&tag=bulk")).text
    assert "Pause 3 jobs?" in page
    assert 'name="tag" value="bulk"' in page


async def test_all_matching_jobs_are_those_of_the_shown_list(browser: Browser) -> None:
    for expression in (NEVER, "* * * * *"):
        await create_job(browser, tags=["soon"], schedule_expr=expression)
    query = "tag=soon&due=1h"
    assert 'type="hidden" name="due" value="1h"' in (await browser.open(f"/ui/jobs?{query}")).text
    page = (await browser.open(f"/ui/jobs/bulk?action=pause&all=1&{query}")).text
    assert "Pause 1 job?" in page
    assert 'name="due" value="1h"' in page
    fields = {"action": "pause", "all": "1", "tag": "soon", "due": "1h", "expected": "1"}
    assert "1 job was paused." in (await browser.send("/ui/jobs/bulk", fields)).text


async def test_nothing_is_changed_if_the_number_has_changed(browser: Browser) -> None:
    job = await create_job(browser, tags=["counted"])
    await create_job(browser, tags=["counted"])
    fields = {"action": "pause", "all": "1", "tag": "counted", "expected": "1"}
    assert (await browser.send("/ui/jobs/bulk", fields)).status_code == 409
    assert (await browser.call("GET", f"/jobs/{job['id']}"))["status"] == "active"


async def test_deleting_needs_the_typed_number(browser: Browser) -> None:
    job = await create_job(browser)
    fields = {"action": "delete", "ids": job["id"], "expected": "1"}
    assert (await browser.send("/ui/jobs/bulk", {**fields, "typed": "2"})).status_code == 422
    await browser.send("/ui/jobs/bulk", {**fields, "typed": "1"})
    assert (await browser.open(f"/ui/jobs/{job['id']}")).status_code == 404


async def test_refused_jobs_are_named(browser: Browser) -> None:
    job = await create_job(browser)
    fields = {"action": "pause", "ids": [job["id"], 999_999], "expected": "2"}
    page = (await browser.send("/ui/jobs/bulk", fields)).text
    assert "1 was refused" in page
    assert "Job 999999" in page


async def test_malformed_bulk_requests_change_nothing(browser: Browser) -> None:
    for query in ("action=explode&ids=1", "action=pause", "action=pause&ids=x"):
        assert (await browser.open(f"/ui/jobs/bulk?{query}")).url.path == "/ui/jobs"


async def test_reader_changes_no_jobs(app: FastAPI, browser: Browser) -> None:
    job = await create_job(browser, owner_id="readers")
    key = await browser.call("POST", "/keys", {"owner_id": "readers", "scopes": ["read"]})
    reader = Browser(app)
    await reader.log_in(key["key"])
    assert 'id="bulk"' not in (await reader.open("/ui/jobs")).text
    assert (await reader.open(f"/ui/jobs/bulk?action=pause&ids={job['id']}")).status_code == 403
    fields = {"action": "pause", "ids": job["id"], "expected": "1"}
    assert (await reader.send("/ui/jobs/bulk", fields)).status_code == 403


async def test_jump_finds_jobs_runs_and_pages(browser: Browser) -> None:
    job = await create_job(browser, name="jumped <to>")
    run_id = (await browser.call("POST", f"/jobs/{job['id']}/run"))["id"]
    assert "jumped &lt;to&gt;" in (await browser.open("/ui/jump?q=jumped")).text
    assert f'href="/ui/runs/{run_id}"' in (await browser.open(f"/ui/jump?q={run_id}")).text
    assert 'href="/ui/audit"' in (await browser.open("/ui/jump?q=audit")).text


async def test_palette_acts_on_the_open_job(app: FastAPI, browser: Browser) -> None:
    job = await create_job(browser, name="opened", schedule_expr="@daily")
    path = f"/ui/jobs/{job['id']}"
    assert f'href="/ui/jump?job={job["id"]}"' in (await browser.open(path)).text
    page = (await browser.open(f"/ui/jump?job={job['id']}&q=opened")).text
    assert f'action="{path}/pause"' in page
    assert f'href="{path}/run" data-dialog' in page
    await browser.send(f"{path}/pause")
    assert f'action="{path}/resume"' in (await browser.open(f"/ui/jump?job={job['id']}&q=opened")).text
    assert f'action="{path}/' not in (await browser.open("/ui/jump?q=opened")).text, "no job is open"
    assert 'action="/ui/logout"' in (await browser.open("/ui/jump?q=log+out")).text.partition("jump-results")[2]
    key = await browser.call("POST", "/keys", {"scopes": ["read"], "owner_id": job["owner_id"] or "team"})
    reader = Browser(app)
    await reader.log_in(key["key"])
    page = (await reader.open(f"/ui/jump?job={job['id']}")).text.partition("jump-results")[2]
    assert "/ui/jobs/new" not in page
    assert f"{path}/pause" not in page


async def test_letters_can_be_switched_off(browser: Browser) -> None:
    assert "next or previous row" in (await browser.open("/ui/keyboard")).text
    assert 'data-keys="off"' in (await browser.send("/ui/keyboard")).text
    assert 'data-keys="off"' not in (await browser.send("/ui/keyboard")).text


async def test_workers_are_shown_with_their_slots(browser: Browser) -> None:
    async def shows_an_idle_worker() -> bool:  # its last heartbeat may have counted the runs of another test
        return "0 of 2 slots busy" in (await browser.open("/ui/workers")).text

    await eventually(shows_an_idle_worker)


async def test_runs_are_tried_again_together(browser: Browser) -> None:
    payload = {"type": "shell_script", "script": "exit 1"}
    job = await create_job(browser, payload=payload, overlap_policy="allow")
    ids = [await run_to_the_end(browser, job["id"]) for _ in range(2)]
    page = (await browser.open(f"/ui/runs/bulk?action=retry&all=1&job={job['id']}&status=failed")).text
    assert "Try 2 runs again?" in page
    assert f"Run {ids[0]}" in page
    fields = {"action": "retry", "all": "1", "job": job["id"], "status": "failed", "expected": "2"}
    wrong = await browser.send("/ui/runs/bulk", {**fields, "expected": "3"})
    assert wrong.status_code == 409
    assert "2 runs are tried again." in (await browser.send("/ui/runs/bulk", fields)).text
    found = (await browser.call("GET", f"/jobs/{job['id']}/runs?trigger=retry"))["runs"]
    assert {run["retry_of"] for run in found} == set(ids)


async def test_refused_runs_are_named(browser: Browser) -> None:
    job = await create_job(browser)
    run_id = await run_to_the_end(browser, job["id"])
    page = (await browser.send("/ui/runs/bulk", {"action": "cancel", "ids": run_id, "expected": "1"})).text
    assert f'href="/ui/runs/{run_id}"' in page
    assert "has ended" in page


async def test_malformed_bulk_requests_for_runs_change_nothing(browser: Browser) -> None:
    for query in ("action=explode&ids=1", "action=cancel", "action=retry&ids=x"):
        assert (await browser.open(f"/ui/runs/bulk?{query}")).url.path == "/ui/runs"


async def test_reader_changes_no_runs(app: FastAPI, browser: Browser) -> None:
    key = await browser.call("POST", "/keys", {"owner_id": "readers", "scopes": ["read"]})
    reader = Browser(app)
    await reader.log_in(key["key"])
    assert (await reader.open("/ui/runs/bulk?action=cancel&ids=1")).status_code == 403
    assert (await reader.send("/ui/runs/bulk", {"action": "cancel", "ids": 1, "expected": "1"})).status_code == 403
