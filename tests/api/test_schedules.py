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

    assert list(shown) == ["schedule_expr", "timezone", "description", "warnings", "instants", "clock_changes"]
    assert shown["instants"] == [
        {"at": "2098-12-31T11:00:00Z", "local": "2098-12-31T12:00:00+01:00", "note": None, "calendar": None}
    ]
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

    assert [instant["calendar"] for instant in shown["instants"]].count("skipped: a calendar excludes this day") == 2


async def test_preview_shows_bounds_and_clock_changes(client: httpx2.AsyncClient) -> None:
    bounds = {"start_at": "2090-03-25T00:00:00Z", "end_at": "2090-03-27T12:00:00Z"}
    shown = await preview(client, schedule_expr="30 2 * * *", timezone="Europe/Berlin", **bounds)

    assert [(each["local"][:16], each["note"]) for each in shown["instants"]] == [
        ("2090-03-25T02:30", None),
        ("2090-03-26T03:00", "gap"),
        ("2090-03-27T02:30", None),
    ]
    assert {(change["kind"], change["times"]) for change in shown["clock_changes"]} == {("gap", 1), ("fold", 1)}
    first = shown["clock_changes"][0]
    assert {first["local_from"][11:], first["local_to"][11:]} == {"02:00:00", "03:00:00"}


async def test_preview_reports_unknown_calendars_with_other_errors(client: httpx2.AsyncClient) -> None:
    wrong = {"schedule_expr": "@daily", "calendars": ["none", "nowhere"], "end_at": "2020-01-01T00:00:00Z"}
    answer = await client.post(PREVIEW, json=wrong)
    assert {error["field"] for error in answer.json()["errors"]} == {"calendars.0", "calendars.1", "end_at"}


async def test_cut_simulation_names_its_last_instant(client: httpx2.AsyncClient) -> None:
    job = {"name": "a", "schedule_expr": "1s", "payload": {"type": "shell_script", "script": "true"}}
    window = {"from": "2026-01-15T10:00:00Z", "to": "2026-01-15T11:00:00Z"}
    shown = (await client.post("/api/v1/schedules/simulate", json={"job": job, **window})).json()
    assert (shown["is_cut"], shown["simulated_until"]) == (True, shown["rows"][-1]["scheduled_for"])


async def test_simulation_shows_the_ledger_and_counts_its_instants(client: httpx2.AsyncClient) -> None:
    job = {"name": "a", "schedule_expr": "*/10 * * * *", "payload": {"type": "shell_script", "script": "true"}}
    window = {"from": "2026-01-15T10:00:00Z", "to": "2026-01-15T11:00:00Z"}
    outages = [{"from": "2026-01-15T10:05:00Z", "to": "2026-01-15T10:45:00Z"}]

    answer = await client.post("/api/v1/schedules/simulate", json={"job": job, **window, "outages": outages})

    shown = answer.json()
    assert (shown["instants"], shown["is_cut"]) == ({"success": 3, "missed": 3}, False)
    assert shown["simulated_until"] is None
    assert [row["starts_at"] for row in shown["rows"]] == [
        "2026-01-15T10:00:00Z",
        None,
        "2026-01-15T10:45:00Z",
        "2026-01-15T10:50:00Z",
    ]


async def test_simulation_needs_one_job_and_a_window(client: httpx2.AsyncClient) -> None:
    window = {"from": "2026-01-15T11:00:00Z", "to": "2026-01-15T10:00:00Z"}

    assert (await client.post("/api/v1/schedules/simulate", json={"job_id": 1, **window})).status_code == 422
