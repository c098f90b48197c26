"""What each page shows and offers, as requests to the API: the menu *As curl* writes them as commands.

A path has the fields of the page's address, such as `{rule_id}`, and those that its template adds. The caller sees the
commands that its scopes allow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.web.texts import text

_FIELD = re.compile(r"{(\w+)}")
Request = tuple[str, str, str, Mapping[str, Any] | None]
"""A label, and the method, path and document of a request."""


@dataclass(frozen=True, slots=True)
class Command:
    """A request of a page. `label` is a key of the texts of `curl`, `document` an example of what is sent."""

    label: str
    method: str
    path: str
    document: Mapping[str, Any] | None = None
    scope: Scope = Scope.READ


_WEBHOOK = {"type": "webhook", "url": "https://example.org/alerts"}
_RULE = {"name": "Tell the team", "on": ["failure", "recovery"], "channel": _WEBHOOK}
_KEY = {"owner_id": "team", "scopes": ["read", "run"]}
_DAY = {"from": "2026-01-14T00:00:00Z", "to": "2026-01-14T23:59:59Z", "dry_run": True}
_WRITE, _RUN, _ADMIN = Scope.WRITE, Scope.RUN, Scope.ADMIN

COMMANDS: Mapping[str, tuple[Command, ...]] = {
    "home": (
        Command("health", "GET", "/stats?window=1h"),
        Command("failing", "GET", "/jobs?last_status=failed"),
        Command("running", "GET", "/runs?status=running"),
        Command("due", "GET", "/jobs?due_before={due_before}&sort=next_run_at"),
        Command("ledger", "GET", "/ledger"),
    ),
    "ledger": (Command("ledger", "GET", "{where}"), Command("check", "GET", "/ledger/check{check}")),
    "lanes": (Command("runs", "GET", "/runs?since={since}{of_job}"),),
    "simulate": (Command("simulate", "POST", "/schedules/simulate", {}),),
    "job": (
        Command("job", "GET", "/jobs/{job_id}"),
        Command("explain", "GET", "/jobs/{job_id}/explain"),
        Command("run", "POST", "/jobs/{job_id}/run", None, _RUN),
        Command("pause", "POST", "/jobs/{job_id}/{pausing}", None, _WRITE),
        Command("resume", "POST", "/jobs/{job_id}/{resuming}", None, _WRITE),
        Command("next", "GET", "/jobs/{job_id}/next"),
        Command("ledger", "GET", "/jobs/{job_id}/ledger"),
        Command("job_stats", "GET", "/jobs/{job_id}/stats?window=7d"),
        Command("versions", "GET", "/jobs/{job_id}/versions"),
        Command("backfill", "POST", "/jobs/{job_id}/backfill", _DAY, _RUN),
        Command("delete", "DELETE", "/jobs/{job_id}", None, _WRITE),
    ),
    "version": (
        Command("version", "GET", "/jobs/{job_id}/versions/{version}"),
        Command("restore", "POST", "/jobs/{job_id}/versions/{version}/restore", None, _WRITE),
    ),
    "compare": (
        Command("run_before", "GET", "/runs/{before}"),
        Command("run_after", "GET", "/runs/{after}"),
        Command("version_before", "GET", "/jobs/{job_id}/versions/{version_before}"),
        Command("version_after", "GET", "/jobs/{job_id}/versions/{version_after}"),
    ),
    "workers": (
        Command("list", "GET", "/workers"),
        Command("drain", "POST", "/workers/{worker_id}/drain", None, _ADMIN),
    ),
    "alerts": (
        Command("list", "GET", "/alerts"),
        Command("create_rule", "POST", "/alerts", _RULE, _WRITE),
        Command("preview_rule", "POST", "/alerts/preview", _RULE, _WRITE),
    ),
    "alert": (
        Command("rule", "GET", "/alerts/{rule_id}"),
        Command("deliveries", "GET", "/alerts/{rule_id}/deliveries"),
        Command("test_rule", "POST", "/alerts/{rule_id}/test", None, _WRITE),
        Command("silence_rule", "PATCH", "/alerts/{rule_id}", {"enabled": False}, _WRITE),
        Command("delete", "DELETE", "/alerts/{rule_id}", None, _WRITE),
    ),
    "keys": (
        Command("list", "GET", "/keys", None, _ADMIN),
        Command("create_key", "POST", "/keys", _KEY, _ADMIN),
        Command("rotate_key", "POST", "/keys/KEY_ID/rotate", {"overlap_seconds": 86400}, _ADMIN),
        Command("revoke_key", "DELETE", "/keys/KEY_ID", None, _ADMIN),
    ),
    "secrets": (
        Command("list", "GET", "/secrets"),
        Command("set_secret", "PUT", "/secrets/NAME", {"value": "…"}, _WRITE),
        Command("delete_secret", "DELETE", "/secrets/NAME", None, _WRITE),
    ),
    "grants": (Command("list", "GET", "/grants"),),
    "environments": (Command("list", "GET", "/environments"),),
    "environment": (Command("environment", "GET", "/environments/{environment_id}"),),
    "calendars": (
        Command("list", "GET", "/calendars"),
        Command("set_calendar", "PUT", "/calendars/closed", {"dates": ["2026-12-24", "2026-12-31"]}, _WRITE),
    ),
    "calendar": (
        Command("calendar", "GET", "/calendars/{name}"),
        Command("days", "GET", "/calendars/{name}/days?year={year}"),
        Command("delete", "DELETE", "/calendars/{name}", None, _WRITE),
    ),
    "quotas": (
        Command("list", "GET", "/quotas"),
        Command("owners", "GET", "/owners"),
        Command("set_quota", "PUT", "/owners/OWNER/quotas", {"jobs": 200, "runs_per_minute": 60}, _ADMIN),
        Command("remove_quota", "DELETE", "/owners/OWNER/quotas", None, _ADMIN),
    ),
    "audit": (Command("list", "GET", "/audit{filters}", None, _ADMIN),),
    "system": (Command("meta", "GET", "/meta"), Command("stats", "GET", "/stats?window=24h")),
}  # fmt: skip


def commands_of(
    page: str, caller: Caller, address: Mapping[str, object], fields: Mapping[str, object]
) -> list[Request]:
    """Return the requests of a page that a caller may make. One that needs a field without a value is left out.

    `address` are the fields of the page's address; `fields` are added by its template, and are parts of addresses.
    """
    given = {name: quote(str(value), safe="") for name, value in address.items()}
    given |= {name: str(value) for name, value in fields.items() if value is not None}
    document = fields.get("document")
    found: list[Request] = []
    for each in COMMANDS[page]:
        if each.scope in caller.scopes and given.keys() >= set(_FIELD.findall(each.path)):
            sent = document if isinstance(document, Mapping) else each.document
            found.append((text(f"curl.{each.label}"), each.method, each.path.format(**given), sent))
    return found
