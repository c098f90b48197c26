"""The deliveries in SQL: stored with their cause, leased by senders, ended once.

A delivery is `pending` until it is `delivered` or `failed`. A sender leases it by moving `next_try_at` to the end of
the lease, so a delivery whose sender has died becomes due again by itself. A receiver may therefore get it twice, under
the same id, and never misses it silently.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, case, delete, func, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.features.alerts.records import Delivery, EndStatus, LeasedDelivery
from scheduler_service.features.alerts.rules import Alert, AlertKind
from scheduler_service.features.alerts.tables import alert_rules, deliveries
from scheduler_service.storage.dialect import insert_or_ignore

# A literal, since the index of pending deliveries is partial: the planner must see the value.
_IS_PENDING = deliveries.c.status == literal_column("'pending'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """How many deliveries of one rule a sender may lease at once, so that a receiver that hangs delays no other.

    `most` in general, one for the `failing` rules, none for the `full` rules, whose share is being sent.
    """

    most: int
    failing: Collection[int] = ()
    full: Collection[int] = ()


async def add(connection: AsyncConnection, rule_id: int, key: str, alert: Alert, now: datetime) -> None:
    """Store a delivery that is due at once. Nothing happens if the rule has one with this key."""
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


async def last_alert_at(connection: AsyncConnection, rule_id: int, kind: AlertKind, job_id: int) -> datetime | None:
    """Return the instant of a rule's last alert of a kind about a job; None if there is none."""
    same = and_(deliveries.c.rule_id == rule_id, deliveries.c.kind == kind, deliveries.c.job_id == job_id)
    query = select(deliveries.c.alert).where(same).order_by(deliveries.c.id.desc()).limit(1)
    alert = (await connection.execute(query)).scalar_one_or_none()
    return None if alert is None else datetime.fromisoformat(alert["at"])


async def next_due_at(connection: AsyncConnection) -> datetime | None:
    """Return when the next pending delivery is due, or None if there is none. The query takes no lock."""
    query = select(func.min(deliveries.c.next_try_at)).where(_IS_PENDING)
    instant: datetime | None = (await connection.execute(query)).scalar_one()
    return instant


async def lease(
    connection: AsyncConnection, now: datetime, limit: int, lease_seconds: float, shares: Shares
) -> list[LeasedDelivery]:
    """Lease due deliveries. One that is not finished within `lease_seconds` becomes available to other senders.

    The first delivery of each rule comes before the second of any.
    """
    ids = list((await connection.execute(_due(now, limit, shares))).scalars())
    if not ids:
        return []
    leased = {"tries": deliveries.c.tries + 1, "next_try_at": now + timedelta(seconds=lease_seconds)}
    await connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(leased))
    return await _with_channels(connection, ids)


def _due(now: datetime, limit: int, shares: Shares) -> Select[Any]:
    """Build the query that finds and locks due deliveries, those of other senders passed over.

    PostgreSQL refuses FOR UPDATE beside a window function, so the ranks come from a subquery. It may be stale when the
    rows are locked, so the outer query checks again that they are due.
    """
    is_due = and_(_IS_PENDING, deliveries.c.next_try_at <= now)
    rank = func.row_number().over(partition_by=deliveries.c.rule_id, order_by=deliveries.c.next_try_at)
    share = case((deliveries.c.rule_id.in_(shares.failing), 1), else_=shares.most)
    candidates = select(deliveries.c.id, rank.label("rank"), share.label("share"))
    ranked = candidates.where(is_due, deliveries.c.rule_id.not_in(shares.full)).subquery()
    return (
        select(deliveries.c.id)
        .join(ranked, ranked.c.id == deliveries.c.id)
        .where(is_due, ranked.c.rank <= ranked.c.share)
        .order_by(ranked.c.rank, deliveries.c.next_try_at)
        .limit(limit)
        .with_for_update(skip_locked=True, of=deliveries)
    )


async def _with_channels(connection: AsyncConnection, ids: Sequence[int]) -> list[LeasedDelivery]:
    query = (
        select(deliveries, alert_rules.c.channel)
        .join_from(deliveries, alert_rules, alert_rules.c.id == deliveries.c.rule_id)
        .where(deliveries.c.id.in_(ids))
        .order_by(deliveries.c.id)
    )
    rows = [dict(row) for row in (await connection.execute(query)).mappings()]
    return [LeasedDelivery(channel=row.pop("channel"), delivery=Delivery(**row)) for row in rows]


async def end(
    connection: AsyncConnection, delivery_id: int, status: EndStatus, error: str | None, now: datetime
) -> None:
    """End a delivery: it arrived, or it is given up."""
    values = {"status": status, "error": error, "ended_at": now}
    await connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(values))


async def postpone(connection: AsyncConnection, delivery_id: int, error: str, next_try_at: datetime) -> None:
    """Store why a pending delivery did not arrive, and when the next try is due."""
    values = {"error": error, "next_try_at": next_try_at}
    pending = and_(deliveries.c.id == delivery_id, _IS_PENDING)
    await connection.execute(update(deliveries).where(pending).values(values))


async def cancel_pending(connection: AsyncConnection, rule_id: int, error: str, now: datetime) -> None:
    """End the pending deliveries of a rule as failed."""
    pending = and_(deliveries.c.rule_id == rule_id, _IS_PENDING)
    values = {"status": "failed", "error": error, "ended_at": now}
    await connection.execute(update(deliveries).where(pending).values(values))


async def of_rule(connection: AsyncConnection, rule_id: int, limit: int) -> list[Delivery]:
    """Return the newest deliveries of a rule."""
    query = select(deliveries).where(deliveries.c.rule_id == rule_id).order_by(deliveries.c.id.desc()).limit(limit)
    return [Delivery(**row) for row in (await connection.execute(query)).mappings()]


async def prune(connection: AsyncConnection, before: datetime, limit: int) -> int:
    """Delete deliveries that ended before an instant, and return how many."""
    keys = select(deliveries.c.id).where(deliveries.c.ended_at < before).order_by(deliveries.c.ended_at).limit(limit)
    return (await connection.execute(delete(deliveries).where(deliveries.c.id.in_(keys)))).rowcount
