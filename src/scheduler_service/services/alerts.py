"""Alert rules: what clients ask of them, one transaction each."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.alerts import writing
from scheduler_service.alerts.channels import unmasked
from scheduler_service.domain.alerting import Alert, AlertKind, Failure
from scheduler_service.domain.run_state import Reason
from scheduler_service.errors import FieldProblem, InvalidInputError, NotFoundError
from scheduler_service.services.alert_definition import AlertDefinition, changed
from scheduler_service.storage import alerts, deliveries, jobs
from scheduler_service.storage.alerts import AlertRule
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database
from scheduler_service.storage.deliveries import Delivery

SHOWN_DELIVERIES = 50


@dataclass(frozen=True, slots=True)
class Preview:
    """What people would be told of one kind of thing."""

    kind: AlertKind
    headline: str
    document: Mapping[str, Any]


class AlertService:
    """Every call is one transaction. `owner_id` None: the caller may see the rules of everybody."""

    def __init__(self, database: Database, clock: Clock, base_url: str) -> None:
        """Keep the rules in this database; `base_url` begins the links in previews."""
        self._database = database
        self._base_url = base_url
        self._clock = clock

    async def create(self, definition: AlertDefinition, owner_id: str | None) -> AlertRule:
        """Store a rule; raises `InvalidInputError` where it names a job that is not there."""
        now = self._clock.now()
        async with self._database.write() as connection:
            columns = await _columns(connection, definition, owner_id, None)
            return await alerts.add(connection, {**columns, "created_at": now, "updated_at": now})

    async def every(self, owner_id: str | None) -> Sequence[AlertRule]:
        """Give all rules."""
        async with self._database.read() as connection:
            return await alerts.every(connection, owner_id)

    async def get(self, rule_id: int, owner_id: str | None) -> AlertRule:
        """Give a rule; raises `NotFoundError`."""
        async with self._database.read() as connection:
            return await _existing(connection, rule_id, owner_id)

    async def replace(self, rule_id: int, definition: AlertDefinition, owner_id: str | None) -> AlertRule:
        """Give a rule a new definition; secrets that are sent as they are shown, or not at all, stay."""
        return await self._change(rule_id, owner_id, lambda _: definition)

    async def patch(self, rule_id: int, changes: Mapping[str, JsonValue], owner_id: str | None) -> AlertRule:
        """Give some fields of a rule new values, null the default one; raises pydantic's `ValidationError`."""
        return await self._change(rule_id, owner_id, lambda rule: changed(rule, changes))

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
        """Give what a rule told lately, the newest first."""
        async with self._database.read() as connection:
            await _existing(connection, rule_id, owner_id)
            return await deliveries.of_rule(connection, rule_id, SHOWN_DELIVERIES)

    async def _change(
        self, rule_id: int, owner_id: str | None, change: Callable[[AlertRule], AlertDefinition]
    ) -> AlertRule:
        now = self._clock.now()
        async with self._database.write() as connection:
            old = await _existing(connection, rule_id, owner_id)
            columns = await _columns(connection, change(old), owner_id, old)
            await alerts.replace(connection, rule_id, {**columns, "updated_at": now})
            if not columns["enabled"]:
                await deliveries.call_off(connection, rule_id, "the rule was disabled", now)
            return await _existing(connection, rule_id, owner_id)

    def preview(self, definition: AlertDefinition) -> list[Preview]:
        """Say what people would be told; nothing is stored or sent."""
        samples = [_sample(kind, "Mathematical Analysis", self._clock.now()) for kind in definition.on]
        return [Preview(alert.kind, alert.headline, writing.document(alert, 1, self._base_url)) for alert in samples]


async def _existing(connection: AsyncConnection, rule_id: int, owner_id: str | None) -> AlertRule:
    rule = await alerts.find(connection, rule_id, owner_id)
    if rule is None:
        raise NotFoundError(f"there is no alert rule {rule_id}")
    return rule


async def _columns(
    connection: AsyncConnection, definition: AlertDefinition, owner_id: str | None, old: AlertRule | None
) -> dict[str, Any]:
    columns = definition.columns()
    columns["channel"] = unmasked(columns["channel"], None if old is None else old.channel)
    if owner_id is not None:
        columns["owner_id"] = owner_id
    # A rule whose job was deleted meanwhile can still be changed in all else.
    if definition.job_id is not None and (old is None or old.job_id != definition.job_id):
        job = await jobs.find(connection, definition.job_id)
        if job is None or (owner_id is not None and job.owner_id != owner_id):
            raise InvalidInputError(FieldProblem("job_id", "there is no such job", definition.job_id))
    return columns


def _sample(kind: AlertKind, name: str, now: datetime) -> Alert:
    is_of_run = kind is not AlertKind.TEST
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
    )


_SAMPLE_FAILURE = Failure(attempt=1, exit_code=3, log_tail="Traceback …\nValueError: no data\n")
