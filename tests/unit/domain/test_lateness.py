"""Lateness of a run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from testkit.databases import NOON
from testkit.records import run_record

from scheduler_service.domain.lateness import lateness_seconds
from scheduler_service.domain.run_state import Trigger

SECOND = timedelta(seconds=1)
NOW = NOON + 60 * SECOND


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, 60),
        ({"queued_at": NOON + 5 * SECOND, "available_at": NOON + 5 * SECOND}, 60),
        ({"queued_at": NOON, "available_at": NOON + 45 * SECOND}, 15),
        ({"queued_at": NOON, "available_at": NOON + 45 * SECOND, "fault_count": 1}, 60),
        ({"trigger": Trigger.MANUAL, "queued_at": NOON + SECOND, "available_at": NOON + SECOND}, 59),
        ({"trigger": Trigger.RETRY, "queued_at": NOON + SECOND, "available_at": NOON + SECOND}, 59),
        ({"lateness_seconds": 0.25, "available_at": NOON + 45 * SECOND}, 0.25),
        ({"lateness_seconds": 0.0}, 0),
    ],
    ids=[
        "from its instant",
        "from its instant, though it was queued later",
        "from the end of its jitter",
        "from its instant, if a fault of a worker made it wait",
        "from when it was asked for",
        "from when its retry was asked for",
        "as at its first attempt",
        "not at all, as at its first attempt",
    ],
)
def test_lateness_is_measured_from_the_due_time(changes: dict[str, Any], seconds: float) -> None:
    assert lateness_seconds(run_record(**changes), NOW) == seconds
