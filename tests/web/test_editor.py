"""The job editor: what its form makes, what is wrong with it, and two changes at once."""

from __future__ import annotations

import re
from typing import Any

from tests.web.conftest import NEVER, SHARED, Browser, create_job

from scheduler_service.web.labels import label_of

pytestmark = SHARED

SHELL: dict[str, Any] = {
    "/name": "written here",
    "/payload/type": "shell_script",
    "/payload/script": "echo hi",
    "/schedule_expr": NEVER,
    "/enabled": "on",
}


def faults_in(page: str) -> dict[str, str]:
    """Return the message of each fault that is named beside its control."""
    found = re.findall(r'<p class="error" id="f-([^"]+)-error" data-error>([^<]+)</p>', page)
    return dict(found)


async def saved(browser: Browser, path: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Send a form that is accepted, and return the job."""
    answer = await browser.send(path, fields, page=path, follow=False)
    assert answer.status_code == 303, answer.text
    job: dict[str, Any] = await browser.call("GET", "/jobs/" + answer.headers["location"].rpartition("/")[2])
    return job


async def test_form_creates_the_job_that_it_describes(browser: Browser) -> None:
    more = {
        "/tags": "night, ops",
        "/env": "LEVEL=debug\nEMPTY=",
        "/args": '{"day": 1}',
        "/retry_policy/max_retries": "2",
        "/limits/memory_mb": "128",
        "/limits/network": "on",
        "/timezone": "Europe/Berlin",
        "/overlap_policy": "queue",
    }
    job = await saved(browser, "/ui/jobs/new", SHELL | more)
    assert job["payload"] == {"type": "shell_script", "script": "echo hi"}
    assert (job["tags"], job["env"], job["args"]) == (["night", "ops"], {"LEVEL": "debug", "EMPTY": ""}, {"day": 1})
    assert (job["retry_policy"]["max_retries"], job["limits"]["memory_mb"], job["limits"]["network"]) == (2, 128, True)
    assert (job["timezone"], job["overlap_policy"], job["status"]) == ("Europe/Berlin", "queue", "active")


async def test_form_says_where_grants_come_from_if_there_are_none(browser: Browser) -> None:
    assert '<a href="/ui/grants">How a grant is added</a>' in (await browser.open("/ui/jobs/new")).text


async def test_editor_of_a_job_loads_what_it_does_at_once(browser: Browser) -> None:
    job = await create_job(browser, name="previewed at once")
    assert 'hx-trigger="load, input' in (await browser.open(f"/ui/jobs/{job['id']}/edit")).text
    assert 'hx-trigger="input' in (await browser.open("/ui/jobs/new")).text


async def test_place_is_read_as_its_zone(browser: Browser) -> None:
    written = SHELL | {"/timezone": "new york"}
    assert "new york is read as America/New_York." in (await browser.send("/ui/jobs/check", written)).text
    assert (await saved(browser, "/ui/jobs/new", written))["timezone"] == "America/New_York"


async def test_job_on_demand_has_no_schedule(browser: Browser) -> None:
    upstream = await create_job(browser)
    job = await saved(browser, "/ui/jobs/new", SHELL | {"on_demand": "on", "/after": f"{upstream['id']} failure"})
    assert (job["schedule_expr"], job["after"]) == (None, [{"job": upstream["id"], "on": "failure"}])


async def test_every_fault_is_told_at_its_control_and_nothing_is_lost(browser: Browser) -> None:
    wrong = {
        "/name": "",
        "/payload/type": "python_code",
        "/payload/code": "print(",
        "/schedule_expr": "61 * * * *",
        "/timezone": "Mars/X",
        "/limits/memory_mb": "-1",
        "/priority": "high",
        "/env": "HOME=/x",
        "/args": "[1]",
    }
    answer = await browser.send("/ui/jobs/new", wrong, page="/ui/jobs/new")
    assert answer.status_code == 422
    faults = faults_in(answer.text)
    assert faults.keys() == {
        "name", "payload-code", "schedule_expr", "timezone", "limits-memory_mb", "priority", "env", "args",
    }  # fmt: skip
    assert "syntax error in line 1" in faults["payload-code"]
    assert 'value="61 * * * *"' in answer.text
    assert "\nprint(</textarea>" in answer.text


async def test_edit_keeps_what_the_form_does_not_show(browser: Browser) -> None:
    files = {"data.csv": {"text": "a\n1\n"}}
    job = await create_job(browser, env={"TOKEN": "do-not-show"}, files=files, external_key="key-1")
    path = f"/ui/jobs/{job['id']}/edit"
    page = (await browser.open(path)).text
    assert "do-not-show" not in page
    assert "TOKEN=***" in page
    edited = await saved(browser, path, SHELL | {"/env": "TOKEN=***\nNEW=1", "version": str(job["version"])})
    assert (edited["env"], edited["files"]) == ({"TOKEN": "do-not-show", "NEW": "1"}, files)
    assert (edited["name"], edited["external_key"]) == ("written here", "key-1")


async def test_form_without_changes_changes_nothing(browser: Browser) -> None:
    given: dict[str, Any] = {
        "retry_policy": {"max_retries": 2},
        "tags": ["a", "b c"],
        "limits": {"memory_mb": 64},
        "args": {"x": [1]},
    }
    given["payload"] = {"type": "program", "argv": ["sh", "-c", "echo 1\necho 2", ""]}
    job = await create_job(browser, **given)
    path = f"/ui/jobs/{job['id']}/edit"
    fields = form_in((await browser.open(path)).text)
    assert (await saved(browser, path, fields))["version"] == job["version"]


def form_in(page: str) -> dict[str, str]:
    """Return what a browser would send of the editor without a change."""
    fields = dict(re.findall(r'<input type="(?:text|number|hidden)"[^>]*? name="([^"]+)"[^>]*? value="([^"]*)"', page))
    fields |= dict(re.findall(r'<textarea [^>]*?name="([^"]+)"[^>]*>\n([^<]*)</textarea>', page))
    fields |= dict(re.findall(r'<input type="(?:radio|checkbox)" name="([^"]+)" value="([^"]+)"[^>]* checked', page))
    for name in re.findall(r'<input type="checkbox" [^>]*?name="([^"]+)"[^>]* checked', page):
        fields[name] = "on"
    for name, options in re.findall(r'<select [^>]*?name="([^"]+)"[^>]*>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'<option value="([^"]+)" selected', options)
        fields[name] = chosen[1] if chosen else ""
    fields = {name: value.replace("\n", "\r\n") for name, value in fields.items()}
    return {name: value.replace("&#34;", '"').replace("&#39;", "'") for name, value in fields.items()}


async def test_copy_has_the_hidden_values_of_its_original(browser: Browser) -> None:
    job = await create_job(browser, name="original", env={"TOKEN": "kept"}, external_key="key-2")
    path = f"/ui/jobs/{job['id']}/clone"
    page = (await browser.open(path)).text
    assert "Copy of original" in page
    copy = await saved(browser, path, form_in(page))
    assert (copy["env"], copy["external_key"], copy["payload"]) == ({"TOKEN": "kept"}, None, job["payload"])
    assert copy["id"] != job["id"]


async def test_preview_has_seconds_and_one_column_for_one_zone(browser: Browser) -> None:
    page = (await browser.send("/ui/jobs/check", SHELL | {"/schedule_expr": "*/15 * * * * *"})).text
    assert len(re.findall(r"<td>\w{3} \d\d \w{3}, \d\d:\d\d:\d\d \+00</td>", page)) == 10
    assert "You" not in re.findall(r'<th scope="col">([^<]+)</th>', page)
    berlin = SHELL | {"/schedule_expr": "30 7 * * 1-5", "/timezone": "Europe/Berlin"}
    page = (await browser.send("/ui/jobs/check", berlin)).text
    assert re.findall(r'<th scope="col">([^<]+)</th>', page) == ["Job", "You", "In"]


async def test_check_shows_instants_changes_and_moved_fires(browser: Browser) -> None:
    job = await create_job(browser, schedule_expr="0 3 * * *")
    fields = SHELL | {"/schedule_expr": "30 2 * * *", "/timezone": "Europe/Berlin", "/retry_policy/max_retries": "2"}
    page = (await browser.send(f"/ui/jobs/check?job={job['id']}", fields)).text
    assert "At 02:30" in page
    assert "<title>02:30</title>" in page
    assert "The next runs move" in page
    assert "<del>0 3 * * *</del><ins>30 2 * * *</ins>" in page
    assert "gives up 3 min after" in page


async def test_check_names_the_control_of_each_fault(browser: Browser) -> None:
    page = (await browser.send("/ui/jobs/check", SHELL | {"/max_concurrency": "0"})).text
    assert 'data-problem="/max_concurrency"' in page


async def test_only_faults_of_used_controls_are_told_while_one_writes(browser: Browser) -> None:
    fields = {"/payload/type": "shell_script", "/schedule_expr": "", "/name": ""}
    page = (await browser.send("/ui/jobs/check", fields | {"touched": "/schedule_expr -"})).text
    assert re.findall('data-problem="([^"]*)"', page) == ["/schedule_expr"]
    assert "is empty; write a schedule, or tick \u201cNo schedule" in page
    page = (await browser.send("/ui/jobs/check", fields)).text
    assert set(re.findall('data-problem="([^"]*)"', page)) == {"/schedule_expr", "/name", "/payload/script"}


async def test_schedule_is_shown_while_the_rest_is_empty(browser: Browser) -> None:
    fields = {"/schedule_expr": "0 12 * * *", "/timezone": "Europe/Berlin", "touched": "-"}
    page = (await browser.send("/ui/jobs/check", fields)).text
    assert "At 12:00" in page
    assert "No clock change of the next two years affects it." in page
    assert "data-problem" not in page
    page = (await browser.send("/ui/jobs/check", fields | {"/schedule_expr": "30 2 * * *"})).text
    assert "No clock change" not in page


async def test_faults_are_named_by_the_labels_of_the_form(browser: Browser) -> None:
    bounds = {"/start_at": "2027-01-02T00:00:00Z", "/end_at": "2027-01-01T00:00:00Z", "/name": ""}
    page = (await browser.send("/ui/jobs/check", SHELL | bounds | {"/schedule_expr": "@hourly"})).text
    assert re.findall(r'data-problem="[^"]*"><a [^>]*>([^<]*):</a>', page) == ["Name", "Last instant"]
    assert "\u201cFirst instant\u201d" in page
    assert "start_at" not in page


async def test_every_label_of_the_form_is_known(browser: Browser) -> None:
    page = (await browser.open("/ui/jobs/new")).text
    shown = re.findall(r'data-field="([^"]+)"[^>]*>\s*<(?:label for="[^"]+"|legend class="label")>([^<]+)<', page)
    assert len(shown) > 40
    assert {pointer: label_of(pointer) for pointer, _ in shown} == dict(shown)


async def test_hints_of_the_form_name_no_field_of_the_api(browser: Browser) -> None:
    page = (await browser.open("/ui/jobs/new")).text
    hints = " ".join(re.findall(r'class="hint"[^>]*>([^<]*)<', page))
    assert not re.search(r"\b[a-z]+_[a-z]+\b|[Nn]ull|GET /", hints)


async def test_definition_can_be_written_as_json(browser: Browser) -> None:
    page = (await browser.send("/ui/jobs/new", SHELL | {"switch": "json"}, page="/ui/jobs/new")).text
    assert "&#34;script&#34;: &#34;echo hi&#34;" in page
    document = '{"name": "from json", "schedule_expr": null, "payload": {"type": "shell_script", "script": "true"}}'
    assert (await saved(browser, "/ui/jobs/new", {"document": document}))["name"] == "from json"
    answer = await browser.send("/ui/jobs/new", {"document": "{"}, page="/ui/jobs/new")
    assert (answer.status_code, "This is no JSON" in answer.text) == (422, True)


async def test_json_of_wrong_types_is_refused_and_kept(browser: Browser) -> None:
    document = '{"name": 7, "env": 3, "payload": {"type": "program", "argv": 3}, "after": [3], "tags": 1}'
    for more, status in (({}, 422), ({"switch": "form"}, 200), ({"switch": "json"}, 200)):
        answer = await browser.send("/ui/jobs/new", {"document": document, **more}, page="/ui/jobs/new")
        assert answer.status_code == status


async def test_two_changes_at_once_are_merged_by_field(browser: Browser) -> None:
    job = await create_job(browser, name="before", priority=5)
    path = f"/ui/jobs/{job['id']}/edit"
    mine = form_in((await browser.open(path)).text) | {"/name": "mine"}
    await browser.call("PATCH", f"/jobs/{job['id']}", {"name": "theirs", "priority": 9})
    answer = await browser.send(path, mine, page=path)
    assert answer.status_code == 412
    assert re.findall(r'name="choice:(\w+)" value="(\w+)" checked', answer.text) == [
        ("name", "yours"), ("priority", "theirs"),
    ]  # fmt: skip
    version = re.search(r'name="theirs" value="(\d+)"', answer.text)
    assert version
    chosen = {"theirs": version[1], "choice:name": "yours", "choice:priority": "theirs"}
    merged = await saved(browser, path, mine | chosen)
    assert (merged["name"], merged["priority"]) == ("mine", 9)


async def test_change_of_a_version_that_is_not_kept_is_not_lost(browser: Browser) -> None:
    job = await create_job(browser, name="before")
    path = f"/ui/jobs/{job['id']}/edit"
    answer = await browser.send(path, SHELL | {"/name": "mine", "version": "99"}, page=path)
    assert answer.status_code == 412
    assert ("name", "yours") in re.findall(r'name="choice:(\w+)" value="(\w+)" checked', answer.text)
    assert 'value="mine"' in answer.text


async def test_reader_is_refused(browser: Browser) -> None:
    key = await browser.call("POST", "/keys", {"owner_id": "ann", "scopes": ["read"]})
    reader = Browser.__new__(Browser)
    reader.client = browser.client.__class__(transport=browser.client._transport, base_url="http://localhost")
    await reader.log_in(key["key"])
    assert (await reader.open("/ui/jobs/new")).status_code == 403
    assert (await reader.send("/ui/jobs/new", SHELL)).status_code == 403
