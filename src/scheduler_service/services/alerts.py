"""Alert rules: what clients ask of them, one transaction each."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.alerts import messages
from scheduler_service.alerts.channels import unmasked
from scheduler_service.domain.alerting import Alert, AlertKind, Failure
from scheduler_service.domain.run_state import Reason
from scheduler_service.errors import FieldProblem, InvalidInputError, NotFoundError
from scheduler_service.outbound.address_guard import Reach, refusal_of
from scheduler_service.services.alert_definition import AlertDefinition, changed, inspect_rule
from scheduler_service.services.inspection import Inspection, thinned
from scheduler_service.services.read_only import without_read_only
from scheduler_service.storage import alerts, deliveries, jobs
from scheduler_service.storage.alerts import AlertRule
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.deliveries import Delivery

SHOWN_DELIVERIES = 50

Document = Mapping[str, JsonValue]
Shown = Callable[[AlertRule], Document]
"""Returns a rule as clients see it."""
_Merge = Callable[[AlertRule, Document], dict[str, Any]]
_NO_MAIL = "channel: this server has no mail server (SCHEDULER_SMTP_URL): deliveries fail."


@dataclass(frozen=True, slots=True)
class Preview:
    """What people would be told of one kind of thing."""

    kind: AlertKind
    headline: str
    document: Mapping[str, Any]


class AlertService:
    """Every call is one transaction. `owner_id` None: the caller may see the rules of everybody."""

    def __init__(self, database: Database, clock: Clock, base_url: str, *, reach: Reach, has_mail: bool) -> None:
        """Keep the rules in this database; `base_url` begins the links in previews.

        `reach` and `has_mail` are what the settings of this process allow.
        """
        self._database = database
        self._base_url = base_url
        self._clock = clock
        self._reach: Reach = reach
        self._has_mail = has_mail

    async def create(self, document: Document, owner_id: str | None) -> AlertRule:
        """Store a rule; raises `RejectedError` with everything that is wrong with it."""
        now = self._clock.now()
        async with self._database.write() as connection:
            columns = await _columns(connection, inspect_rule(document), owner_id, None)
            return await alerts.add(connection, {**columns, "created_at": now, "updated_at": now})

    def warnings(self, rule: AlertRule) -> tuple[str, ...]:
        """Return why a rule will not reach anybody as this process is set up."""
        channel = rule.channel
        if channel["type"] == "email":
            return () if self._has_mail else (_NO_MAIL,)
        refusal = refusal_of(urlsplit(str(channel["url"])).hostname or "", self._reach)
        return () if refusal is None else (f"channel.url: {refusal}: deliveries fail.",)

    async def every(self, owner_id: str | None) -> Sequence[AlertRule]:
        """Return all rules."""
        async with self._database.read() as connection:
            return await alerts.every(connection, owner_id)

    async def get(self, rule_id: int, owner_id: str | None) -> AlertRule:
        """Return a rule; raises `NotFoundError`."""
        async with self._database.read() as connection:
            return await _existing(connection, rule_id, owner_id)

    async def replace(
        self, rule_id: int, document: Document, owner_id: str | None, shown: Shown | None = None
    ) -> AlertRule:
        """Replace the definition of a rule; secrets that are sent as they are shown, or not at all, stay.

        `shown` gives a rule as clients see it: its read-only fields may be sent back unchanged.
        """
        return await self._change(rule_id, owner_id, document, shown, lambda _, sent: dict(sent))

    async def patch(
        self, rule_id: int, changes: Document, owner_id: str | None, shown: Shown | None = None
    ) -> AlertRule:
        """Change some fields of a rule, null to the default; takes `shown` as `replace` does."""
        return await self._change(rule_id, owner_id, changes, shown, changed)

    async def delete(self, rule_id: int, owner_id: str | None) -> None:
        """Remove a rule, with what it has told and what it still would have; raises `NotFoundError`."""
        async with self._database.write() as connection:
            await _existing(connection, rule_id, owner_id)
            await alerts.remove(connection, rule_id)

    async def test(self, rule_id: int, owner_id: str | None) -> Delivery:
        """Send a test the way that every alert goes; `deliveries` tells what became of it."""
        now = self._clock.now()
        async with self._database.write() as connection:
            rule = await _existing(connection, rule_id, owner_id)
            alert = _sample(AlertKind.TEST, rule.name, now)
            await deliveries.add(connection, rule.id, f"test:{secrets.token_hex(8)}", alert, now)
            return (await deliveries.of_rule(connection, rule.id, 1))[0]

    async def deliveries(self, rule_id: int, owner_id: str | None) -> Sequence[Delivery]:
        """Return what a rule told lately, the newest first."""
        async with self._database.read() as connection:
            await _existing(connection, rule_id, owner_id)
            return await deliveries.of_rule(connection, rule_id, SHOWN_DELIVERIES)

    async def _change(
        self, rule_id: int, owner_id: str | None, sent: Document, shown: Shown | None, merged: _Merge
    ) -> AlertRule:
        now = self._clock.now()
        async with self._database.write() as connection:
            old = await _existing(connection, rule_id, owner_id)
            differing: list[FieldProblem] = []
            if shown is not None:
                sent, differing = without_read_only(AlertDefinition, sent, shown(old))
            sent, further = thinned(AlertDefinition, sent)
            columns = await _columns(connection, inspect_rule(merged(old, sent), further), owner_id, old, differing)
            await alerts.replace(connection, rule_id, {**columns, "updated_at": now})
            if not columns["enabled"]:
                await deliveries.call_off(connection, rule_id, "the rule was disabled", now)
            return await _existing(connection, rule_id, owner_id)

    def preview(self, document: Document) -> list[Preview]:
        """Return what people would be told; nothing is stored or sent. Raises `RejectedError`."""
        definition = inspect_rule(document).accept()
        samples = [_sample(kind, "Mathematical Analysis", self._clock.now()) for kind in definition.on]
        return [Preview(alert.kind, alert.headline, messages.document(alert, 1, self._base_url)) for alert in samples]


async def _existing(connection: AsyncConnection, rule_id: int, owner_id: str | None) -> AlertRule:
    rule = await alerts.find(connection, rule_id, owner_id)
    if rule is None:
        raise NotFoundError(f"there is no alert rule {rule_id}")
    return rule


async def _columns(
    connection: AsyncConnection,
    inspection: Inspection[AlertDefinition],
    owner_id: str | None,
    old: AlertRule | None,
    differing: Sequence[FieldProblem] = (),
) -> dict[str, Any]:
    """Return the columns of a rule; raises `RejectedError` with everything that is wrong with it."""
    problems, sound = list(differing), inspection.sound
    channel: dict[str, Any] = {}
    if sound is not None and inspection.is_whole("channel"):
        try:
            channel = unmasked(sound.columns()["channel"], None if old is None else old.channel)
        except InvalidInputError as error:
            problems += error.problems
    if sound is not None and inspection.is_sent("job_id"):
        problems += await _job_problems(connection, sound, owner_id, old)
    columns = {**inspection.accept(problems).columns(), "channel": channel}
    return columns if owner_id is None else {**columns, "owner_id": owner_id}


async def _job_problems(
    connection: AsyncConnection, definition: AlertDefinition, owner_id: str | None, old: AlertRule | None
) -> list[FieldProblem]:
    # A rule whose job was deleted meanwhile can still be changed in all else.
    if definition.job_id is None or (old is not None and old.job_id == definition.job_id):
        return []
    job = await jobs.find(connection, definition.job_id)
    if job is not None and owner_id in {None, job.owner_id}:
        return []
    return [FieldProblem("job_id", "there is no such job", definition.job_id)]


def _sample(kind: AlertKind, name: str, now: datetime) -> Alert:
    is_of_run = kind not in {AlertKind.TEST, AlertKind.WORKER_UNFIT}
    is_of_worker = kind is AlertKind.WORKER_UNFIT
    return Alert(
        kind=kind,
        job_id=1 if is_of_run else None,
        job_name=name,
        owner_id="",
        run_id=1 if is_of_run else None,
        at=now,
        reason=Reason.EXIT_CODE if kind in {AlertKind.FAILURE, AlertKind.FLAPPING} else None,
        seconds=90.0 if kind in {AlertKind.LATE, AlertKind.TOO_LONG} else None,
        count=3 if kind in {AlertKind.FLAPPING, AlertKind.MISSED} else None,
        failure=_SAMPLE_FAILURE if kind in {AlertKind.FAILURE, AlertKind.FLAPPING} else None,
        worker="host-4711-1f6a9c3e" if is_of_worker else None,
        message="No space left on device" if is_of_worker else None,
    )


_SAMPLE_FAILURE = Failure(attempt=1, exit_code=3, log_tail="Traceback …\nValueError: no data\n")
