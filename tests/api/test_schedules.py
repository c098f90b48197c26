"""Previews of schedules over HTTP."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from tests.api.conftest import SHARED

pytestmark = SHARED

PREVIEW = "/api/v1/schedules/preview"


async def preview(client: httpx2.AsyncClient, **request: Any) -> dict[str, Any]:
    answer = await client.post(PREVIEW, json=request)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def test_preview_shows_description_and_instants(client: httpx2.AsyncClient) -> None:
    shown = await preview(client, schedule_expr="2098-12-31T12:00:00", timezone="Europe/Berlin")

    assert list(shown) == ["schedule_expr", "timezone", "description", "warnings", "instants"]
    assert shown["instants"] == [{"at": "2098-12-31T11:00:00Z", "local": "2098-12-31T12:00:00+01:00", "note": None}]
    assert shown["description"] == "Once, at 2098-12-31 12:00:00 (Europe/Berlin)"


@pytest.mark.parametrize(("count", "given"), [({}, 10), ({"count": 1}, 1), ({"count": 1000}, 1000)])
async def test_preview_shows_as_many_instants_as_requested(
    client: httpx2.AsyncClient, count: dict[str, int], given: int
) -> None:
    shown = await preview(client, schedule_expr="* * * * * *", **count)

    assert len(shown["instants"]) == given


async def test_preview_follows_the_choice_for_the_fold(client: httpx2.AsyncClient) -> None:
    both = await preview(client, schedule_expr="30 2 25 10 *", timezone="Europe/Berlin", dst={"fold": "both"}, count=40)
    first = await preview(client, schedule_expr="30 2 25 10 *", timezone="Europe/Berlin", count=40)

    def days(shown: dict[str, Any]) -> list[str]:
        return [instant["local"][:10] for instant in shown["instants"]]

    assert len(days(first)) == len(set(days(first)))
    assert len(days(both)) > len(set(days(both)))


async def test_preview_has_warnings_for_a_risky_schedule(client: httpx2.AsyncClient) -> None:
    assert (await preview(client, schedule_expr="* * * * * *"))["warnings"]


async def test_preview_notes_what_calendars_make_of_each_instant(client: httpx2.AsyncClient) -> None:
    shown = await preview(client, schedule_expr="0 6 * * *", calendars=["business-days"], count=7)

    assert [instant["note"] for instant in shown["instants"]].count("skipped: a calendar excludes this day") == 2
