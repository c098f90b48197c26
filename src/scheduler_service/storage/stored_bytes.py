"""Counts the bytes of logs and artifacts that owners have stored.

Theory of operation. Only owners with a quota of them are counted, at intervals, each into one row. Fires and requests
read these rows, which costs the same however many runs there are, and nothing is counted where logs are written. An
owner whose quota is newer than the latest count has no row yet, and uses nothing until then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, and_, bindparam, cast, delete, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.quotas import BYTES_OF_MB, megabytes
from scheduler_service.storage.dialect import is_sqlite
from scheduler_service.storage.quota_tables import owner_bytes, owner_quotas
from scheduler_service.storage.tables import runs

ByteCount = Callable[[AsyncConnection, ColumnElement[bool]], Awaitable[dict[str, int]]]
"""Returns bytes by owner, of the runs that a condition names."""

_given = select(owner_quotas.c.owner_id).where(owner_quotas.c.stored_mb > 0)
_is_uncounted = owner_quotas.c.owner_id.not_in(select(owner_bytes.c.owner_id))
_state = select(
    _given.exists().label("is_given"),
    _given.where(_is_uncounted).exists().label("is_new"),
    select(func.min(owner_bytes.c.counted_at)).scalar_subquery().label("counted_at"),
)


async def find_mb(connection: AsyncConnection, owners: Collection[str]) -> dict[str, int]:
    """Return what owners use in megabytes, without those that were not counted."""
    if not owners:
        return {}
    query = select(owner_bytes.c.owner_id, owner_bytes.c.bytes).where(owner_bytes.c.owner_id.in_(sorted(owners)))
    return {row.owner_id: megabytes(row.bytes) for row in await connection.execute(query)}


async def is_due(connection: AsyncConnection, default_mb: int | None, now: datetime, interval: timedelta) -> bool:
    """Return whether the latest count is older than the interval, or of other owners than those with a quota."""
    state = (await connection.execute(_state)).one()
    if default_mb is None and not state.is_given:
        return state.counted_at is not None
    is_fresh = state.counted_at is not None and timedelta(0) <= now - state.counted_at < interval
    return state.is_new or not is_fresh


def is_limited(default_mb: int | None) -> ColumnElement[bool]:
    """Return the condition that the owner of a run has a quota. `default_mb` holds for owners without others."""
    if default_mb is None:
        return runs.c.owner_id.in_(_given)
    return runs.c.owner_id.not_in(select(owner_quotas.c.owner_id).where(owner_quotas.c.stored_mb == 0))


def is_full() -> ColumnElement[bool]:
    """Return the condition that an owner has no room, in a join of both tables. The default is `max_stored_mb`."""
    default = bindparam("max_stored_mb", type_=Integer())
    allowed = cast(func.coalesce(owner_quotas.c.stored_mb, default, 0), BigInteger)
    used = func.coalesce(owner_bytes.c.bytes, 0)
    return and_(allowed > 0, used >= allowed * literal(BYTES_OF_MB, BigInteger()))


async def log_bytes(connection: AsyncConnection, condition: ColumnElement[bool]) -> dict[str, int]:
    """Return the bytes of logs by owner, of the runs that the condition names."""
    total = cast(func.sum(runs.c.log_bytes), BigInteger)
    query = select(runs.c.owner_id, total).where(condition, runs.c.log_bytes > 0).group_by(runs.c.owner_id)
    return dict((await connection.execute(query)).all())


async def replace(connection: AsyncConnection, counted: Mapping[str, int], now: datetime) -> None:
    """Store a count, and remove the earlier counts of all other owners."""
    given = (await connection.execute(_given)).scalars()
    sums = {**dict.fromkeys(given, 0), **counted}
    dialect = sqlite if is_sqlite(connection) else postgresql
    insert: Any = dialect.insert(owner_bytes)
    fresh = {name: insert.excluded[name] for name in ("bytes", "counted_at")}
    # In the order of their ids, as every transaction.
    rows = [{"owner_id": owner_id, "bytes": count, "counted_at": now} for owner_id, count in sorted(sums.items())]
    if rows:
        await connection.execute(insert.on_conflict_do_update(index_elements=["owner_id"], set_=fresh), rows)
    await connection.execute(delete(owner_bytes).where(owner_bytes.c.counted_at != now))
