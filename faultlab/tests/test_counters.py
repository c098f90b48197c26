"""Counters against the ledger after kills: in small, what the fault campaign does with ten thousand runs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from faultlab.counting import Campaign, embedded


@pytest.mark.long
def test_after_kills_every_counter_is_what_the_ledger_counts(tmp_path: Path) -> None:
    verdicts = embedded(tmp_path, Campaign(runs=100, kills=1, chance=random.Random(1)))  # noqa: S311
    assert not [verdict for verdict in verdicts if not verdict.held]
