"""The memory of a worker about the owners whose runs it began."""

from __future__ import annotations

import json

from scheduler_service.domain.fair_turns import MAX_OWNERS, FairTurns


def test_turns_count_the_runs_begun_since() -> None:
    turns = FairTurns()
    turns.note(["a", "b"])
    turns.note(["b", "c"])

    assert json.loads(turns.document()) == {"a": 4, "b": 2, "c": 1}


def test_owners_of_the_oldest_turns_are_forgotten() -> None:
    turns = FairTurns()
    turns.note(str(number) for number in range(MAX_OWNERS))
    turns.note(["0", "new"])

    known = json.loads(turns.document())
    assert len(known) == MAX_OWNERS
    assert "1" not in known
    assert known["0"] == 2
