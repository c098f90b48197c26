"""The service's side of what a run leaves: a copy of its bytes, which outlasts the run's directory.

The artifacts go to one file without a name, beside the directories of runs. It costs no name, no cleaning up after a
crash, and one descriptor however many artifacts there are.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, cast

from scheduler_service.sandbox.contract.collected import Artifact, Collected
from scheduler_service.sandbox.contract.protocol import RunReport
from scheduler_service.sandbox.runtime.collection import collect, read_exactly
from scheduler_service.sandbox.supervisor_client import SupervisorClient

_CHUNK_BYTES = 1 << 20


async def receive_collected(supervisor: SupervisorClient, report: RunReport, room: Path) -> Collected:
    """Receive what the report announces. Keep the bytes of artifacts in a file below `room`.

    A host that fails at this does not make the run fail: the artifacts are then a problem of the result.
    """
    result = None if report.result_bytes is None else await supervisor.receive(report.result_bytes)
    if report.result_bytes and not result:
        return Collected(problems=("the result and the artifacts are lost: the supervisor of the run was killed",))
    if not report.artifacts:
        return Collected(result, problems=tuple(report.left_out))
    try:
        spool = _open_spool(room)
        try:
            artifacts = _laid_out(report.artifacts)
            await _copy(supervisor, spool, sum(file.size for file in artifacts))
        except BaseException:
            spool.close()
            raise
    except OSError as error:
        return Collected(result, problems=(*report.left_out, f"the artifacts are lost: {error}"))
    return Collected(result, artifacts, tuple(report.left_out), spool)


def collect_from(directory: Path, max_bytes: int, room: Path) -> Collected:
    """Collect what a run left in `directory`, at a level where it may still have processes. Blocks on the disk."""
    collection, spool = collect(str(directory), max_bytes, None), None
    try:
        result = None if collection.result is None else b"".join(read_exactly(collection.result))
        artifacts = _laid_out((file.name, file.size) for file in collection.artifacts)
        if artifacts:
            spool = _open_spool(room)
            for file in collection.artifacts:
                spool.writelines(read_exactly(file))
    except OSError as error:
        if spool is not None:
            spool.close()
        return Collected(problems=(*collection.problems, f"the result and the artifacts are lost: {error}"))
    finally:
        collection.close()
    return Collected(result, artifacts, tuple(collection.problems), spool)


def _open_spool(room: Path) -> BinaryIO:
    return cast("BinaryIO", tempfile.TemporaryFile(dir=room))


def _laid_out(files: Iterable[tuple[str, int]]) -> tuple[Artifact, ...]:
    """Return the artifacts, one after the other in the spool."""
    artifacts, offset = [], 0
    for name, size in files:
        artifacts.append(Artifact(name, size, offset))
        offset += size
    return tuple(artifacts)


async def _copy(supervisor: SupervisorClient, spool: BinaryIO, size: int) -> None:
    while size:
        chunk = await supervisor.receive(min(size, _CHUNK_BYTES))
        if not chunk:
            raise OSError("the supervisor of the run was killed")
        await asyncio.to_thread(spool.write, chunk)
        size -= len(chunk)
