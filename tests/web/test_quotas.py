"""The page of quotas."""

from __future__ import annotations

from fastapi import FastAPI
from tests.web.conftest import SHARED, Browser

pytestmark = SHARED


async def test_administrator_sets_changes_and_removes_quotas(browser: Browser) -> None:
    page = (await browser.send("/ui/quotas/new", {"owner": "team", "jobs": "7", "weight": "3"})).text
    assert "0 / 7" in page
    assert 'value="7"' in (await browser.open("/ui/quotas/new?owner=team")).text

    page = (await browser.send("/ui/quotas/delete", {"owner": "team"})).text
    assert "0 / 7" not in page


async def test_wrong_quotas_are_told(browser: Browser) -> None:
    for fields, told in (({"owner": "team", "jobs": "many"}, "jobs"), ({"owner": "", "jobs": "1"}, "Name an owner")):
        answer = await browser.send("/ui/quotas/new", fields)
        assert answer.status_code == 422
        assert told in answer.text
        assert 'value="team"' in answer.text or not fields["owner"]


async def test_owner_sees_its_own_quotas_only(app: FastAPI, browser: Browser) -> None:
    for owner_id in ("ann", "bob"):
        await browser.call("PUT", f"/owners/{owner_id}/quotas", {"jobs": 4})
    key = await browser.call("POST", "/keys", {"owner_id": "ann", "scopes": ["read", "write"]})
    other = Browser(app)
    await other.log_in(key["key"])

    page = (await other.open("/ui/quotas")).text
    assert "0 / 4" in page
    assert "bob" not in page
    assert "/ui/quotas/new" not in page
    assert (await other.open("/ui/quotas/new")).status_code == 403
    assert (await other.send("/ui/quotas/new", {"owner": "ann", "jobs": "0"})).status_code == 403
