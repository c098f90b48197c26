"""The table of states, as the documentation draws it."""

from __future__ import annotations

import pytest

from scheduler_service.domain.run_state import ACTIVE, TERMINAL, TRANSITIONS, RunStatus

DRAWN = {
    None: "queued skipped missed",
    "queued": "running cancelled failed",
    "running": "success failed retrying cancelled queued",
    "retrying": "queued cancelled failed",
}


@pytest.mark.parametrize("status", [None, *RunStatus])
def test_transitions_are_those_of_the_documentation(status: RunStatus | None) -> None:
    assert {str(after) for after in TRANSITIONS[status]} == set(DRAWN.get(status, "").split())


def test_state_is_active_or_terminal_and_terminal_is_final() -> None:
    assert set(RunStatus) == ACTIVE | TERMINAL
    assert {str(status) for status in ACTIVE} == {"queued", "running", "retrying"}
    assert all(not TRANSITIONS[status] for status in TERMINAL)


def test_every_state_is_reachable() -> None:
    assert set(RunStatus) == {after for moves in TRANSITIONS.values() for after in moves}


def test_table_of_transitions_is_read_only() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[RunStatus.SUCCESS] = frozenset(RunStatus)  # type: ignore[index] # mypy sees it, too
