"""The texts of alerts that channels share."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from scheduler_service.domain.instant_text import iso8601
from scheduler_service.features.alerts.rules import Alert
from scheduler_service.telemetry.terminal_text import plain


def document(alert: Alert, delivery_id: int, base_url: str) -> dict[str, Any]:
    """Return an alert as a JSON document. Two documents with the same `delivery_id` are tries of one delivery.

    `base_url` is where people reach the service; the links begin with it. `failure` is null unless a run failed.
    """
    failure = alert.failure
    return {
        "delivery_id": delivery_id,
        "kind": alert.kind,
        "headline": alert.headline,
        "at": iso8601(alert.at),
        "job_id": alert.job_id,
        "job_name": alert.job_name,
        "owner_id": alert.owner_id,
        "run_id": alert.run_id,
        "reason": alert.reason,
        "seconds": alert.seconds,
        "count": alert.count,
        "failure": None if failure is None else {**asdict(failure), "log_tail": plain(failure.log_tail)},
        "worker": alert.worker,
        "message": alert.message,
        "links": links(alert, base_url),
    }


def subject_line(alert: Alert) -> str:
    """Return which worker, job, run and owner an alert is about, and when it was caused."""
    parts = {"Worker": alert.worker, "Job": alert.job_id, "run": alert.run_id, "owner": alert.owner_id}
    named = [f"{name} {value}" for name, value in parts.items() if value not in {None, ""}]
    return ", ".join([*named, f"{alert.at:%Y-%m-%d %H:%M:%S} UTC"])


def details(alert: Alert) -> str:
    """Return the sentence about the end of the run and the end of its log; empty if no run failed."""
    if alert.failure is None:
        return ""
    return "\n".join(filter(None, [alert.failure.message, plain(alert.failure.log_tail).rstrip()]))


def links(alert: Alert, base_url: str) -> dict[str, str]:
    """Return the addresses of the job, the run and its log in the API, as far as the alert is about them."""
    paths = {
        "job": ("jobs", alert.job_id, ""),
        "run": ("runs", alert.run_id, ""),
        "log": ("runs", alert.run_id, "/logs"),
    }
    return {name: f"{base_url}/api/v1/{noun}/{key}{end}" for name, (noun, key, end) in paths.items() if key is not None}
