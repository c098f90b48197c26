"""The table of states, and the diagram that the documentation makes of it."""

from __future__ import annotations

import pytest
from scripts.draw_states import BLOCK, DOCUMENT, draw

from scheduler_service.domain.run_state import ACTIVE, TERMINAL, TRANSITIONS, RunStatus


def test_diagram_in_the_architecture_shows_the_transitions() -> None:
    """`python -m scripts.draw_states --write` brings it up to date."""
    assert BLOCK.search(DOCUMENT.read_text(encoding="utf-8"))[0] == draw()  # type: ignore[index]


def test_state_is_active_or_terminal_and_terminal_is_final() -> None:
    assert set(RunStatus) == ACTIVE | TERMINAL
    assert {str(status) for status in ACTIVE} == {"queued", "running", "retrying"}
    assert all(not TRANSITIONS[status] for status in TERMINAL)


def test_every_state_is_reachable() -> None:
    assert set(RunStatus) == {after for moves in TRANSITIONS.values() for after in moves}


def test_table_of_transitions_is_read_only() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[RunStatus.SUCCESS] = frozenset(RunStatus)  # type: ignore[index] # mypy sees it, too
