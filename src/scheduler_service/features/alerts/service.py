"""Calls of clients about alert rules, one transaction each."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.caller import Caller, Scope
from scheduler_service.domain.run_state import Reason
from scheduler_service.errors import FieldProblem, InvalidInputError, NotFoundError
from scheduler_service.features.alerts import deliveries, messages, store
from scheduler_service.features.alerts.channels.registry import read_channel, unmasked
from scheduler_service.features.alerts.definition import AlertDefinition, changed, inspect_rule
from scheduler_service.features.alerts.records import AlertRule, Delivery
from scheduler_service.features.alerts.rules import Alert, AlertKind, Failure
from scheduler_service.outbound.address_guard import Reach
from scheduler_service.services.audit import Target, record
from scheduler_service.services.inspection import Inspection, without_surplus
from scheduler_service.services.json_document import JsonDocument
from scheduler_service.services.read_only import without_read_only
from scheduler_service.storage import jobs
from scheduler_service.storage.clock import Clock
from scheduler_service.storage.database import Database

SHOWN_DELIVERIES = 50

Shown = Callable[[AlertRule], JsonDocument]
"""Returns a rule as the API shows it."""
_Merge = Callable[[AlertRule, JsonDocument], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Preview:
    """An alert of one kind, with sample values."""

    kind: AlertKind
    headline: str
    document: Mapping[str, Any]


class AlertService:
    """Creates, changes and tests alert rules. A caller bound to an owner reaches the rules of that owner only."""

    def __init__(self, database: Database, clock: Clock, base_url: str, *, reach: Reach, has_mail: bool) -> None:
        """Keep the rules in this database. The links in previews begin with `base_url`.

        `reach` and `has_mail` are what the settings of this process allow.
        """
        self._database = database
        self._base_url = base_url
        self._clock = clock
        self._reach: Reach = reach
        self._has_mail = has_mail

    async def create(self, caller: Caller, document: JsonDocument) -> AlertRule:
        """Create a rule; raises `RejectedError` with everything that is wrong with it."""
        caller.require(Scope.WRITE)
        now = self._clock.now()
        async with self._database.write() as connection:
            columns = await _columns(connection, caller, inspect_rule(document), None)
            rule = await store.add(connection, {**columns, "created_at": now, "updated_at": now})
            await record(connection, caller, "createAlert", _target(rule), now, after=_fields(rule))
            return rule

    def warnings(self, rule: AlertRule) -> tuple[str, ...]:
        """Return why the deliveries of a rule will fail with the settings of this process."""
        obstacle = read_channel(rule.channel).obstacle(self._reach, has_mail=self._has_mail)
        return () if obstacle is None else (obstacle,)

    async def list_rules(self, caller: Caller) -> Sequence[AlertRule]:
        """Return all rules, the oldest first."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            return await store.list_rules(connection, caller.bound)

    async def get(self, caller: Caller, rule_id: int) -> AlertRule:
        """Return a rule; raises `NotFoundError`."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            return await _existing(connection, caller, rule_id)

    async def replace(
        self, caller: Caller, rule_id: int, document: JsonDocument, shown: Shown | None = None
    ) -> AlertRule:
        """Replace the definition of a rule. Secrets that are sent as they are shown, or not at all, stay.

        `shown` returns a rule as the API shows it: its read-only fields may be sent back unchanged.
        """
        return await self._change(caller, rule_id, document, shown, ("replaceAlert", lambda _, sent: dict(sent)))

    async def patch(self, caller: Caller, rule_id: int, changes: JsonDocument, shown: Shown | None = None) -> AlertRule:
        """Change some fields of a rule, null to the default; `shown` is as for `replace`."""
        return await self._change(caller, rule_id, changes, shown, ("patchAlert", changed))

    async def delete(self, caller: Caller, rule_id: int) -> None:
        """Delete a rule and its deliveries, the pending ones included; raises `NotFoundError`."""
        caller.require(Scope.WRITE)
        async with self._database.write() as connection:
            rule = await _existing(connection, caller, rule_id)
            await store.delete_rule(connection, rule_id)
            await record(connection, caller, "deleteAlert", _target(rule), self._clock.now(), before=_fields(rule))

    async def test(self, caller: Caller, rule_id: int) -> Delivery:
        """Create the delivery of a test, which is sent like any alert."""
        caller.require(Scope.WRITE)
        now = self._clock.now()
        async with self._database.write() as connection:
            rule = await _existing(connection, caller, rule_id)
            alert = _sample(AlertKind.TEST, rule.name, now)
            await deliveries.add(connection, rule.id, f"test:{secrets.token_hex(8)}", alert, now)
            await record(connection, caller, "testAlert", _target(rule), now)
            return (await deliveries.of_rule(connection, rule.id, 1))[0]

    async def deliveries(self, caller: Caller, rule_id: int) -> Sequence[Delivery]:
        """Return the latest deliveries of a rule, the newest first."""
        caller.require(Scope.READ)
        async with self._database.read() as connection:
            await _existing(connection, caller, rule_id)
            return await deliveries.of_rule(connection, rule_id, SHOWN_DELIVERIES)

    async def _change(
        self, caller: Caller, rule_id: int, sent: JsonDocument, shown: Shown | None, edit: tuple[str, _Merge]
    ) -> AlertRule:
        """Change a rule by an operation: its name, and what it makes of the old rule and of what was sent."""
        caller.require(Scope.WRITE)
        operation, merged = edit
        now = self._clock.now()
        async with self._database.write() as connection:
            old = await _existing(connection, caller, rule_id)
            differing: list[FieldProblem] = []
            if shown is not None:
                sent, differing = without_read_only(AlertDefinition, sent, shown(old))
            sent, further = without_surplus(AlertDefinition, sent)
            columns = await _columns(connection, caller, inspect_rule(merged(old, sent), further), old, differing)
            await store.replace(connection, rule_id, {**columns, "updated_at": now})
            if not columns["enabled"]:
                await deliveries.cancel_pending(connection, rule_id, "the rule was disabled", now)
            new = await _existing(connection, caller, rule_id)
            await record(connection, caller, operation, _target(new), now, before=_fields(old), after=_fields(new))
            return new

    def preview(self, caller: Caller, document: JsonDocument) -> list[Preview]:
        """Return the alerts of a rule with sample values, storing and sending nothing. Raises `RejectedError`."""
        caller.require(Scope.READ)
        definition = inspect_rule(document).accept()
        samples = [_sample(kind, "Mathematical Analysis", self._clock.now()) for kind in definition.on]
        return [Preview(alert.kind, alert.headline, messages.document(alert, 1, self._base_url)) for alert in samples]


def _target(rule: AlertRule) -> Target:
    return Target(f"alerts/{rule.id}", rule.owner_id)


def _fields(rule: AlertRule) -> dict[str, Any]:
    """Return the definition of a rule without the secrets of its channel."""
    kept = {name: value for name, value in asdict(rule).items() if name not in {"id", "created_at", "updated_at"}}
    return {**kept, "channel": read_channel(rule.channel).masked()}


async def _existing(connection: AsyncConnection, caller: Caller, rule_id: int) -> AlertRule:
    rule = await store.find(connection, rule_id, caller.bound)
    if rule is None:
        raise NotFoundError(f"there is no alert rule {rule_id}")
    return rule


async def _columns(
    connection: AsyncConnection,
    caller: Caller,
    inspection: Inspection[AlertDefinition],
    old: AlertRule | None,
    differing: Sequence[FieldProblem] = (),
) -> dict[str, Any]:
    """Return the columns of a rule; raises `RejectedError` with everything that is wrong with it."""
    problems, valid_part = list(differing), inspection.valid_part
    channel: dict[str, Any] = {}
    if valid_part is not None and inspection.is_whole("channel"):
        try:
            channel = unmasked(valid_part.columns()["channel"], None if old is None else old.channel)
        except InvalidInputError as error:
            problems += error.problems
    if valid_part is not None and inspection.is_sent("job_id"):
        problems += await _job_problems(connection, caller, valid_part, old)
    columns = {**inspection.accept(problems).columns(), "channel": channel}
    return columns if caller.bound is None else {**columns, "owner_id": caller.bound}


async def _job_problems(
    connection: AsyncConnection, caller: Caller, definition: AlertDefinition, old: AlertRule | None
) -> list[FieldProblem]:
    # The other fields of a rule can be changed even if its job was deleted.
    if definition.job_id is None or (old is not None and old.job_id == definition.job_id):
        return []
    job = await jobs.find(connection, definition.job_id, owner_id=caller.bound)
    return (
        []
        if job is not None
        else [FieldProblem("job_id", "this job does not exist; name an existing one, or omit it", definition.job_id)]
    )


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
