"""Names that other schedulers and monitors use in alert rules."""

from __future__ import annotations

from scheduler_service.features.alerts.channels.registry import kinds
from scheduler_service.http.synonyms import Synonyms, table

_CHANNEL = 'channel, such as {"type": "webhook", "url": "https://…"}'

SYNONYMS = Synonyms(
    marker="channel",
    fields=table(
        {
            "on": "events event kinds when triggers trigger conditions type",
            _CHANNEL: "url webhook email slack to target destination webhook_url receiver recipients",
            "job_id": "job jobs job_ids",
            "owner_id": "owner team user",
            "enabled": "active is_enabled muted disabled paused",
        }
    ),
    words=(
        table(
            {
                "failure": "failed fail error failures errors on_failure failing exception",
                "recovery": "recovered success succeeded fixed ok resolved on_success",
                "missed": "misfire skipped miss not_run",
                "late": "delayed delay lateness overdue",
                "too_long": "timeout slow long_running duration running_long",
                "flapping": "repeated unstable repeated_failure",
            }
        ),
        table({name: kind.synonyms for name, kind in kinds().items()}),
    ),
)
