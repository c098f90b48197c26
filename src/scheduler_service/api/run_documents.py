"""Shows lists of runs from kept parts of JSON.

Theory of operation. A run that has ended does not change any more, except for the name of its job and what retention
leaves of its log. The other fields are kept as bytes, so a list reads few columns of the runs that were shown before.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime

from pydantic_core import to_json

from scheduler_service.api.schemas.runs import RunOut
from scheduler_service.domain.records import Run, RunState
from scheduler_service.domain.run_state import TERMINAL
from scheduler_service.services.run_listing import RunPage
from scheduler_service.services.runs import RunView

MAX_KEPT_BYTES = 16 * 1024 * 1024
_NAMES = tuple(RunOut.model_fields)
_NAME, _LOGS = _NAMES.index("job_name"), _NAMES.index("logs")
# The parts between the name of the job, and `logs` with `logs_tail`.
_PARTS = _NAMES[:_NAME], _NAMES[_NAME + 1 : _LOGS], _NAMES[_LOGS + 2 :]

Key = tuple[int, datetime | None, int]


class RunDocuments:
    """The kept parts of JSON of runs that have ended and were listed recently."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, tuple[bytes, ...]] = OrderedDict()
        self._bytes = 0

    def knows(self, state: RunState) -> bool:
        """Return whether the unchanging fields of a run are kept."""
        return _key(state) in self._kept

    def show(self, page: RunPage) -> bytes:
        """Return the JSON of a list of runs. Keep those that have ended, and forget those not shown for longest."""
        found = [state for state in page.listing.items if state.id in page.unknown or self.knows(state)]
        shown = b",".join(self._show(state, page) for state in found)
        while self._bytes > MAX_KEPT_BYTES:
            _, parts = self._kept.popitem(last=False)
            self._bytes -= sum(map(len, parts))
        return b"[" + shown + b"]"

    def _show(self, state: RunState, page: RunPage) -> bytes:
        key = _key(state)
        if (parts := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
        else:
            parts = _parts(page.unknown[state.id], state, page.expected_seconds.get(state.job_id))
            if state.status in TERMINAL:
                self._kept[key] = parts
                self._bytes += sum(map(len, parts))
        before, between, after = parts
        tail = page.tails.get(state.id, b"")
        # The log is valid UTF-8. A tail can start within a character, whose remaining bytes are dropped.
        logs = to_json({"logs": tail.decode("utf-8", "ignore"), "logs_tail": len(tail) < state.log_bytes})
        return before + to_json(state.job_name) + between + logs[1:-1] + after


def _parts(run: Run, state: RunState, expected_seconds: float | None) -> tuple[bytes, ...]:
    expected = None if state.status in TERMINAL else expected_seconds
    document = RunOut.document(RunView(run, "", is_tail=False, job_name="", expected_seconds=expected))
    before, between, after = (to_json({name: document[name] for name in names}) for names in _PARTS)
    return before[:-1] + b',"job_name":', b"," + between[1:-1] + b",", b"," + after[1:]


def _key(state: RunState) -> Key:
    return state.id, state.finished_at, state.log_bytes
