"""What the end of a run means for the jobs that run after its job."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_service.domain.dependencies import (
    AfterMode,
    AwaitedEnd,
    Consequence,
    Meaning,
    consequence_of,
    cycle_through,
    meaning_of,
)
from scheduler_service.domain.run_state import TERMINAL, RunStatus

MET, UNMET, SILENT = Meaning.MET, Meaning.UNMET, Meaning.SILENT
MEANINGS: dict[AwaitedEnd, dict[RunStatus, Meaning]] = {
    "success": {
        RunStatus.SUCCESS: MET,
        RunStatus.FAILED: UNMET,
        RunStatus.CANCELLED: UNMET,
        RunStatus.SKIPPED: UNMET,
        RunStatus.MISSED: UNMET,
    },
    "failure": {
        RunStatus.SUCCESS: SILENT,
        RunStatus.FAILED: MET,
        RunStatus.CANCELLED: SILENT,
        RunStatus.SKIPPED: SILENT,
        RunStatus.MISSED: SILENT,
    },
    "end": {
        RunStatus.SUCCESS: MET,
        RunStatus.FAILED: MET,
        RunStatus.CANCELLED: MET,
        RunStatus.SKIPPED: UNMET,
        RunStatus.MISSED: UNMET,
    },
}


@pytest.mark.parametrize("on", MEANINGS)
def test_every_final_state_has_its_meaning(on: AwaitedEnd) -> None:
    assert {status: meaning_of(on, status) for status in TERMINAL} == MEANINGS[on]


@pytest.mark.parametrize(
    ("mode", "meanings", "consequence"),
    [
        ("all", [MET], Consequence.RUN),
        ("all", [MET, None], Consequence.WAIT),
        ("all", [UNMET, None], Consequence.WAIT),
        ("all", [MET, MET], Consequence.RUN),
        ("all", [MET, UNMET], Consequence.SKIP),
        ("all", [MET, SILENT], Consequence.NOTHING),
        ("all", [UNMET, SILENT], Consequence.SKIP),
        ("any", [MET], Consequence.RUN),
        ("any", [UNMET], Consequence.NOTHING),
        ("any", [SILENT], Consequence.NOTHING),
    ],
)
def test_round_has_its_consequence(mode: AfterMode, meanings: list[Meaning | None], consequence: Consequence) -> None:
    assert consequence_of(mode, meanings) is consequence


def test_cycle_names_its_jobs() -> None:
    assert cycle_through(1, {1: [2, 4], 2: [3], 3: [1], 4: []}) == [1, 3, 2, 1]
    assert cycle_through(1, {1: [1]}) == [1, 1]
    assert cycle_through(1, {1: [2], 2: [3], 3: [2]}) is None


@given(st.dictionaries(st.integers(1, 8), st.lists(st.integers(1, 8), max_size=4), max_size=8))
def test_cycle_is_found_exactly_if_a_job_reaches_itself(edges: dict[int, list[int]]) -> None:
    reached, level = set[int](), set(edges.get(1, ()))
    while level - reached:
        reached |= level
        level = {upstream for job in level for upstream in edges.get(job, ())}
    found = cycle_through(1, edges)
    assert (found is not None) == (1 in reached)
    if found is not None:
        assert (found[0], found[-1]) == (1, 1)
        assert all(later in edges[earlier] for later, earlier in pairwise(found))
