"""The part of a claim that divides free slots between owners.

Theory of operation. The queue is sorted by owners, so a loose scan finds the owners with queued runs by one step of the
index for each, however long their queues are. Owners are sorted by their running runs, divided by their weight: an
owner that has none comes first. Owners with equally few take turns; see `domain/fair_turns`. Each gets a share of the
free slots by its weight, and at least one. A claim visits the owners in this order until the slots are filled, so it
does not read the queues of further owners. Slots that an owner leaves free are filled by the next claim. An owner at
its quota of concurrent runs is left out.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Float,
    FromClause,
    Integer,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from scheduler_service.domain.fair_turns import MAX_OWNERS
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage.quota_tables import owner_quotas
from scheduler_service.storage.tables import runs, with_status

LIMIT = bindparam("limit", type_=Integer())
"""The free slots of the worker."""

ONE: ColumnElement[int] = literal_column("1", Integer())
_ZERO: ColumnElement[int] = literal_column("0", Integer())


def urgency(run: FromClause) -> tuple[ColumnElement[Any], ...]:
    """Return the order of the runs of one owner."""
    return run.c.priority.desc(), run.c.available_at, run.c.id


def owners_in_turn(*, of_sqlite: bool) -> CTE:
    """Return the owners with queued runs, sorted by `turn`.

    `share` is how many runs of an owner may begin now, and `quota` how many may run at once; NULL: any number.
    """
    waiting, held, served = _waiting(), _held(), _served(of_sqlite=of_sqlite)
    count = func.coalesce(held.c.held, _ZERO)
    given = func.coalesce(owner_quotas.c.concurrent_runs, bindparam("max_concurrent_runs", type_=Integer()))
    quota = func.nullif(given, _ZERO)
    weight = func.coalesce(owner_quotas.c.weight, ONE)
    waited = func.coalesce(served.c.waited, literal_column(str(MAX_OWNERS + 1), Integer()))
    order = (cast(count, Float()) / weight, (weight * waited).desc(), weight.desc(), waiting.c.owner_id)
    part = cast(LIMIT * weight / func.sum(weight).over(), Integer())
    share = case((part < ONE, ONE), (quota - count < part, quota - count), else_=part)
    rows = (
        waiting.outerjoin(held, held.c.owner_id == waiting.c.owner_id)
        .outerjoin(owner_quotas, owner_quotas.c.owner_id == waiting.c.owner_id)
        .outerjoin(served, served.c.owner_id == waiting.c.owner_id)
    )
    turn = func.row_number().over(order_by=order).label("turn")
    return (
        select(waiting.c.owner_id, quota.label("quota"), share.label("share"), turn)
        .select_from(rows)
        .where(waiting.c.owner_id.is_not(None), or_(quota.is_(None), count < quota))
        .order_by(turn)
        .cte("owners")
        # A scan of a materialized table keeps its order.
        .prefix_with("MATERIALIZED")
    )


def _waiting() -> CTE:
    """Return the owners with queued runs, and NULL at the end, by a loose scan of the queue."""
    # Not min(), which PostgreSQL plans twice.
    queued = select(runs.c.owner_id).where(with_status(RunStatus.QUEUED)).order_by(runs.c.owner_id).limit(ONE)
    waiting = select(queued.scalar_subquery().label("owner_id")).cte("waiting", recursive=True)
    following = queued.where(runs.c.owner_id > waiting.c.owner_id).correlate(waiting).scalar_subquery()
    return waiting.union_all(select(following).where(waiting.c.owner_id.is_not(None)))


def _held() -> FromClause:
    """Return the number of running runs of each owner that has any. They are few: as many as all slots at most."""
    running = select(runs.c.owner_id, func.count().label("held")).where(with_status(RunStatus.RUNNING))
    return running.group_by(runs.c.owner_id).subquery("held")


def _served(*, of_sqlite: bool) -> FromClause:
    """Return how many runs ago this worker began one of each owner that it remembers."""
    document = bindparam("turns", type_=Text())
    if of_sqlite:
        each = func.json_each(document).table_valued("key", "value", name="each")
    else:
        each = func.jsonb_each_text(cast(document, JSONB())).table_valued("key", "value", name="each")
    return select(each.c.key.label("owner_id"), cast(each.c.value, Integer()).label("waited")).subquery("served")
