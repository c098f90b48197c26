"""The logs of runs: UTF-8 bytes in pieces. A position is a number of bytes from the start of the log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.records import Run, RunState
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.storage.direct import AnyConnection
from scheduler_service.storage.leases import HELD, Lease
from scheduler_service.storage.tables import run_logs, runs

_lengthen = (
    update(runs)
    .where(HELD, runs.c.log_bytes == bindparam("at_byte"))
    .values(log_bytes=runs.c.log_bytes + bindparam("added"))
)
_length = select(runs.c.log_bytes).where(HELD)
_append = insert(run_logs)
_from = (
    select(run_logs.c.at_byte, run_logs.c.data)
    .where(
        run_logs.c.run_id == bindparam("of_run"),
        run_logs.c.at_byte + func.length(run_logs.c.data) > bindparam("offset"),
        run_logs.c.at_byte < bindparam("end"),
    )
    .order_by(run_logs.c.at_byte)
)
# The text is the same for every list, so that the database plans it once.
_ends = (
    select(run_logs)
    .join(runs, runs.c.id == run_logs.c.run_id)
    .where(
        run_logs.c.run_id.in_(bindparam("of_runs", expanding=True)),
        run_logs.c.at_byte + func.length(run_logs.c.data) > runs.c.log_bytes - bindparam("size"),
    )
    .order_by(run_logs.c.run_id, run_logs.c.at_byte)
)

_FAR = 2**63 - 1
_MAX_CHARACTER_BYTES = 4
_CONTINUATION, _CONTINUATION_MASK = 0x80, 0xC0


@dataclass(frozen=True, slots=True)
class LogPiece:
    """Bytes of a log that begin at `at_byte`."""

    at_byte: int = 0
    data: bytes = b""


async def lengths(connection: AsyncConnection, run_ids: Iterable[int]) -> dict[int, tuple[RunStatus, int]]:
    """Return the states of runs and the lengths of their logs."""
    query = select(runs.c.id, runs.c.status, runs.c.log_bytes).where(runs.c.id.in_(list(run_ids)))
    return {run_id: (status, length) for run_id, status, length in await connection.execute(query)}


async def append_rest(connection: AnyConnection, lease: Lease, rest: LogPiece) -> bool:
    """Append the last piece of a log, if it has any bytes. Return False if the lease is lost."""
    return not rest.data or await append(connection, lease, rest.data, rest.at_byte)


async def append(connection: AnyConnection, lease: Lease, data: bytes, at_byte: int) -> bool:
    """Append to a run's log, which ends at `at_byte`. Return False if the lease is lost.

    Repeating a call with the same position adds nothing. This covers a commit whose answer was lost.
    """
    binds = {**lease.binds, "at_byte": at_byte, "added": len(data)}
    if (await connection.execute(_lengthen, binds)).rowcount == 0:
        length: int | None = (await connection.execute(_length, lease.binds)).scalar_one_or_none()
        return length == at_byte + len(data)
    await connection.execute(_append, {"run_id": lease.run_id, "at_byte": at_byte, "data": data})
    return True


async def read(connection: AsyncConnection, run_id: int, offset: int = 0, size: int | None = None) -> bytes:
    """Return up to `size` bytes of a run's log from `offset`, without a partial character at the end."""
    end = _FAR if size is None else min(_FAR, offset + size)
    pieces = await connection.execute(_from, {"of_run": run_id, "offset": offset, "end": end})
    data = b"".join(data[max(0, offset - at_byte) :] for at_byte, data in pieces)
    return data if size is None or len(data) <= size else _whole_characters(data[:size])


def _whole_characters(data: bytes) -> bytes:
    """Return UTF-8 without an incomplete character at its end (RFC 3629, section 3)."""
    for back in range(1, min(len(data), _MAX_CHARACTER_BYTES) + 1):
        first = data[-back]
        if first & _CONTINUATION_MASK != _CONTINUATION:
            return data[:-back] if back < _length_of(first) else data
    return data


def _length_of(first: int) -> int:
    return next((length for length, mark in ((4, 0xF0), (3, 0xE0), (2, 0xC0)) if first >= mark), 1)


async def tails(connection: AsyncConnection, of: Iterable[Run | RunState], size: int) -> dict[int, bytes]:
    """Return the last `size` bytes of each run's log with one query. Runs without a log are left out."""
    starts = {run.id: max(0, run.log_bytes - size) for run in of if run.log_bytes}
    if not starts:
        return {}
    found: dict[int, bytes] = {}
    for run_id, at_byte, data in await connection.execute(_ends, {"of_runs": list(starts), "size": size}):
        found[run_id] = found.get(run_id, b"") + data[max(0, starts[run_id] - at_byte) :]
    return found
