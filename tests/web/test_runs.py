"""The pages of jobs and runs, with what can be done there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from testkit.waiting import eventually
from tests.storage.stored_runs import put
from tests.web.conftest import SHARED, Browser, create_job, run_to_the_end

from scheduler_service.bootstrap import Service
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.http.auth import API_KEY_CALLER
from scheduler_service.storage.tables import runs

pytestmark = SHARED


def shell(script: str) -> dict[str, Any]:
    return {"payload": {"type": "shell_script", "script": script}}


async def test_job_page_shows_the_code_and_no_value_of_a_variable(browser: Browser) -> None:
    job = await create_job(browser, env={"TOKEN": "hidden-value"}, **shell("echo <b>"))
    page = (await browser.open(f"/ui/jobs/{job['id']}")).text
    assert "echo &lt;b&gt;" in page
    assert "TOKEN" in page
    assert "hidden-value" not in page


async def test_run_page_shows_why_it_failed_and_its_log(browser: Browser) -> None:
    job = await create_job(browser, **shell("printf '\\033[31moops\\033[0m\\n'; exit 3"))
    run_id = await run_to_the_end(browser, job["id"])
    page = (await browser.open(f"/ui/runs/{run_id}")).text
    assert "Exit code 3" in page
    assert '<span class="c1">oops</span>' in page


async def test_run_page_shows_what_a_program_raised(browser: Browser) -> None:
    payload = {"type": "python_code", "code": "raise ValueError('no such region')"}
    job = await create_job(browser, payload=payload)
    run_id = await run_to_the_end(browser, job["id"])
    page = (await browser.open(f"/ui/runs/{run_id}")).text
    of_job = (await browser.open(f"/ui/jobs/{job['id']}")).text
    assert ("Run by hand" in of_job, "Attempts</th>" in of_job, "Worker</th>" in of_job) == (True, False, False)
    assert "ValueError: no such region</p>" in page.replace("&#39;", "'")
    assert "disabled>Previous run</button>" in page
    assert "disabled>Next run</button>" in page


async def test_hostile_log_is_shown_as_text(browser: Browser) -> None:
    job = await create_job(browser, **shell("printf '<script>alert(1)</script>\\033]8;;javascript:x\\007\\n'"))
    run_id = await run_to_the_end(browser, job["id"])
    page = (await browser.open(f"/ui/runs/{run_id}")).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "javascript:" not in page
    lines = (await browser.open(f"/ui/runs/{run_id}/lines?from=1")).json()
    assert lines["lines"] == [[1, 1, [["<script>alert(1)</script>", ""]]]]


async def test_tabs_of_a_job_lead_to_its_lists(browser: Browser) -> None:
    job = await create_job(browser, name="with tabs", owner_id="tabbed")
    other = await create_job(browser, name="other", owner_id="tabbed")
    channel = {"type": "webhook", "url": "https://example.org/hook"}
    for name, covered in (("of this", {"job_id": job["id"]}), ("of all", {}), ("of other", {"job_id": other["id"]})):
        await browser.call("POST", "/alerts", {"name": name, "on": ["failure"], "channel": channel, **covered})
    tabs = re.findall(r'<a href="([^"]+)"', (await browser.open(f"/ui/jobs/{job['id']}")).text.partition('"tabs"')[2])
    assert tabs[:5] == [
        f"/ui/jobs/{job['id']}", f"/ui/runs?job={job['id']}", f"/ui/jobs/{job['id']}/ledger",
        f"/ui/jobs/{job['id']}/versions", f"/ui/alerts?job={job['id']}",
    ]  # fmt: skip
    for path in tabs[:5]:
        page = await browser.open(path)
        assert f'<a href="{path}" aria-current="page"' in page.text, path
    assert ("of this" in page.text, "of all" in page.text, "of other" in page.text) == (True, True, False)


async def test_late_runs_are_a_list_of_their_own(app: FastAPI, browser: Browser) -> None:
    job = await create_job(browser, name="starts late")
    run_id = await run_to_the_end(browser, job["id"])
    async with app.state.service.versions._database.write() as connection:  # an ended run does not change
        found = await connection.execute(select(runs).where(runs.c.id == run_id))
        run = {name: value for name, value in found.mappings().one().items() if name != "id"}
        rows = [
            await connection.execute(runs.insert().values({**run, "lateness_seconds": seconds}).returning(runs.c.id))
            for seconds in (60.0, 59.9)
        ]
        late, in_time = (row.scalar_one() for row in rows)
    page = (await browser.open(f"/ui/runs?late=1&job={job['id']}")).text
    assert (f'id="run-{late}"' in page, f'id="run-{in_time}"' in page) == (True, False)
    assert "late=true" in page, "the command that does the same"
    assert 'href="/ui/runs?late=1" aria-current="page"' in (await browser.open("/ui/runs?late=1")).text
    asked = (await browser.open(f"/ui/runs/bulk?action=retry&all=1&late=1&job={job['id']}")).text
    assert 'name="late" value="1"' in asked
    assert f"Run {late}" in asked
    assert f"Run {in_time}" not in asked


async def test_log_is_left_out_for_scripts_that_follow_the_run(browser: Browser) -> None:
    job = await create_job(browser, **shell("seq 1 300"))
    run_id = await run_to_the_end(browser, job["id"])
    part = (await browser.open(f"/ui/runs/{run_id}", **{"HX-Request": "true"})).text
    assert ('id="head"' in part, part.count('id="L')) == (True, 0)


async def test_log_is_searched_and_downloaded(browser: Browser) -> None:
    job = await create_job(browser, **shell("seq 1 300; echo needle"))
    run_id = await run_to_the_end(browser, job["id"])
    found = (await browser.open(f"/ui/runs/{run_id}/search?q=NEEDLE")).json()
    assert found == {"matches": [[301, "needle"]], "next": None}
    answer = await browser.open(f"/ui/runs/{run_id}/log.txt")
    assert answer.text.endswith("300\nneedle\n")
    assert "attachment" in answer.headers["content-disposition"]


async def test_artifact_is_saved_and_a_picture_can_be_shown(browser: Browser) -> None:
    script = (
        'cd "$SCHEDULER_ARTIFACTS"; echo "<script>1</script>" > "a\'b.html"; printf "\\x89PNG\\r\\n\\x1a\\n" > p.png'
    )
    job = await create_job(browser, **shell(script))
    run_id = await run_to_the_end(browser, job["id"])
    assert "a&#39;b.html" in (await browser.open(f"/ui/runs/{run_id}")).text
    saved = await browser.open(f"/ui/runs/{run_id}/artifacts/a%27b.html?show=1")
    assert saved.headers["content-type"] == "application/octet-stream"
    assert saved.headers["content-disposition"].startswith("attachment")
    assert (await browser.open(f"/ui/runs/{run_id}/artifacts/p.png?show=1")).headers["content-type"] == "image/png"


async def test_runs_are_found_by_status_reason_and_job(browser: Browser) -> None:
    job = await create_job(browser, name="filtered", **shell("exit 7"))
    run_id = await run_to_the_end(browser, job["id"])
    found, other = f'id="run-{run_id}"', ("status=success", "reason=timeout", "trigger=schedule")
    for query in (
        f"job={job['id']}",
        "status=failed&status=missed",
        "reason=exit_code",
        "within=1h",
        "status=nonsense",
    ):
        assert found in (await browser.open(f"/ui/runs?{query}")).text, query
    for query in other:
        assert found not in (await browser.open(f"/ui/runs?{query}&job={job['id']}")).text, query


async def test_job_is_run_with_arguments(browser: Browser) -> None:
    job = await create_job(browser, **shell("echo args $SCHEDULER_ARGS"))
    dialog = (await browser.open(f"/ui/jobs/{job['id']}/run", **{"HX-Request": "true"})).text
    assert "<html" not in dialog
    answer = await browser.send(f"/ui/jobs/{job['id']}/run", {"args": '{"day": 3}'})
    match = re.fullmatch(r"/ui/runs/(\d+)", answer.url.path)
    assert match
    assert (await browser.call("GET", f"/runs/{match[1]}"))["args"] == {"day": 3}


@pytest.mark.parametrize("args", ["{", "[1]", '{"a": NaN}'])
async def test_wrong_arguments_are_shown_again_with_the_error(browser: Browser, args: str) -> None:
    job = await create_job(browser)
    answer = await browser.send(f"/ui/jobs/{job['id']}/run", {"args": args})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert args.replace('"', "&#34;") in answer.text


async def test_job_is_paused_and_the_pause_undone(browser: Browser) -> None:
    job = await create_job(browser)
    page = await browser.send(f"/ui/jobs/{job['id']}/pause", {"reason": "maintenance"})
    assert "maintenance" in page.text
    undo = f"/ui/jobs/{job['id']}/resume"
    assert f'action="{undo}"' in page.text
    await browser.send(undo)
    assert (await browser.call("GET", f"/jobs/{job['id']}"))["status"] == "active"


async def test_job_is_deleted_after_its_name_was_typed(browser: Browser) -> None:
    job = await create_job(browser, name="to be deleted")
    path = f"/ui/jobs/{job['id']}/delete"
    assert (await browser.send(path, {"name": "another"})).status_code == 422
    assert (await browser.send(path, {"name": "to be deleted"})).url.path == "/ui/jobs"
    assert (await browser.open(f"/ui/jobs/{job['id']}")).status_code == 404


async def test_waiting_run_is_cancelled_and_tried_again(browser: Browser) -> None:
    job = await create_job(browser, **shell("sleep 60"))
    run_id = (await browser.call("POST", f"/jobs/{job['id']}/run"))["id"]
    await browser.send(f"/ui/runs/{run_id}/cancel")

    async def is_cancelled() -> bool:
        return bool((await browser.call("GET", f"/runs/{run_id}"))["status"] == "cancelled")

    await eventually(is_cancelled)
    answer = await browser.send(f"/ui/runs/{run_id}/retry")
    new = int(answer.url.path.rpartition("/")[2])
    assert (await browser.call("GET", f"/runs/{new}"))["retry_of"] == run_id
    await browser.send(f"/ui/runs/{new}/cancel")


async def test_another_owners_pages_are_not_found(app: FastAPI, browser: Browser) -> None:
    job = await create_job(browser, owner_id="theirs")
    run_id = await run_to_the_end(browser, job["id"])
    key = await browser.call("POST", "/keys", {"owner_id": "ours", "scopes": ["read", "write", "run"]})
    other = Browser(app)
    await other.log_in(key["key"])
    jobs = ("", "/figures", "/delete", "/run", "/pause", "/edit", "/clone", "/versions", "/backfill")
    runs = ("", "/lines", "/search?q=a", "/log.txt", "/artifacts/a", "/cancel", "/previous", "/next", "/compare")
    others = (f"ledger?job={job['id']}", f"ledger/cell?job={job['id']}", f"simulate?job={job['id']}")
    for path in (
        *(f"/ui/jobs/{job['id']}{end}" for end in jobs),
        *(f"/ui/runs/{run_id}{end}" for end in runs),
        *(f"/ui/{path}" for path in (*others, f"jobs/test/{run_id}")),
    ):
        assert (await other.open(path)).status_code == 404, path
    changes = ("pause", "resume", "run", "delete", "edit", "clone", "backfill", "versions/1/restore")
    for path in (*(f"/ui/jobs/{job['id']}/{end}" for end in changes), f"/ui/runs/{run_id}/retry"):
        assert (await other.send(path)).status_code == 404, path
    checks = f"?job={job['id']}"
    assert (await other.send(f"/ui/jobs/check{checks}")).status_code == 404
    assert (await other.send(f"/ui/jobs/test{checks}")).status_code == 404


async def test_reader_sees_no_buttons_and_is_refused(app: FastAPI, browser: Browser) -> None:
    job = await create_job(browser, owner_id="readers")
    key = await browser.call("POST", "/keys", {"owner_id": "readers", "scopes": ["read"]})
    reader = Browser(app)
    await reader.log_in(key["key"])
    page = (await reader.open(f"/ui/jobs/{job['id']}")).text
    assert "Run now" not in page
    assert f'action="/ui/jobs/{job["id"]}/pause"' not in page
    for action in ("pause", "resume", "run"):
        assert (await reader.send(f"/ui/jobs/{job['id']}/{action}")).status_code == 403, action
    assert (await reader.send(f"/ui/jobs/{job['id']}/delete", {"name": "a job"})).status_code == 403


async def test_refused_pause_keeps_what_was_written(browser: Browser) -> None:
    job = await create_job(browser)
    for fields in ({"until": "2020-01-01T10:00"}, {"until": "tomorrow"}, {"until": "", "reason": "x" * 501}):
        answer = await browser.send(f"/ui/jobs/{job['id']}/pause", {"reason": "a holiday", **fields})
        assert answer.status_code == 422
        assert f'value="{fields["until"]}"' in answer.text
    await browser.send(f"/ui/jobs/{job['id']}/pause", {"until": "2098-01-01T10:00"})
    assert (await browser.call("GET", f"/jobs/{job['id']}"))["paused_until"] == "2098-01-01T10:00:00Z"


async def test_arguments_that_are_no_json_are_shown_again(browser: Browser) -> None:
    job = await create_job(browser)
    for written in ("{", "[" * 100_000):
        answer = await browser.send(f"/ui/jobs/{job['id']}/run", {"args": written})
        assert (answer.status_code, f">{written}</textarea>" in answer.text) == (422, True)


async def test_filters_that_have_no_control_stay_when_another_changes(browser: Browser) -> None:
    window = "since=2026-01-15T10:00:00Z&until=2026-01-15T11:00:00Z"
    page = _filters((await browser.open(f"/ui/runs?status=missed&status=skipped&{window}")).text)
    kept = re.findall(r'<input type="hidden" name="(status|since|until)" value="([^"]+)"', page)
    assert kept == [
        ("status", "missed"), ("status", "skipped"),
        ("since", "2026-01-15T10:00:00Z"), ("until", "2026-01-15T11:00:00Z"),
    ]  # fmt: skip
    one_status = _filters((await browser.open("/ui/runs?status=failed&within=24h")).text)
    assert 'name="status" value="failed"' not in one_status


def _filters(page: str) -> str:
    return page.partition('class="filters"')[2].partition("</form>")[0]


async def test_latest_arguments_are_offered_again(browser: Browser) -> None:
    job = await create_job(browser, **shell("true"))
    await run_to_the_end(browser, job["id"], args={"day": 3})
    page = (await browser.open(f"/ui/jobs/{job['id']}/run")).text
    offered = re.search(rf'href="(/ui/jobs/{job["id"]}/run\?args=[^"]+)"', page)
    assert offered
    assert "&#34;day&#34;: 3" in (await browser.open(offered[1])).text.partition("<textarea")[2].partition("<")[0]


async def test_figures_of_a_job_count_its_skipped_instants(app: FastAPI, browser: Browser) -> None:
    service: Service = app.state.service
    job = await service.jobs.get(API_KEY_CALLER, (await create_job(browser))["id"])
    for _ in range(3):
        await put(service.versions._database, job, RunStatus.SKIPPED, finished_at=datetime.now(UTC))
    page = (await browser.open(f"/ui/jobs/{job.id}/figures")).text
    assert page.count('<td class="number">3</td>') == 2


async def test_definition_of_a_request_has_the_labels_of_its_form(browser: Browser) -> None:
    expect = {"status": 200, "body_contains": "OK"}
    job = await create_job(browser, payload={"type": "http_request", "url": "https://example.com/", "expect": expect})
    page = (await browser.open(f"/ui/jobs/{job['id']}")).text
    assert re.search(r'>Body contains</dt><dd class="mono wrap">OK<', page)
    assert ">Request timeout, in seconds</dt>" in page
    assert "json_path" not in page


async def test_next_instants_have_seconds_only_if_one_does(browser: Browser) -> None:
    often = await create_job(browser, schedule_expr="*/15 * * * * *", timezone="Europe/Berlin")
    daily = await create_job(browser, schedule_expr="30 7 * * *", timezone="Europe/Berlin")
    for job, clock, how in ((often, r", \d\d:\d\d:\d\d</td>", "exact"), (daily, ", 07:30</td>", "day")):
        page = (await browser.open(f"/ui/jobs/{job['id']}")).text.partition('id="next"')[2].partition("</section>")[0]
        assert len(re.findall(clock, page)) == 10
        assert page.count(f'data-as="{how}"') == 10
        await browser.call("DELETE", f"/jobs/{job['id']}")


async def test_figures_of_a_job_count_its_runs(browser: Browser) -> None:
    job = await create_job(browser, **shell("exit 1"))
    await run_to_the_end(browser, job["id"])
    page = (await browser.open(f"/ui/jobs/{job['id']}/figures")).text
    assert page.count('<td class="number">1</td>') == 2
    assert page.count('<td class="number">0.0 %</td>') == 2
    part = (await browser.open(f"/ui/jobs/{job['id']}/figures", **{"HX-Request": "true"})).text
    assert "<html" not in part


async def test_follower_names_the_job_that_it_runs_after(browser: Browser) -> None:
    first = await create_job(browser, name="the upstream job")
    after = {"schedule_expr": None, "after": [{"job": first["id"], "on": "success"}]}
    follower = await create_job(browser, name="runs after it", **after)
    assert "After the upstream job" in (await browser.open("/ui/jobs?q=runs+after+it")).text
    page = (await browser.open(f"/ui/jobs/{follower['id']}")).text
    assert f'<a href="/ui/jobs/{first["id"]}">the upstream job</a>' in page
    assert "if it succeeds" in page
    assert "The job waits for an end of job the upstream job." in page


async def test_log_names_each_attempt_once(browser: Browser) -> None:
    retried = {"retry_policy": {"max_retries": 1, "retry_delay": 0.1}}
    job = await create_job(
        browser, **retried, **shell("[ $SCHEDULER_ATTEMPT = 2 ] || { printf tail; exit 1; }; echo two")
    )
    run_id = await run_to_the_end(browser, job["id"])
    page = (await browser.open(f"/ui/runs/{run_id}")).text
    assert '<li class="log-attempt" id="L2">Attempt 2</li>' in page
    assert "2 attempts</span>" in page
    assert " in the last attempt" in page
    assert "--- attempt 2 ---" not in page
    lines = (await browser.open(f"/ui/runs/{run_id}/lines")).json()["lines"]
    assert [(number, attempt) for number, attempt, _ in lines] == [(1, 1), (2, 2), (3, None)]
    assert lines[1][2] is None
