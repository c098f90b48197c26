"""What an alert looks like in each channel."""

from __future__ import annotations

import hashlib
import hmac
import json
from email.message import EmailMessage
from typing import Any

from scheduler_service.domain.alerting import Alert

SIGNATURE = "X-Scheduler-Signature"
TIMESTAMP = "X-Scheduler-Timestamp"
DELIVERY = "X-Scheduler-Delivery"


def document(alert: Alert, delivery_id: int) -> dict[str, Any]:
    """Give the document that webhooks get. Two with the same `delivery_id` are one: it was sent again."""
    return {
        "delivery_id": delivery_id,
        "kind": alert.kind,
        "headline": alert.headline,
        "at": alert.at.isoformat().replace("+00:00", "Z"),
        "job_id": alert.job_id,
        "job_name": alert.job_name,
        "owner_id": alert.owner_id,
        "run_id": alert.run_id,
        "reason": alert.reason,
        "seconds": alert.seconds,
        "count": alert.count,
    }


def webhook(alert: Alert, delivery_id: int, secret: str | None, timestamp: int) -> tuple[bytes, dict[str, str]]:
    """Give the body and the headers of a webhook.

    The signature is `sha256=` and the HMAC-SHA256, in hexadecimal, of the timestamp, a full stop and the body: who
    checks it, and that the timestamp is recent, can be sure that it came from here and was not recorded by another.
    """
    body = json.dumps(document(alert, delivery_id)).encode()
    headers = {"Content-Type": "application/json", DELIVERY: str(delivery_id), TIMESTAMP: str(timestamp)}
    if secret is not None:
        digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
        headers[SIGNATURE] = f"sha256={digest}"
    return body, headers


def slack(alert: Alert) -> bytes:
    """Give the body for Slack, in which nothing of the text is taken for mark-up of its own."""
    text = alert.headline.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return json.dumps({"text": f"{text}\n{_where(alert)}".strip()}).encode()


def email(alert: Alert, delivery_id: int, sender: str, receivers: list[str]) -> EmailMessage:
    """Give the mail; its Message-ID is that of the delivery, by which programs know it when it comes again."""
    message = EmailMessage()
    message["Subject"] = f"[scheduler] {alert.headline}"[:200]
    message["From"] = sender
    message["To"] = ", ".join(receivers)
    message["Message-ID"] = f"<delivery-{delivery_id}@{sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{alert.headline}\n\n{_where(alert)}\n")
    return message


def _where(alert: Alert) -> str:
    parts = {"Job": alert.job_id, "run": alert.run_id, "owner": alert.owner_id}
    named = [f"{name} {value}" for name, value in parts.items() if value not in {None, ""}]
    return ", ".join([*named, f"{alert.at:%Y-%m-%d %H:%M:%S} UTC"])
