"""What every page has: its headers, its texts, and nothing of others that runs."""

from __future__ import annotations

import re
from contextlib import ExitStack

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from tests.web.conftest import SHARED, Browser, create_job

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.payloads import registry
from scheduler_service.storage.database import Database

pytestmark = SHARED
HOSTILE = "<img src=x onerror=alert(1)>\"'&{{7*7}}"


async def test_page_allows_scripts_of_its_own_only(browser: Browser) -> None:
    policies = {(await browser.open("/ui/jobs")).headers["content-security-policy"] for _ in range(2)}
    assert len(policies) == 2, "each page has its own nonce"
    policy = policies.pop()
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy


async def test_page_is_not_stored_and_sends_its_origin_with_forms(browser: Browser) -> None:
    headers = (await browser.open("/ui/jobs")).headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"


async def test_assets_are_kept_for_good_and_compressed(browser: Browser) -> None:
    page = (await browser.open("/ui/jobs")).text
    for path in re.findall(r'(?:src|href)="(/ui/static/[^"]+)"', page):
        answer = await browser.open(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] == "gzip"


async def test_unknown_page_and_asset_are_not_found(browser: Browser) -> None:
    answer = await browser.open("/ui/nowhere")
    assert answer.status_code == 404
    assert "text/html" in answer.headers["content-type"]
    assert (await browser.open("/ui/static/app.js")).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ui/runs?since=0001-01-01T00:00%2B05:00&until=9999-12-31T23:59-05:00", 200),
        ("/ui/ledger/cell?at=9999-12-31T23:30:00Z", 200),
        ("/ui/jobs/99999999999999999999", 404),
        ("/ui/runs/99999999999999999999", 404),
        ("/ui/jobs?q=%00", 400),
        ("/ui/keys/%00/revoke", 400),
    ],
)
async def test_address_that_names_nothing_is_told_so(browser: Browser, path: str, status: int) -> None:
    assert (await browser.open(path)).status_code == status


async def test_page_waits_for_its_turn_under_load(app: FastAPI, browser: Browser) -> None:
    with ExitStack() as stack:
        for _ in range(app.state.settings.max_requests):
            stack.enter_context(app.state.gate.working())
        answer = await browser.open("/ui/jobs")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_hostile_names_are_shown_as_text(browser: Browser) -> None:
    await create_job(browser, name=HOSTILE, owner_id=HOSTILE, tags=[HOSTILE])
    page = (await browser.open("/ui/jobs")).text
    assert "&lt;img src=x" in page
    assert "<img src=x" not in page


async def test_jobs_are_filtered_by_every_kind(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "kinds", lambda: {"shell_script": None, "of_a_plug_in": None})
    page = (await browser.open("/ui/jobs")).text
    assert re.findall(r'<option value="(shell_script|of_a_plug_in)">([^<]+)<', page) == [
        ("shell_script", "Shell"), ("of_a_plug_in", "of_a_plug_in"),
    ]  # fmt: skip


async def test_jobs_are_found_by_text_state_tag_and_owner(browser: Browser) -> None:
    await create_job(browser, name="Nightly backup", tags=["night"], owner_id="ops")
    await create_job(browser, name="Other work")
    for query in ("q=backup", "tag=night", "owner=ops"):
        page = (await browser.open(f"/ui/jobs?{query}")).text
        assert "Nightly backup" in page
        assert "Other work" not in page
    assert "Nightly backup" not in (await browser.open("/ui/jobs?status=paused")).text
    assert "No job matches" in (await browser.open("/ui/jobs?q=nothing-like-this")).text


async def test_list_leads_to_the_next_page_and_back(browser: Browser) -> None:
    for number in range(51):
        await create_job(browser, name=f"numbered {number:02}", tags=["many"])
    page = await browser.open("/ui/jobs?tag=many&sort=name")
    assert "50 of 51" in page.text
    following = re.search(r'rel="next" href="([^"]+)"', page.text)
    assert following
    second = await browser.open("/ui/jobs" + following[1].replace("&amp;", "&"))
    assert "51 of 51" in second.text
    assert "numbered 50" in second.text
    back = re.search(r'rel="prev" href="([^"]+)"', second.text)
    assert back
    assert "numbered 00" in (await browser.open("/ui/jobs" + back[1].replace("&amp;", "&"))).text


async def test_first_load_of_a_full_list_is_small(browser: Browser) -> None:
    page = await browser.open("/ui/jobs?tag=many&sort=name")
    assert page.headers["content-encoding"] == "gzip"
    assets = dict.fromkeys(re.findall(r'(?:src|href)="(/ui/static/[^"]+)"', page.text))
    sizes = [int((await browser.open(path)).headers["content-length"]) for path in assets]

    assert len(assets) >= 3
    assert int(page.headers["content-length"]) <= 12_000
    assert int(page.headers["content-length"]) + sum(sizes) <= 60_000


async def test_page_is_plain_for_a_client_that_cannot_decompress(browser: Browser) -> None:
    answer = await browser.open("/ui/jobs", **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in answer.headers
    assert "accept-encoding" in answer.headers["vary"].lower()


async def test_hostile_worker_name_is_shown_as_text(browser: Browser, shared_database_url: str) -> None:
    database = Database(shared_database_url)
    async with database.write() as connection:
        await connection.execute(text("UPDATE workers SET host = :name"), {"name": HOSTILE})
    await database.close()
    page = (await browser.open("/ui/workers")).text
    assert "&lt;img src=x" in page
    assert "<img src=x" not in page


async def test_empty_list_names_the_filter_that_excludes_most(browser: Browser) -> None:
    for _ in range(2):
        await create_job(browser, tags=["wide"])
    page = (await browser.open("/ui/jobs?tag=wide&q=nothing-like-this&owner=nobody")).text
    assert "Without" not in page, "no filter alone keeps it empty"
    page = (await browser.open("/ui/jobs?tag=wide&q=nothing-like-this&status=active")).text
    assert "Without “nothing-like-this”: 2" in page
    assert 'href="?tag=wide&amp;status=active"' in page
    job = await create_job(browser)
    await browser.call("POST", f"/jobs/{job['id']}/run")
    assert "Without “signal”: 1" in (await browser.open(f"/ui/runs?job={job['id']}&reason=signal")).text


async def test_pages_show_the_command_that_does_the_same(browser: Browser) -> None:
    job = await create_job(browser)
    page = (await browser.open("/ui/jobs?tag=it%27s&status=paused")).text
    assert "/api/v1/jobs?status=paused&amp;tag=it%27s&amp;sort=-id" in page
    page = (await browser.open(f"/ui/jobs/{job['id']}")).text
    assert f"curl -X POST -H &#34;X-API-Key: $API_KEY&#34; http://localhost/api/v1/jobs/{job['id']}/run" in page
    assert DEVELOPMENT_API_KEY not in page
