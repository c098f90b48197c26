"""What an alert looks like in each channel."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import asdict
from email.message import EmailMessage
from typing import Any

from scheduler_service.domain.alerting import Alert
from scheduler_service.domain.instant_text import iso8601
from scheduler_service.telemetry.terminal_text import plain

SIGNATURE = "X-Scheduler-Signature"
TIMESTAMP = "X-Scheduler-Timestamp"
# What Slack takes for the bounds of preformatted text, and what reads like it and is none.
_FENCE, _BROKEN_FENCE = "```", "` ` `"
DELIVERY = "X-Scheduler-Delivery"


def document(alert: Alert, delivery_id: int, base_url: str) -> dict[str, Any]:
    """Return the document that webhooks get. Two with the same `delivery_id` are one: it was sent again.

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
        "links": _links(alert, base_url),
    }


def webhook(
    alert: Alert, delivery_id: int, base_url: str, secret: str | None, timestamp: int
) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a webhook.

    The signature is `sha256=` and the HMAC-SHA256, in hexadecimal, of the timestamp, a full stop and the body: who
    checks it, and that the timestamp is recent, can be sure that it came from here and was not recorded by another.
    """
    body = json.dumps(document(alert, delivery_id, base_url)).encode()
    headers = {"Content-Type": "application/json", DELIVERY: str(delivery_id), TIMESTAMP: str(timestamp)}
    if secret is not None:
        digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
        headers[SIGNATURE] = f"sha256={digest}"
    return body, headers


def slack(alert: Alert, base_url: str) -> bytes:
    """Return the body for Slack, in which nothing of the text is taken for mark-up of its own."""
    parts = [_for_slack(alert.headline), _for_slack(_where(alert)), *_links(alert, base_url).values()]
    if details := _details(alert):
        parts.append(f"{_FENCE}{_for_slack(details.replace(_FENCE, _BROKEN_FENCE))}{_FENCE}")
    return json.dumps({"text": "\n".join(filter(None, parts))}).encode()


def email(alert: Alert, delivery_id: int, base_url: str, sender: str, receivers: list[str]) -> EmailMessage:
    """Return the mail; its Message-ID is that of the delivery, by which programs know it when it comes again."""
    message = EmailMessage()
    message["Subject"] = f"[scheduler] {alert.headline}"[:200]
    message["From"] = sender
    message["To"] = ", ".join(receivers)
    message["Message-ID"] = f"<delivery-{delivery_id}@{sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    links = "\n".join(_links(alert, base_url).values())
    parts = [alert.headline, _where(alert), _details(alert), links]
    message.set_content("\n\n".join(filter(None, parts)) + "\n")
    return message


def _where(alert: Alert) -> str:
    parts = {"Worker": alert.worker, "Job": alert.job_id, "run": alert.run_id, "owner": alert.owner_id}
    named = [f"{name} {value}" for name, value in parts.items() if value not in {None, ""}]
    return ", ".join([*named, f"{alert.at:%Y-%m-%d %H:%M:%S} UTC"])


def _details(alert: Alert) -> str:
    """Return the sentence about the end of the run and the end of its log, for people; empty if no run failed."""
    if alert.failure is None:
        return ""
    return "\n".join(filter(None, [alert.failure.message, plain(alert.failure.log_tail).rstrip()]))


def _links(alert: Alert, base_url: str) -> dict[str, str]:
    paths = {
        "job": ("jobs", alert.job_id, ""),
        "run": ("runs", alert.run_id, ""),
        "log": ("runs", alert.run_id, "/logs"),
    }
    return {name: f"{base_url}/api/v1/{noun}/{key}{end}" for name, (noun, key, end) in paths.items() if key is not None}


def _for_slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
