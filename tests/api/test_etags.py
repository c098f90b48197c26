"""Conditional requests (RFC 9110, section 13)."""

from __future__ import annotations

import httpx2
import pytest
import pytest_asyncio
from testkit.waiting import eventually
from tests.api.conftest import DEFINITION, SHARED, create
from tests.database_fixtures import SHARED_ON_SQLITE

pytestmark = [SHARED, SHARED_ON_SQLITE]

CURRENT = ['"2"', '"2-0123456789abcdef"', '"1", "2"', 'W/"1","2"', ' "2" , ', "*"]
STALE = ['"1"', '"3"', 'W/"2"', '"02"', '"2x"', '"2-"', '"2-x"', '""', '"abc", "999999999999999999999"']
UNREADABLE = ["2", '"2', "W/2", '"1" "2"', 'w/"2"', '"2";', "**", '"\u00e4" 2']


@pytest_asyncio.fixture(loop_scope="module")
async def path(client: httpx2.AsyncClient) -> str:
    """The path of a job at version 2."""
    job = await create(client)
    path = f"/api/v1/jobs/{job['id']}"
    await client.patch(path, json={"name": "second"})
    return path


@pytest.mark.parametrize("tags", CURRENT)
async def test_change_is_accepted_when_if_match_names_the_version(
    client: httpx2.AsyncClient, path: str, tags: str
) -> None:
    answer = await client.patch(path, json={"name": "third"}, headers={"If-Match": tags})

    assert (answer.status_code, answer.json()["name"], answer.json()["version"]) == (200, "third", 3)


@pytest.mark.parametrize("tags", STALE)
async def test_change_is_refused_when_if_match_names_another_version(
    client: httpx2.AsyncClient, path: str, tags: str
) -> None:
    answer = await client.patch(path, json={"name": "third"}, headers={"If-Match": tags})

    assert answer.status_code == 412
    assert "version 2" in answer.json()["detail"]
    assert (await client.get(path)).json()["name"] == "second"


@pytest.mark.parametrize("tags", UNREADABLE)
async def test_unreadable_if_match_is_refused(client: httpx2.AsyncClient, path: str, tags: str) -> None:
    answer = await client.patch(path, json={"name": "third"}, headers={b"If-Match": tags.encode("latin-1")})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["If-Match"]
    assert (await client.get(path)).json()["name"] == "second"


@pytest.mark.parametrize(("method", "body"), [("PUT", DEFINITION), ("DELETE", None)])
async def test_put_and_delete_are_refused_when_if_match_is_stale(
    client: httpx2.AsyncClient, path: str, method: str, body: object
) -> None:
    answer = await client.request(method, path, json=body, headers={"If-Match": '"1"'})

    assert answer.status_code == 412
    assert (await client.get(path)).json()["version"] == 2


@pytest.mark.parametrize("form", ["{tag}", "W/{tag}", '"1", W/{tag}', "*"])
async def test_get_is_304_when_if_none_match_names_the_tag(client: httpx2.AsyncClient, path: str, form: str) -> None:
    tag = (await client.get(path)).headers["ETag"]

    answer = await client.get(path, headers={"If-None-Match": form.format(tag=tag)})

    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
    assert answer.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("tags", ['"1"', 'W/"1"', '"2"', '"2-0123456789abcdef"', '"22"'])
async def test_get_is_200_when_if_none_match_names_other_tags(client: httpx2.AsyncClient, path: str, tags: str) -> None:
    answer = await client.get(path, headers={"If-None-Match": tags})

    assert (answer.status_code, answer.json()["version"]) == (200, 2)


async def test_etag_stays_when_a_patch_changes_nothing(client: httpx2.AsyncClient, path: str) -> None:
    before = (await client.get(path)).headers["ETag"]

    answer = await client.patch(path, json={"name": "second"})

    assert answer.headers["ETag"] == before
    assert before.startswith('"2-')


async def test_etag_changes_when_a_run_ends_but_still_allows_changes(client: httpx2.AsyncClient, path: str) -> None:
    tag = (await client.get(path)).headers["ETag"]
    await client.post(f"{path}/run")

    async def has_ended() -> bool:
        return (await client.get(path)).json()["last_run_status"] is not None

    await eventually(has_ended)

    seen = await client.get(path, headers={"If-None-Match": tag})
    changed = await client.patch(path, json={"name": "third"}, headers={"If-Match": tag})

    assert (seen.status_code, seen.json()["last_run_status"]) == (200, "success")
    assert seen.headers["ETag"] != tag
    assert (changed.status_code, changed.json()["version"]) == (200, 3)


@pytest.mark.parametrize("action", ["pause", "resume"])
async def test_pause_and_resume_are_refused_when_if_match_is_stale(
    client: httpx2.AsyncClient, path: str, action: str
) -> None:
    if action == "resume":
        await client.patch(path, json={"enabled": False})
    before = (await client.get(path)).json()

    stale = await client.post(f"{path}/{action}", headers={"If-Match": '"1"'})
    unchanged = (await client.get(path)).json()
    current = await client.post(f"{path}/{action}", headers={"If-Match": f'"{before["version"]}"'})

    assert (stale.status_code, unchanged) == (412, before)
    assert (current.status_code, current.json()["version"]) == (200, before["version"] + 1)
