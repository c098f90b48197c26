"""Every page of the web interface, and every request of the API that reads, with the filters of the lists.

They fit the rows of `testkit.history`, whose last instant is now. Instants are named by their age: `{hour}`, `{day}`,
`{week}` and `{month}` are in the past, `{soon}` is tomorrow.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from testkit.history import RARE

JOB, RUN = 1, 101
"""A job, and a run that has an attempt and a log."""
_STATUSES = ("success", "failed", "cancelled", "skipped", "missed", "queued", "running", "retrying")
_JOB_SORTS = ("id", "name", "created_at", "updated_at", "next_run_at", "priority")

PAGES = (
    "/",
    "/jobs",
    *(f"/jobs?sort={sign}{sort}" for sort in ("name", "updated_at", "next_run_at", "id") for sign in ("", "-")),
    "/jobs?q=report",
    "/jobs?q=%C3%BCberweisung",
    "/jobs?q=nothing",
    "/jobs?status=active",
    "/jobs?status=paused",
    "/jobs?last=failed",
    "/jobs?last=success",
    f"/jobs?tag={RARE}",
    "/jobs?tag=common",
    f"/jobs?owner={RARE}",
    "/jobs?type=shell_script",
    "/jobs?type=python_code",
    "/jobs?due=1h",
    "/jobs?due=7d&sort=next_run_at",
    "/jobs?status=active&last=failed&tag=common&sort=name",
    "/jobs/bulk?action=pause&ids=1&ids=2",
    f"/jobs/bulk?action=pause&all=1&tag={RARE}",
    "/jobs/new",
    "/jobs/{job}",
    "/jobs/{job}/edit",
    "/jobs/{job}/clone",
    "/jobs/{job}/run",
    "/jobs/{job}/pause",
    "/jobs/{job}/delete",
    "/jobs/{job}/ledger",
    "/jobs/{job}/versions",
    "/jobs/{job}/versions/1",
    "/jobs/{job}/versions/1/restore",
    "/jobs/{job}/figures",
    "/jobs/{job}/backfill",
    "/runs",
    *(f"/runs?status={status}" for status in _STATUSES),
    "/runs?status=running&status=queued&status=retrying",
    "/runs?status=failed&within=24h",
    "/runs?status=missed&status=skipped",
    "/runs?reason=exit_code",
    "/runs?late=1",
    "/runs?trigger=manual",
    "/runs?trigger=schedule",
    f"/runs?owner={RARE}",
    "/runs?owner=owner1",
    f"/runs?tag={RARE}",
    "/runs?tag=common",
    "/runs?job={job}",
    "/runs?within=1h",
    "/runs?within=30d",
    "/runs?since={week}&until={day}",
    "/runs/bulk?action=retry&ids=1&ids=2",
    "/runs/bulk?action=retry&all=1&status=failed&job={job}",
    "/runs/{run}",
    "/runs/{run}/lines",
    "/runs/{run}/search?q=line",
    "/runs/{run}/log.txt",
    "/runs/{run}/previous",
    "/runs/{run}/next",
    "/runs/{run}/compare",
    "/quotas",
    "/quotas/new",
    "/ledger",
    "/ledger?days=30",
    f"/ledger?owner={RARE}",
    "/ledger?job={job}",
    "/ledger/lanes",
    "/ledger/lanes?hours=6",
    "/ledger/cell?at={day}",
    "/ledger/cell?at={day}&job={job}",
    "/simulate?job={job}",
    "/workers",
    "/alerts",
    "/alerts?job={job}",
    "/alerts/new",
    "/keys",
    "/keys/new",
    "/audit",
    "/system",
    "/secrets",
    "/secrets/new",
    "/quotas",
    "/quotas/new",
    "/quotas/new?owner=team",
    "/grants",
    "/environments",
    "/calendars",
    "/calendars/new",
    "/samples/remove",
    "/jump?q=job",
    "/jump?q=101",
    "/keyboard",
)
CALLS = (
    *(f"/jobs?size=50&count=capped&sort={sign}{sort}" for sort in _JOB_SORTS for sign in ("", "-")),
    "/jobs?size=50&count=capped",
    "/jobs?size=50&count=none",
    *(f"/jobs?size=50&count=capped&{each}" for each in (
        "status=active", "status=finished", "last_status=failed", "last_status=success", "type=python_code",
        "type=shell_script", "due_before={soon}", f"tag={RARE}", "tag=common", f"owner_id={RARE}", "q=report",
        "q=nothing", "external_key=none",
    )),
    "/jobs/recent?ids=1,2,3,4,5",
    "/jobs/{job}",
    "/jobs/{job}/explain",
    "/jobs/{job}/ledger",
    "/jobs/{job}/next",
    "/jobs/{job}/runs?size=50&count=capped",
    "/jobs/{job}/runs?size=50&count=capped&status=failed",
    "/jobs/{job}/stats?window=7d",
    "/jobs/{job}/versions",
    "/jobs/{job}/versions/1",
    "/runs?size=50&count=capped",
    "/runs?size=50&count=none&logs=none",
    *(f"/runs?size=50&count=capped&status={status}" for status in _STATUSES),
    *(f"/runs?size=50&count=capped&{each}" for each in (
        "status=failed&status=missed", "reason=exit_code", "reason=misfire", "late=true", "trigger=manual",
        "trigger=schedule",
        f"owner_id={RARE}", "owner_id=owner1", f"tag={RARE}", "tag=common", "since={day}", "until={week}",
        "since={week}&until={day}", "job_id={job}", "before_id={run}",
    )),
    "/runs/{run}",
    "/runs/{run}/artifacts",
    "/runs/{run}/chain",
    "/runs/{run}/logs",
    "/runs/{run}/logs/search?q=line",
    "/ledger",
    "/ledger?from={month}&bucket=day",
    f"/ledger?owner_id={RARE}",
    "/stats?window=1h",
    "/stats?window=1h&step=1m",
    "/stats?window=24h",
    "/stats?window=7d&step=1h",
    "/alerts",
    "/audit",
    "/calendars",
    "/environments",
    "/grants",
    "/keys",
    "/meta",
    "/secrets",
    "/workers",
    "/quotas",
    "/owners",
    "/owners/owner1/quotas",
)  # fmt: skip
WITHOUT_ROWS = (
    "/login",
    "/live",
    "/alerts/{rule_id:int}",
    "/alerts/{rule_id:int}/delete",
    "/calendars/{name}/delete",
    "/environments/{environment_id}",
    "/jobs/test/{run_id:int}",
    "/keys/{key_id}/revoke",
    "/runs/{run_id:int}/artifacts/{name:path}",
    "/runs/{run_id:int}/cancel",
    "/secrets/delete",
    "/workers/{worker_id}/drain",
)
"""Routes of pages that are not requested: they need rows that the history does not have, or are no page."""
READS_WITHOUT_ROWS = (
    "/alerts/{alert_id}",
    "/alerts/{alert_id}/deliveries",
    "/calendars/{name}",
    "/calendars/{name}/days",
    "/environments/{environment_id}",
    "/events",
    "/grants/{name}",
    "/keys/{key_id}",
    "/ledger/check",
    "/jobs/export",
    "/runs/{run_id}/artifacts/{name}",
    "/secrets/{name}",
    "/workers/{worker_id}",
)
"""Reads of the API that are not requested, for the same reason; the check and the export read all jobs by design."""


def at(now: datetime) -> dict[str, str]:
    """Return the values of the fields of an address."""
    ages = {"hour": 1, "day": 24, "week": 7 * 24, "month": 29 * 24, "soon": -24}
    instants = {name: (now - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:00:00Z") for name, hours in ages.items()}
    return {"job": str(JOB), "run": str(RUN), **instants}


def paths(now: datetime) -> list[str]:
    """Return all addresses."""
    fields = at(now)
    return [f"/ui{path.format(**fields)}" for path in PAGES] + [f"/api/v1{path.format(**fields)}" for path in CALLS]
