"""What people are told: stored with the cause, sent afterwards, at least once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import and_, case, delete, func, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.alerting import Alert, AlertKind, Failure
from scheduler_service.domain.run_state import Reason
from scheduler_service.storage.alert_tables import alert_rules, deliveries
from scheduler_service.storage.dialect import insert_or_ignore

DeliveryStatus = Literal["pending", "delivered", "failed"]
EndStatus = Literal["delivered", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One alert on its way to one channel."""

    id: int
    rule_id: int
    key: str
    kind: AlertKind
    job_id: int | None
    run_id: int | None
    alert: Mapping[str, Any]
    status: DeliveryStatus
    tries: int
    next_try_at: datetime
    error: str | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A delivery that this process is to send, with the channel to use."""

    delivery: Delivery
    channel: Mapping[str, Any]

    @property
    def alert(self) -> Alert:
        """What to tell."""
        given = self.delivery.alert
        return Alert(
            kind=self.delivery.kind,
            job_id=self.delivery.job_id,
            job_name=given["job_name"],
            owner_id=given["owner_id"],
            run_id=self.delivery.run_id,
            at=datetime.fromisoformat(given["at"]),
            reason=None if given["reason"] is None else Reason(given["reason"]),
            seconds=given["seconds"],
            count=given["count"],
            failure=Failure(**given["failure"]) if given.get("failure") else None,
            worker=given.get("worker"),
            message=given.get("message"),
        )


async def add(connection: AsyncConnection, rule_id: int, key: str, alert: Alert, now: datetime) -> None:
    """Store an alert to be sent at once; one that the rule has told already is passed over."""
    content = {
        "job_name": alert.job_name,
        "owner_id": alert.owner_id,
        "at": alert.at.isoformat(),
        "reason": alert.reason,
        "seconds": alert.seconds,
        "count": alert.count,
        "failure": None if alert.failure is None else asdict(alert.failure),
        "worker": alert.worker,
        "message": alert.message,
    }
    values = {"rule_id": rule_id, "key": key, "kind": alert.kind, "job_id": alert.job_id, "run_id": alert.run_id}
    begun = {"status": "pending", "tries": 0, "next_try_at": now, "created_at": now}
    await connection.execute(insert_or_ignore(connection, deliveries).values(**values, **begun, alert=content))


async def last_told_at(connection: AsyncConnection, rule_id: int, kind: AlertKind, job_id: int) -> datetime | None:
    """Return the instant of what a rule told last of a job; None: it told nothing of that kind."""
    mine = and_(deliveries.c.rule_id == rule_id, deliveries.c.kind == kind, deliveries.c.job_id == job_id)
    query = select(deliveries.c.alert).where(mine).order_by(deliveries.c.id.desc()).limit(1)
    alert = (await connection.execute(query)).scalar_one_or_none()
    return None if alert is None else datetime.fromisoformat(alert["at"])


async def is_any_due(connection: AsyncConnection, now: datetime) -> bool:
    """Return whether there is anything to take; a look that costs no lock."""
    due = and_(deliveries.c.status == literal_column("'pending'"), deliveries.c.next_try_at <= now)
    return (await connection.execute(select(deliveries.c.id).where(due).limit(1))).one_or_none() is not None


async def take(
    connection: AsyncConnection,
    now: datetime,
    limit: int,
    lease_seconds: float,
    *,
    of_each_rule: int,
    one_of: Collection[int] = (),
    not_of: Collection[int] = (),
) -> list[Outgoing]:
    """Lease due deliveries. One that is not finished within `lease_seconds` becomes available to other senders.

    No more than `of_each_rule`, a single one of the rules `one_of`, and none of the rules `not_of`: a receiver that
    hangs must not hold up the others. The first of each rule comes before the second of any.
    """
    is_due = and_(deliveries.c.status == literal_column("'pending'"), deliveries.c.next_try_at <= now)
    rank = func.row_number().over(partition_by=deliveries.c.rule_id, order_by=deliveries.c.next_try_at)
    most = case((deliveries.c.rule_id.in_(one_of), 1), else_=of_each_rule)
    allowed = select(deliveries.c.id, rank.label("rank"), most.label("most"))
    ranked = allowed.where(is_due, deliveries.c.rule_id.not_in(not_of)).subquery()
    due = (
        select(deliveries.c.id)
        .join(ranked, ranked.c.id == deliveries.c.id)
        .where(is_due, ranked.c.rank <= ranked.c.most)
        .order_by(ranked.c.rank, deliveries.c.next_try_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=deliveries)
    )
    ids = list((await connection.execute(due)).scalars())
    if not ids:
        return []
    leased = {"tries": deliveries.c.tries + 1, "next_try_at": now + timedelta(seconds=lease_seconds)}
    await connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(leased))
    query = (
        select(deliveries, alert_rules.c.channel)
        .join_from(deliveries, alert_rules, alert_rules.c.id == deliveries.c.rule_id)
        .where(deliveries.c.id.in_(ids))
        .order_by(deliveries.c.id)
    )
    rows = [dict(row) for row in (await connection.execute(query)).mappings()]
    return [Outgoing(channel=row.pop("channel"), delivery=Delivery(**row)) for row in rows]


async def end(
    connection: AsyncConnection, delivery_id: int, status: EndStatus, error: str | None, now: datetime
) -> None:
    """Note that a delivery arrived, or is given up."""
    values = {"status": status, "error": error, "ended_at": now}
    await connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(values))


async def try_again(connection: AsyncConnection, delivery_id: int, error: str, next_try_at: datetime) -> None:
    """Note that a delivery did not arrive, and when to try again."""
    values = {"error": error, "next_try_at": next_try_at}
    mine = and_(deliveries.c.id == delivery_id, deliveries.c.status == literal_column("'pending'"))
    await connection.execute(update(deliveries).where(mine).values(values))


async def call_off(connection: AsyncConnection, rule_id: int, error: str, now: datetime) -> None:
    """End what a rule still would have told."""
    pending = and_(deliveries.c.rule_id == rule_id, deliveries.c.status == literal_column("'pending'"))
    values = {"status": "failed", "error": error, "ended_at": now}
    await connection.execute(update(deliveries).where(pending).values(values))


async def of_rule(connection: AsyncConnection, rule_id: int, limit: int) -> list[Delivery]:
    """Return the newest deliveries of a rule."""
    query = select(deliveries).where(deliveries.c.rule_id == rule_id).order_by(deliveries.c.id.desc()).limit(limit)
    return [Delivery(**row) for row in (await connection.execute(query)).mappings()]


async def prune(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Forget deliveries that ended before an instant; returns how many."""
    keys = select(deliveries.c.id).where(deliveries.c.ended_at < before).order_by(deliveries.c.ended_at).limit(limit)
    return (await connection.execute(delete(deliveries).where(deliveries.c.id.in_(keys)))).rowcount
