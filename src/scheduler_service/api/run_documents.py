"""Shows lists of runs from kept parts of JSON.

Theory of operation. A run that has ended does not change any more, except for the name of its job and what retention
leaves of its log. The other fields are kept as bytes, so a list reads few columns of the runs that were shown before.
"""

from __future__ import annotations

from datetime import datetime

from pydantic_core import to_json

from scheduler_service.api.kept_parts import KeptParts, Parts
from scheduler_service.api.schemas.runs import RunOut
from scheduler_service.domain.records import Run, RunState
from scheduler_service.domain.run_state import TERMINAL
from scheduler_service.services.run_listing import RunPage
from scheduler_service.services.runs import RunView

_NAMES = tuple(RunOut.model_fields)
_NAME, _LOGS = _NAMES.index("job_name"), _NAMES.index("logs")
# The parts between the name of the job, and `logs` with `logs_tail`.
_PARTS = _NAMES[:_NAME], _NAMES[_NAME + 1 : _LOGS], _NAMES[_LOGS + 2 :]

Key = tuple[int, datetime | None, int]


class RunListDocument:
    """One list of runs, and the parts of JSON of those that have ended and are kept."""

    def __init__(self, kept: KeptParts[Key]) -> None:
        self._kept = kept
        self._parts: dict[int, Parts] = {}

    def knows(self, state: RunState) -> bool:
        """Return whether the unchanging fields of a run are kept, and hold them for this list."""
        if (parts := self._kept.find(_key(state))) is not None:
            self._parts[state.id] = parts
        return parts is not None

    def show(self, page: RunPage) -> bytes:
        """Return the JSON of the list, and keep the parts of runs that have ended."""
        found = [state for state in page.listing.items if state.id in page.unknown or state.id in self._parts]
        return b"[" + b",".join(self._show(state, page) for state in found) + b"]"

    def _show(self, state: RunState, page: RunPage) -> bytes:
        parts = self._parts.get(state.id)
        if parts is None:
            parts = _parts(page.unknown[state.id], state, page.expected_seconds.get(state.job_id))
            if state.status in TERMINAL:
                self._kept.put(_key(state), parts)
        before, between, after = parts
        tail = page.tails.get(state.id, b"")
        # The log is valid UTF-8. A tail can start within a character, whose remaining bytes are dropped.
        logs = to_json(tail.decode("utf-8", "ignore")) if tail else b'""'
        is_cut = b"true" if len(tail) < state.log_bytes else b"false"
        return b"".join((before, to_json(state.job_name), between, b'"logs":', logs, b',"logs_tail":', is_cut, after))


def _parts(run: Run, state: RunState, expected_seconds: float | None) -> tuple[bytes, ...]:
    expected = None if state.status in TERMINAL else expected_seconds
    document = RunOut.document(RunView(run, "", is_tail=False, job_name="", expected_seconds=expected))
    before, between, after = (to_json({name: document[name] for name in names}) for names in _PARTS)
    return before[:-1] + b',"job_name":', b"," + between[1:-1] + b",", b"," + after[1:]


def _key(state: RunState) -> Key:
    return state.id, state.finished_at, state.log_bytes
