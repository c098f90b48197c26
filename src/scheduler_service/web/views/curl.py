"""What a page shows or does, as a command that does the same by the API. The key stays in a variable."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from scheduler_service.domain.instant_text import iso8601
from scheduler_service.domain.listing import JobFilter, RunFilter

_KEY = '-H "X-API-Key: $API_KEY"'


def curl(origin: str, method: str, path: str, document: Mapping[str, Any] | None = None) -> str:
    """Return the command for a request to a path of the API, such as `/jobs`."""
    words = ["curl", *([] if method == "GET" else ["-X", method]), _KEY]
    if document is not None:
        words += ["-H", "'Content-Type: application/json'", "-d", shlex.quote(json.dumps(document, ensure_ascii=False))]
    return " ".join([*words, shlex.quote(f"{origin}/api/v1{path}")])


def path_of_jobs(filters: JobFilter) -> str:
    """Return the path of a list of jobs."""
    return _with_query("/jobs", {
        "q": filters.q, "status": filters.status, "last_status": filters.last_status, "type": filters.payload_type,
        "tag": filters.tag, "owner_id": filters.owner_id, "sort": filters.sort,
        "due_since": None if filters.due_since is None else iso8601(filters.due_since),
        "due_before": None if filters.due_before is None else iso8601(filters.due_before),
    })  # fmt: skip


def path_of_runs(filters: RunFilter) -> str:
    """Return the path of a list of runs."""
    return _with_query("/runs", {
        "job_id": filters.job_id, "status": list(filters.statuses), "reason": filters.reason,
        "trigger": filters.trigger, "tag": filters.tag, "owner_id": filters.owner_id,
        "late": "true" if filters.is_late else None,
        "since": None if filters.since is None else iso8601(filters.since),
        "until": None if filters.until is None else iso8601(filters.until),
    })  # fmt: skip


def path_of_ledger(
    job_id: int | None, owner_id: str | None, window: tuple[datetime, datetime], bucket: str, zone: str
) -> str:
    """Return the path of the ledger of a window, of all jobs or of one."""
    path = "/ledger" if job_id is None else f"/jobs/{job_id}/ledger"
    begin, end = map(iso8601, window)
    query = {"from": begin, "to": end, "bucket": bucket, "timezone": zone, "owner_id": owner_id}
    return _with_query(path, query)


def _with_query(path: str, values: Mapping[str, Any]) -> str:
    given = {name: value for name, value in values.items() if value not in (None, [], "")}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path
